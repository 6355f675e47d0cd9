"""bank.json: what a bank says of itself, checked before anything else is believed. Untrusted input."""

import json
import re
from math import prod
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, field_validator, model_validator

from memstudio.bank.files import check_relative, inside
from memstudio.bank.layout import Layout
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.bank.values import Fallback
from memstudio.errors import UserError

MANIFEST = "bank.json"
TREE = "retriever/tree.safetensors"
CLUSTERS = "clusters.sqlite"
FACTS = "facts.jsonl"
PROBES = "probes.jsonl"
ROUTES = "routes.safetensors"
README = "README.md"

Dtype = Literal["bfloat16", "float16", "float32", "int8", "int4"]
Coarser = Literal["int8", "int4"]

MAX_MANIFEST_BYTES = 8 << 20
MAX_BLOCK_BYTES = 1 << 32
MAX_FILES = 10_000
_ITEM_BITS: dict[Dtype, int] = {"bfloat16": 16, "float16": 16, "float32": 32, "int8": 8, "int4": 4}
_REPO = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB = re.compile(f"{_REPO}/{_REPO}@{_REPO}")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")]
Width = Annotated[int, Field(ge=0, le=100_000)]


def blocks_file(level: int) -> str:
    """The path of a level's blocks inside the folder."""
    return f"blocks/level-{level}.safetensors"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LevelSpec(_Part):
    """One level: clusters of the full tree, and the width of its blocks (one number, or one for each layer; 0 = no blocks)."""

    clusters: Annotated[int, Field(ge=1, le=10_000_000)]
    width: Width | tuple[Width, ...]


class AnchorRef(_Part):
    """Where the anchor is: "anchor/" inside the folder, or a hub id org/repo@revision; accepted by its folder digest."""

    source: str
    sha256: Sha256

    @field_validator("source")
    @classmethod
    def _known_form(cls, source: str) -> str:
        if source != "anchor/" and _HUB.fullmatch(source) is None:
            raise ValueError('write "anchor/" or org/repo@revision')
        return source


class RetrieverRef(_Part):
    """The encoder that the tree was made with, and its settings; sha256 is that of its model.safetensors."""

    encoder: Annotated[str, StringConstraints(pattern=rf"^{_REPO}/{_REPO}$")]
    sha256: Sha256
    dim: Annotated[int, Field(ge=1, le=65_536)]
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    pooling: Literal["mean", "cls"]


class FileRef(_Part):
    """Length and digest of one file of the folder."""

    bytes: Annotated[int, Field(ge=0, lt=1 << 63)]
    sha256: Sha256


class Manifest(_Part):
    """bank.json, format 1. It holds no time and no host name: the same build gives the same bytes.

    prompt: whether the anchor reads a prompt as plain text or as a turn of its chat template. coarser: dtypes that some blocks are stored
    in instead of `dtype`; left out where there are none.
    """

    format: Literal["memstudio-bank"]
    version: Literal[1]
    name: Name
    kind: Literal["ffn"]
    activation: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    anchor: AnchorRef
    hidden_size: Annotated[int, Field(ge=1, le=65_536)]
    layers: Annotated[tuple[Annotated[int, Field(ge=0, le=9_999)], ...], Field(min_length=1, max_length=1_000)]
    dtype: Dtype
    coarser: tuple[Coarser, ...] = ()
    levels: Annotated[tuple[LevelSpec, ...], Field(min_length=1, max_length=8)]
    branching: tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...]
    generic: bool
    fallback: Fallback
    retriever: RetrieverRef
    prompt: Literal["plain", "chat"] = "plain"
    files: Annotated[dict[str, FileRef], Field(max_length=MAX_FILES)]
    recipe: dict[str, JsonValue]
    parent: dict[str, JsonValue] | None = None

    @field_validator("files")
    @classmethod
    def _paths_stay_inside(cls, files: dict[str, FileRef]) -> dict[str, FileRef]:
        for path in files:
            check_relative(path)
        return files

    @model_validator(mode="after")
    def _parts_agree(self) -> "Manifest":
        if list(self.layers) != sorted(set(self.layers)):
            raise ValueError("layers: write each layer once, ascending")
        if any(_ITEM_BITS[other] >= _ITEM_BITS[self.dtype] for other in self.coarser) or len(set(self.coarser)) < len(self.coarser):
            raise ValueError(f"coarser: name int8 and int4 once at most, and only what is coarser than {self.dtype}")
        if len(self.branching) != len(self.levels):
            raise ValueError("branching: one number for each level")
        for at, level in enumerate(self.levels):
            if level.clusters != prod(self.branching[: at + 1]):
                raise ValueError(f"levels.{at}.clusters: must be the product of branching up to there")
            if isinstance(level.width, tuple) and len(level.width) != len(self.layers):
                raise ValueError(f"levels.{at}.width: one number, or one for each of the {len(self.layers)} layers")
            if self.row_bytes(at + 1) > MAX_BLOCK_BYTES:
                raise ValueError(f"levels.{at}.width: a block of more than {MAX_BLOCK_BYTES} bytes is not read")
        if self.fallback == "generic" and not self.generic:
            raise ValueError("fallback: the bank has no generic block to fall back on")
        needed = [TREE, *(blocks_file(at) for at in range(1, self.depth + 1) if self.layout(at).n)]
        for path in needed:
            if path not in self.files:
                raise ValueError(f"files: {path} is not listed")
        return self

    @property
    def depth(self) -> int:
        """Number of levels."""
        return len(self.levels)

    def layout(self, level: int) -> Layout:
        """The shape of a level's blocks (level 1 is the coarsest)."""
        width = self.levels[level - 1].width
        widths = width if isinstance(width, tuple) else (width,) * len(self.layers)
        return Layout(self.hidden_size, widths)

    def stored_columns(self, level: int, dtype: Dtype | None = None) -> int:
        """Second side of the tensor "blocks" of a level: numbers, or bytes where two 4-bit codes share one. dtype: another than the
        bank's."""
        n = self.layout(level).n
        return (n + 1) // 2 if (dtype or self.dtype) == "int4" else n

    def row_bytes(self, level: int, dtype: Dtype | None = None) -> int:
        """Bytes of one block as stored, its scales included; in another dtype than the bank's where one is given."""
        layout, stored = self.layout(level), dtype or self.dtype
        codes = (layout.n * _ITEM_BITS[stored] + 7) // 8
        return codes + (4 * layout.vectors if stored in ("int8", "int4") else 0)

    @property
    def quantised(self) -> bool:
        """Whether blocks are stored as integer codes and scales."""
        return self.dtype in ("int8", "int4")


def load_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a bank folder.

    Raises:
        UserError: no bank, or a manifest that does not hold what it must; one line with the field's name.
    """
    return read_manifest(folder)[0]


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """The manifest and the bytes that it was read from (the bank's digest is their sha256).

    Raises:
        UserError: as `load_manifest`.
    """
    try:
        if not folder.is_dir():
            raise UserError(f"{folder}: a file, not a bank folder" if folder.exists() else f"{folder}: no such bank folder")
        if not (folder / MANIFEST).exists():
            raise UserError(f"{folder}: not a bank: no {MANIFEST} in it")
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from None
    path = inside(folder, MANIFEST)
    raw = read_limited(path, MAX_MANIFEST_BYTES)
    return parse_manifest(raw, str(folder / MANIFEST)), raw


def parse_manifest(raw: bytes, where: str) -> Manifest:
    """Check the bytes of a manifest; `where` names them in errors.

    Raises:
        UserError: as `load_manifest`.
    """
    try:
        text = raw.decode()
        strict_json(text)
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise UserError(f"{where}: {_first_problem(error)}") from None
    except ValueError as error:
        raise UserError(f"{where}: not valid JSON: {' '.join(str(error).split())[:200]}") from None


def dump_manifest(manifest: Manifest) -> bytes:
    """Canonical bytes: names sorted, two-space indent, UTF-8, one newline at the end."""
    body = manifest.model_dump(mode="json", exclude_none=False, exclude=None if manifest.coarser else {"coarser"})
    return (json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step)[:80] for step in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    line = f"{place}: {message}" if place else message
    return " ".join(line.split())[:300]
