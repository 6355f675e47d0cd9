"""The blocks of one level on their way into a smaller bank: the rows that are kept, as they are stored or in fewer bits, edited ones in
their places."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import ITEM_BYTES, TensorFile, inside, read_header
from memstudio.bank.manifest import Coarser, Dtype, blocks_file
from memstudio.bank.rows import STORED
from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay, Precision
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
    """The rows of a level that a smaller bank stores in one dtype, in tensors whose names end in `end`.

    ids: int64 [rows] ascending, the generic row last by the number of clusters; places: int64 [rows], where each row stands in the
    source's tensors that end in `source`, −1 where none does; edited: row → its state, for the blocks that an edit changed.
    recoded: whether the rows are not copied as they are; named: whether their ids are written down.
    """

    bank: Bank
    level: int
    ids: Indices
    places: Indices
    edited: Mapping[int, BlockState]
    blob: Blob
    dtype: Dtype
    end: str = ""
    source: str = ""
    recoded: bool = False
    named: bool = True

    @property
    def quantised(self) -> bool:
        """Whether they are stored as codes and scales."""
        return self.dtype in ("int8", "int4")


def level_rows(
    bank: Bank, level: int, kept: Kept, overlay: Overlay, blob: Blob, dtype: Dtype, coarser: Sequence[Coarser]
) -> tuple[LevelRows, ...]:
    """The rows of a level when these blocks are kept and the generic one is too, with the edits of an overlay: those that the smaller bank
    stores in its own dtype, then those in each coarser one. A bank that mixes dtypes itself keeps every row in its own."""
    file = read_header(inside(bank.folder, blocks_file(level)))
    own, count = bank.manifest, bank.tree.count(level)
    edits = {cluster.index: state for cluster, state in overlay.items() if cluster.level == level}

    def rows(ids: Indices, dtype: Dtype, end: str, source: str, *, named: bool) -> LevelRows:
        edited = {row: edits[index] for row, index in enumerate(ids.tolist()) if index in edits}
        recoded = end != source or (not end and dtype != own.dtype)
        return LevelRows(bank, level, ids, _places(file, source, ids), edited, blob, dtype, end, source, recoded, named)

    mixed: dict[Precision, Indices] = {each: np.intersect1d(kept.levels[level - 1], _stored(file, f".{each}")) for each in own.coarser}
    recoded: dict[Precision, Indices] = {each: kept.stored(level, each) for each in coarser if each not in mixed}
    apart = {**mixed, **recoded}
    first = np.setdiff1d(kept.levels[level - 1], np.concatenate([np.empty(0, np.int64), *apart.values()]))
    if bank.has_generic(level):
        within = next(
            (each for each in own.coarser if count in _stored(file, f".{each}")), kept.generic if coarser and not mixed else "bank"
        )
        if within == "bank":
            first = np.append(first, count)
        else:
            apart[within] = np.append(apart[within], count)
    named = bool(apart) or len(first) < count + own.generic
    parts = [rows(apart[each], each, f".{each}", f".{each}" if each in mixed else "", named=True) for each in coarser]
    return rows(first, dtype, "", "", named=named), *parts


def _places(file: TensorFile, source: str, ids: Indices) -> Indices:
    stored = _stored(file, source)
    at = np.minimum(np.searchsorted(stored, ids), max(len(stored) - 1, 0))
    held = stored[at] == ids if len(stored) else np.zeros(len(ids), bool)
    return np.where(held, at, -1).astype(np.int64)


def _stored(file: TensorFile, end: str) -> Indices:
    """The ids of the rows in the tensors of that end; all in their order where they are not named."""
    count = file.tensors[f"blocks{end}"].shape[0]
    named = file.array(f"clusters{end}", "I64", (count,)) if f"clusters{end}" in file.tensors else np.arange(count)
    return np.array(named, np.int64)


def level_file(parts: Sequence[LevelRows]) -> Iterator[bytes]:
    """The bytes of the level's safetensors file, a piece at a time: the header, all ids, all scales, all blocks.

    Raises:
        UserError: the source cannot be read, or an edited block's numbers do not fit its dtype.
    """
    header: dict[str, tuple[str, list[int]]] = {f"clusters{rows.end}": ("I64", [len(rows.ids)]) for rows in parts if rows.named}
    for rows in parts:
        if rows.quantised:
            header[f"scales{rows.end}"] = ("F32", [len(rows.ids), rows.bank.manifest.layout(rows.level).vectors])
    for rows in parts:
        columns = rows.bank.manifest.stored_columns(rows.level, rows.dtype)
        header[f"blocks{rows.end}"] = (STORED[rows.dtype], [len(rows.ids), columns])
    yield safetensors_header(header)
    source = read_header(inside(parts[0].bank.folder, blocks_file(parts[0].level)))
    yield from (rows.ids.astype("<i8").tobytes() for rows in parts if rows.named)
    for rows in parts:
        if rows.quantised:
            yield from _tensor(rows, source, "scales")
    for rows in parts:
        yield from _tensor(rows, source, "blocks")


def safetensors_header(parts: Mapping[str, tuple[str, list[int]]], metadata: Mapping[str, str] | None = None) -> bytes:
    """The start of a safetensors file that holds these tensors, one after the other. parts: name → (safetensors dtype, shape)."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": dict(metadata)}
    at = 0
    for name, (dtype, shape) in parts.items():
        end = at + ITEM_BYTES[dtype] * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


def _tensor(rows: LevelRows, source: TensorFile, name: str) -> Iterator[bytes]:
    """The rows of one tensor: stretches that lie together in the source are read together. Rows that are coded anew are read for their
    scales and again for their codes, so that memory stays small."""
    entry = source.tensors[f"blocks{rows.source}" if rows.recoded else f"{name}{rows.source}"]
    width = (entry.end - entry.begin) // max(entry.shape[0], 1)
    with source.path.open("rb") as stream:
        for first, last in _stretches(rows):
            if first in rows.edited:
                yield _coded(rows, burned(rows.bank, _cluster(rows, first), rows.edited[first], rows.blob).unsqueeze(0), name)
                continue
            stream.seek(entry.begin + int(rows.places[first]) * width)
            step = max(1, PIECE_BYTES // width) if rows.recoded else last - first
            for start in range(first, last, step):
                count = min(step, last - start)
                if rows.recoded and rows.bank.manifest.quantised:
                    yield _coded(rows, _decoded(rows, start, count), name)
                elif rows.recoded:
                    yield _coded(rows, _numbers(rows, b"".join(_pieces(stream, count * width, source)), count), name)
                else:
                    yield from _pieces(stream, count * width, source)


def _pieces(stream: BinaryIO, left: int, source: TensorFile) -> Iterator[bytes]:
    while left:
        piece = stream.read(min(left, PIECE_BYTES))
        if not piece:
            raise UserError(f"{source.path}: the file changed while the bank was open: open the bank again")
        left -= len(piece)
        yield piece


def _stretches(rows: LevelRows) -> Iterator[tuple[int, int]]:
    """First and one past the last of the rows that lie together in the source; an edited row stands alone."""
    alone = np.zeros(len(rows.ids), bool)
    alone[list(rows.edited)] = True
    breaks = np.flatnonzero((np.diff(rows.places) != 1) | alone[1:] | alone[:-1]) + 1
    edges = [0, *breaks.tolist(), len(rows.ids)]
    yield from ((a, b) for a, b in itertools.pairwise(edges) if b > a)


def _cluster(rows: LevelRows, row: int) -> ClusterId:
    return ClusterId(rows.level, int(rows.ids[row]))


def _numbers(rows: LevelRows, raw: bytes, count: int) -> Tensor:
    """Stored rows of a float bank, [count, n]."""
    import torch

    return torch.frombuffer(bytearray(raw), dtype=rows.bank.dtype).view(count, -1)


def _decoded(rows: LevelRows, start: int, count: int) -> Tensor:
    """Rows of a bank that is stored in codes, float32 [count, n]."""
    import torch

    bank, level = rows.bank, rows.level
    ids = rows.ids[start : start + count].tolist()
    return torch.stack([bank.generic(level) if index == bank.tree.count(level) else bank.block(ClusterId(level, index)) for index in ids])


def _coded(rows: LevelRows, blocks: Tensor, name: str) -> bytes:
    """What blocks [rows, n] are stored as; name: their "blocks" or their "scales"."""
    import torch

    from memstudio.bank.block import FLOAT_DTYPES, quantise

    if not rows.quantised:
        return blocks.to(FLOAT_DTYPES[rows.dtype]).contiguous().view(torch.uint8).numpy().tobytes()
    codes, scales = quantise(blocks, rows.bank.manifest.hidden_size, 8 if rows.dtype == "int8" else 4)
    return (codes if name == "blocks" else scales).numpy().tobytes()


def burned(bank: Bank, cluster: ClusterId, state: BlockState, blob: Blob) -> Tensor:
    """The row [n] of an edited block in the bank's float dtype, its scale multiplied in.

    Raises:
        UserError: the scale carries its numbers out of their dtype.
    """
    row = bank.block(cluster) if state.source == BASE.source else blob(state.source)
    if state.scale == 1.0:
        return row.detach().cpu().to(bank.dtype)
    scaled = row.detach().cpu().float().clone()
    for _, _, down in bank.layouts[cluster.level - 1].split(scaled):
        down.mul_(state.scale)
    found = scaled.to(bank.dtype)
    if not bool(found.isfinite().all()):
        raise UserError(f"block {cluster}: its scale {state.scale:g} makes numbers infinite in {bank.manifest.dtype}: scale it less")
    return found
