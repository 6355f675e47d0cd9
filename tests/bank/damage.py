"""Ways to damage a bank folder, and to seal it again so that a check further in is the one that is met."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let `change` alter the manifest's JSON in place."""
    path = folder / "bank.json"
    body = json.loads(path.read_bytes())
    change(body)
    path.write_text(json.dumps(body))


def seal(folder: Path, *paths: str) -> None:
    """Write length and sha256 of these files into the manifest."""

    def change(body: dict[str, Any]) -> None:
        for path in paths:
            raw = (folder / path).read_bytes()
            body["files"][path] = {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}

    edit_manifest(folder, change)


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """The JSON header of a safetensors file and the bytes after it."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def write_with_header(path: Path, header: object, body: bytes) -> None:
    """A safetensors file with this header, well formed or not."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + body)


def edit_header(folder: Path, relative: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter the header of a tensor file, and seal it."""
    header, body = header_of(folder / relative)
    change(header)
    write_with_header(folder / relative, header, body)
    seal(folder, relative)
