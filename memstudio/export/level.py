"""The blocks of one level on their way into a smaller bank: the rows that are kept, as they are stored or in fewer bits, edited ones in
their places."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import ITEM_BYTES, TensorEntry, TensorFile, inside, read_header
from memstudio.bank.manifest import Coarser, Dtype, blocks_file
from memstudio.bank.rows import STORED, Stretch
from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay, Precision
from memstudio.errors import UserError
from memstudio.export.pouring import PIECE_BYTES, Piece

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.export.plan import Kept

Indices = NDArray[np.int64]
Blob = Callable[[str], "Tensor"]
_CODING, _AHEAD = 2, 4
"""Threads that code, and pieces that are coded before it is their turn."""


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
    named = file.read(f"clusters{end}", "I64", (count,)) if f"clusters{end}" in file.tensors else np.arange(count)
    return np.array(named, np.int64)


def level_file(parts: Sequence[LevelRows]) -> Iterator[Piece]:
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


def _tensor(rows: LevelRows, source: TensorFile, name: str) -> Iterator[Piece]:
    """The rows of one tensor: stretches that lie together in the source go over together. Rows that are coded anew are read for their
    scales and again for their codes, so that memory stays small."""
    entry = source.tensors[f"blocks{rows.source}" if rows.recoded else f"{name}{rows.source}"]
    width = _width(entry)
    with ThreadPoolExecutor(_CODING) as coding:

        def begun() -> Iterator[Piece | Future[Piece]]:
            for first, last in _stretches(rows):
                if first in rows.edited:
                    yield _coded(rows, burned(rows.bank, _cluster(rows, first), rows.edited[first], rows.blob).unsqueeze(0), name)
                elif rows.recoded:
                    for read in _reads(rows, source, int(rows.places[first]), last - first):
                        yield coding.submit(_recoded, rows, [_read(each) for each in read], name)
                else:
                    yield Stretch(source, entry.begin + int(rows.places[first]) * width, (last - first) * width)

        yield from _in_turn(begun())


def _in_turn(begun: Iterator[Piece | Future[Piece]]) -> Iterator[Piece]:
    """Pieces in their order, while those that come next are being made."""
    ahead: deque[Piece | Future[Piece]] = deque()
    for piece in begun:
        ahead.append(piece)
        if len(ahead) > _AHEAD:
            yield _made(ahead.popleft())
    yield from map(_made, ahead)


def _made(piece: Piece | Future[Piece]) -> Piece:
    return piece.result() if isinstance(piece, Future) else piece


def _width(entry: TensorEntry) -> int:
    """Bytes of a row."""
    return (entry.end - entry.begin) // max(entry.shape[0], 1)


def _reads(rows: LevelRows, source: TensorFile, place: int, count: int) -> Iterator[list[Stretch]]:
    """What is read for each piece of `count` rows from `place` on that are coded anew: some rows, or part of one that is long; their
    numbers, and behind those of a bank that stores codes, their scales."""
    entries = [source.tensors[name] for name in (("blocks", "scales") if rows.bank.manifest.quantised else ("blocks",))]
    vectors = rows.bank.manifest.layout(rows.level).vectors
    each = [_width(entry) // vectors for entry in entries]  # bytes of a vector; what is coded anew is not int4, so they are whole
    step = max(2, PIECE_BYTES // each[0] // 2 * 2)  # even: two codes of int4 share a byte
    at_once = max(1, step // vectors)
    for first in range(place, place + count, at_once):
        wide = min(at_once, place + count - first)
        for start in range(0, vectors, step):
            taken = min(step, vectors - start) * wide
            yield [
                Stretch(source, entry.begin + (first * vectors + start) * size, taken * size)
                for entry, size in zip(entries, each, strict=True)
            ]


def _read(stretch: Stretch) -> bytearray:
    found = bytearray(stretch.bytes)
    stretch.read_into(memoryview(found))
    return found


def _recoded(rows: LevelRows, raw: Sequence[bytearray], name: str) -> Piece:
    """A piece that was read (see `_reads`) in the dtype of the smaller bank."""
    import torch

    from memstudio.bank.block import dequantise

    manifest = rows.bank.manifest
    if manifest.quantised:
        codes, scales = torch.frombuffer(raw[0], dtype=torch.uint8), torch.frombuffer(raw[1], dtype=torch.float32)
        numbers = dequantise(codes, scales, manifest.hidden_size, 8)
    else:
        numbers = torch.frombuffer(raw[0], dtype=rows.bank.dtype)
    return _coded(rows, numbers.view(-1, min(len(numbers), manifest.layout(rows.level).n)), name)


def _stretches(rows: LevelRows) -> Iterator[tuple[int, int]]:
    """First and one past the last of the rows that lie together in the source; an edited row stands alone."""
    alone = np.zeros(len(rows.ids), bool)
    alone[list(rows.edited)] = True
    breaks = np.flatnonzero((np.diff(rows.places) != 1) | alone[1:] | alone[:-1]) + 1
    edges = [0, *breaks.tolist(), len(rows.ids)]
    yield from ((a, b) for a, b in itertools.pairwise(edges) if b > a)


def _cluster(rows: LevelRows, row: int) -> ClusterId:
    return ClusterId(rows.level, int(rows.ids[row]))


def _coded(rows: LevelRows, blocks: Tensor, name: str) -> Piece:
    """What blocks [rows, n], or a part of one, are stored as; name: their "blocks" or their "scales"."""
    import torch

    from memstudio.bank.block import FLOAT_DTYPES, bits_of, quantise, scales_of

    hidden, bits = rows.bank.manifest.hidden_size, bits_of(rows.dtype)
    if not rows.quantised:
        found = blocks.to(FLOAT_DTYPES[rows.dtype]).contiguous()
    else:
        found = scales_of(blocks, hidden, bits) if name == "scales" else quantise(blocks, hidden, bits)[0]
    raw: memoryview = found.view(-1).view(torch.uint8).numpy().data
    return raw


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
