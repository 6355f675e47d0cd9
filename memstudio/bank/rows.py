"""The stored blocks of one level: checked against the manifest when a bank opens, and read a row at a time."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import TensorEntry, TensorFile
from memstudio.bank.manifest import Dtype, Manifest, blocks_file
from memstudio.errors import UserError

STORED = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "int8": "U8", "int4": "U8"}
"""What safetensors calls the numbers of each dtype."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes that lie together in a file."""

    file: TensorFile
    begin: int
    bytes: int

    def read_into(self, out: memoryview, start: int = 0) -> None:
        """Fill `out` (bytes) from the stretch's byte `start` on; raises as `TensorFile.read_into`."""
        self.file.read_into(self.begin + start, out)


@dataclass(frozen=True, slots=True)
class Stored:
    """Where one block lies: its numbers or codes in `dtype`, and the scales float32 of codes."""

    dtype: Dtype
    numbers: Stretch
    scales: Stretch | None

    @property
    def bytes(self) -> int:
        """Of numbers and scales."""
        return self.numbers.bytes + (0 if self.scales is None else self.scales.bytes)


@dataclass(frozen=True, slots=True)
class Part:
    """The blocks of a level that are stored in one dtype: where their numbers lie [rows, columns], their scales [rows, vectors] when
    quantised, ids of the rows when not all; end: what the names of their tensors end in."""

    dtype: Dtype
    end: str
    blocks: TensorEntry
    scales: TensorEntry | None
    ids: NDArray[np.int64] | None

    @property
    def count(self) -> int:
        """Rows."""
        return self.blocks.shape[0]

    def stored(self, file: TensorFile, row: int) -> Stored:
        """Where a row lies in the file."""
        return Stored(self.dtype, _stretch(file, self.blocks, row), None if self.scales is None else _stretch(file, self.scales, row))

    def row(self, index: int) -> int | None:
        """The row that holds a block (the generic one by the number of clusters); None when it is not here."""
        if self.ids is None:
            return index if 0 <= index < self.count else None
        at = int(np.searchsorted(self.ids, index))
        return at if at < len(self.ids) and self.ids[at] == index else None


@dataclass(frozen=True, slots=True)
class Rows:
    """The blocks of one level: those in the bank's dtype, then those in each coarser one. The generic one is the last row of one part."""

    file: TensorFile
    parts: tuple[Part, ...]

    def find(self, index: int) -> tuple[Part, int] | None:
        """The part and the row in it that hold a block (the generic one by the number of clusters); None when it is not kept."""
        for part in self.parts:
            if (row := part.row(index)) is not None:
                return part, row
        return None

    def stored(self, index: int) -> Stored | None:
        """Where a block lies (the generic one by the number of clusters); None when it is not kept."""
        found = self.find(index)
        return None if found is None else found[0].stored(self.file, found[1])

    def held(self, clusters: int) -> NDArray[np.bool_]:
        """bool [clusters]: whether a row is here for each cluster of the level."""
        found = np.zeros(clusters, bool)
        for part in self.parts:
            found |= _named(part, clusters)
        return found

    def row_bytes(self, manifest: Manifest, level: int) -> NDArray[np.int64]:
        """int64 [clusters]: bytes of each cluster's block as it is stored; in the bank's dtype where none is here."""
        found = np.full(manifest.levels[level - 1].clusters, manifest.row_bytes(level), np.int64)
        for part in self.parts[1:]:
            found[_named(part, len(found))] = manifest.row_bytes(level, part.dtype)
        return found


def open_rows(files: dict[str, TensorFile], manifest: Manifest, level: int) -> Rows | None:
    """Check the headers of a level's blocks against the manifest; None at width 0.

    Raises:
        UserError: a tensor is missing or has another shape or dtype, or the rows of a pruned bank are not named as they must be.
    """
    if not manifest.layout(level).n:
        return None
    file = files[blocks_file(level)]
    parts = (
        _part(file, manifest, level, manifest.dtype, ""),
        *(_part(file, manifest, level, each, f".{each}") for each in manifest.coarser),
    )
    if manifest.coarser:
        named = [part.ids for part in parts]
        ids = np.concatenate([each for each in named if each is not None])
        if any(each is None for each in named) or len(np.unique(ids)) != len(ids):
            raise UserError(f"{file.path}: the rows of each dtype must be named, and no block may stand in two of them")
        _check_generic(file, ids, manifest, level)
    return Rows(file, parts)


def _part(file: TensorFile, manifest: Manifest, level: int, dtype: Dtype, end: str) -> Part:
    full = manifest.levels[level - 1].clusters + manifest.generic
    blocks, names = f"blocks{end}", f"clusters{end}"
    stored = file.tensors.get(blocks)
    pruned = names in file.tensors
    count = stored.shape[0] if stored is not None and pruned and stored.shape else full
    numbers = file.entry(blocks, STORED[dtype], (count, manifest.stored_columns(level, dtype)))
    quantised = dtype in ("int8", "int4")
    scales = file.entry(f"scales{end}", "F32", (count, manifest.layout(level).vectors)) if quantised else None
    ids = cast(NDArray[np.int64], file.read(names, "I64", (count,))) if pruned else None
    if ids is not None:
        _check_ids(file, ids, full, names)
        if not manifest.coarser:
            _check_generic(file, ids, manifest, level)
    return Part(dtype, end, numbers, scales, ids)


def _stretch(file: TensorFile, entry: TensorEntry, row: int) -> Stretch:
    width = (entry.end - entry.begin) // entry.shape[0]
    return Stretch(file, entry.begin + row * width, width)


def _check_ids(file: TensorFile, ids: NDArray[np.int64], full: int, name: str) -> None:
    ascending = bool((ids[1:] > ids[:-1]).all()) if len(ids) else True
    if not ascending or (len(ids) and not (ids[0] >= 0 and ids[-1] < full)):
        raise UserError(f"{file.path}: tensor {name!r} must be ascending and name clusters of the level")


def _check_generic(file: TensorFile, ids: NDArray[np.int64], manifest: Manifest, level: int) -> None:
    if manifest.generic and (not len(ids) or ids.max() != manifest.levels[level - 1].clusters):
        raise UserError(f"{file.path}: the manifest promises a generic block, the last row is not one")


def _named(part: Part, clusters: int) -> NDArray[np.bool_]:
    if part.ids is None:
        return np.ones(clusters, bool)
    found = np.zeros(clusters, bool)
    found[part.ids[part.ids < clusters]] = True
    return found
