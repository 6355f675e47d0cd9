"""The blocks of one level on their way into a smaller bank: the rows that are kept, as they are stored or in fewer bits, edited ones in
their places."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import TensorFile, inside, read_header
from memstudio.bank.manifest import Coarser, Dtype, blocks_file
from memstudio.bank.rows import STORED
from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.export.pouring import PIECE_BYTES

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.export.plan import Kept

Indices = NDArray[np.int64]
Blob = Callable[[str], "Tensor"]


@dataclass(frozen=True, eq=False, slots=True)
class LevelRows:
    """The rows of a level that a smaller bank holds in one dtype.

    ids: int64 [rows] ascending, the generic row last by the number of clusters; places: int64 [rows], where each row stands among those
    of the source whose tensors' names end in `source`, −1 where none does; edited: row → its state, for the blocks that an edit changed.
    dtype: what they are stored in; end: what the names of their tensors end in; named: whether the ids are written down.
    """

    bank: Bank
    level: int
    ids: Indices
    places: Indices
    edited: Mapping[int, BlockState]
    blob: Blob
    source: str
    dtype: Dtype
    end: str
    named: bool

    @property
    def coded(self) -> bool:
        """Whether rows of the bank's dtype are written as codes of fewer bits."""
        return not self.source and not self.end and self.dtype != self.bank.manifest.dtype or self.end != self.source

    @property
    def columns(self) -> int:
        """Second side of the tensor that holds them."""
        return self.bank.manifest.stored_columns(self.level, self.dtype)


def level_rows(bank: Bank, level: int, kept: Kept, overlay: Overlay, blob: Blob, dtype: Dtype, coarser: Sequence[Coarser]) -> list[LevelRows]:
    """The rows of a level when these blocks are kept and the generic one is too, with the edits of an overlay, for each dtype that the
    smaller bank stores them in: its own, then each coarser one."""
    file = read_header(inside(bank.folder, blocks_file(level)))
    own, count = bank.manifest, bank.tree.count(level)
    generic = [count] if bank.has_generic(level) else []
    if own.coarser:  # as it is stored: every block stays in the tensor that it stands in
        parts, left = [], kept.levels[level - 1]
        for each in own.coarser:
            here = np.intersect1d(left, _named(file, f".{each}", count))
            left = np.setdiff1d(left, here)
            parts.append(_rows(bank, level, file, here, overlay, blob, f".{each}", each, f".{each}", True))
        return [_rows(bank, level, file, np.append(left, generic), overlay, blob, "", own.dtype, "", True), *parts]
    first = kept.stored(level, "bank") if coarser else kept.levels[level - 1]
    ids = np.append(first, generic).astype(np.int64)
    named = bool(coarser) or len(ids) < count + own.generic
    rows = _rows(bank, level, file, ids, overlay, blob, "", dtype, "", named)
    return [rows, *(_rows(bank, level, file, kept.stored(level, each), overlay, blob, "", each, f".{each}", True) for each in coarser)]


def _rows(
    bank: Bank, level: int, file: TensorFile, ids: Indices, overlay: Overlay, blob: Blob, source: str, dtype: Dtype, end: str, named: bool
) -> LevelRows:
    stored = _named(file, source, file.tensors[f"blocks{source}"].shape[0])
    at = np.minimum(np.searchsorted(stored, ids), max(len(stored) - 1, 0))
    held = stored[at] == ids if len(stored) else np.zeros(len(ids), bool)
    places = np.where(held, at, -1).astype(np.int64)
    edits = {cluster.index: state for cluster, state in overlay.items() if cluster.level == level}
    edited = {row: edits[index] for row, index in enumerate(ids.tolist()) if index in edits}
    return LevelRows(bank, level, ids.astype(np.int64), places, edited, blob, source, dtype, end, named)


def _named(file: TensorFile, end: str, count: int) -> Indices:
    """The ids of the rows of one dtype; all in their order where they are not named."""
    name = f"clusters{end}"
    return np.array(file.array(name, "I64", file.tensors[name].shape)) if name in file.tensors else np.arange(count)


def level_file(parts: Sequence[LevelRows]) -> Iterator[bytes]:
    """The bytes of the level's safetensors file, a piece at a time: the header, then of each dtype the ids, the scales, the blocks.

    Raises:
        UserError: the source cannot be read, or an edited block's numbers do not fit its dtype.
    """
    header: dict[str, tuple[str, list[int]]] = {}
    for rows in parts:
        count, end = len(rows.ids), rows.end
        if rows.named:
            header[f"clusters{end}"] = ("I64", [count])
        if _quantised(rows):
            header[f"scales{end}"] = ("F32", [count, rows.bank.manifest.layout(rows.level).vectors])
        header[f"blocks{end}"] = (STORED[rows.dtype], [count, rows.columns])
    yield _header(header)
    for rows in parts:
        source = read_header(inside(rows.bank.folder, blocks_file(rows.level)))
        if rows.named:
            yield rows.ids.astype("<i8").tobytes()
        for name in ("scales", "blocks") if _quantised(rows) else ("blocks",):
            yield from _tensor(rows, source, name)


def _quantised(rows: LevelRows) -> bool:
    return rows.dtype in ("int8", "int4")


def _header(parts: Mapping[str, tuple[str, list[int]]]) -> bytes:
    """Tensors whose items are larger stand first where one tensor's bytes would leave the next one's items unaligned."""
    items = {"I64": 8, "F32": 4, "F16": 2, "BF16": 2, "U8": 1}
    header: dict[str, object] = {}
    at = 0
    for name, (dtype, shape) in parts.items():
        end = at + items[dtype] * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


def _tensor(rows: LevelRows, source: TensorFile, name: str) -> Iterator[bytes]:
    """The rows of one tensor: stretches that lie together in the source are read together."""
    stored = source.tensors[f"blocks{rows.source}" if rows.coded else f"{name}{rows.source}"]
    width = (stored.end - stored.begin) // max(stored.shape[0], 1)
    with source.path.open("rb") as stream:
        for first, last in _stretches(rows):
            if first in rows.edited:
                yield _codes(rows, burned(rows, first).unsqueeze(0), name)
                continue
            stream.seek(stored.begin + int(rows.places[first]) * width)
            if rows.coded:
                yield from _recoded(rows, source, first, last, name)
                continue
            left = (last - first) * width
            while left:
                piece = stream.read(min(left, PIECE_BYTES))
                if not piece:
                    raise UserError(f"{source.path}: the file changed while the bank was open: open the bank again")
                left -= len(piece)
                yield piece
