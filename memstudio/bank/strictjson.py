"""JSON from untrusted files: limited in size, and without the doubtful parts of the format."""

import json
from pathlib import Path

from memstudio.errors import UserError


def read_limited(path: Path, limit_bytes: int) -> bytes:
    """The whole of a small file.

    Raises:
        UserError: it cannot be read, or holds more than `limit_bytes`.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(limit_bytes + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if len(raw) > limit_bytes:
        raise UserError(f"{path}: more than {limit_bytes} bytes, which is absurd for this file")
    return raw


def strict_json(raw: bytes | str) -> object:
    """JSON without the doubtful parts: no NaN, no repeated name.

    Raises:
        ValueError: not such JSON (too deep and too long numbers included).
    """
    try:
        value: object = json.loads(raw, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
