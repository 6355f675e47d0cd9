"""The blocks of one level on their way into a smaller bank: the rows that are kept, as they are stored, edited ones in their places."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import ITEM_BYTES, TensorFile, inside, read_header
from memstudio.bank.manifest import blocks_file
from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.export.pouring import PIECE_BYTES

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank

Indices = NDArray[np.int64]
Blob = Callable[[str], "Tensor"]
_STORED = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "int8": "U8", "int4": "U8"}


@dataclass(frozen=True, eq=False, slots=True)
class LevelRows:
    """The rows of a level that a smaller bank holds.

    ids: int64 [rows] ascending, the generic row last by the number of clusters; places: int64 [rows], where each row stands in the
    source's file, −1 where none does; edited: row → its state, for the blocks that an edit changed.
    """

    bank: Bank
    level: int
    ids: Indices
    places: Indices
    edited: Mapping[int, BlockState]
    blob: Blob

    @property
    def whole(self) -> bool:
        """Whether every cluster of the full tree has a row, so that none has to be named."""
        manifest = self.bank.manifest
        return len(self.ids) == manifest.levels[self.level - 1].clusters + manifest.generic


def level_rows(bank: Bank, level: int, kept: Indices, overlay: Overlay, blob: Blob) -> LevelRows:
    """The rows of a level when these clusters (ascending) are kept and the generic one is too, with the edits of an overlay."""
    file = read_header(inside(bank.folder, blocks_file(level)))
    count = bank.tree.count(level)
    stored = file.tensors["blocks"].shape[0]
    named = file.array("clusters", "I64", (stored,)) if "clusters" in file.tensors else np.arange(stored)
    ids = np.append(kept, count) if bank.has_generic(level) else kept
    at = np.minimum(np.searchsorted(named, ids), max(stored - 1, 0))
    held = named[at] == ids if stored else np.zeros(len(ids), bool)
    places = np.where(held, at, -1).astype(np.int64)
    edits = {cluster.index: state for cluster, state in overlay.items() if cluster.level == level}
    edited = {row: edits[index] for row, index in enumerate(kept.tolist()) if index in edits}
    return LevelRows(bank, level, ids.astype(np.int64), places, edited, blob)


def level_file(rows: LevelRows) -> Iterator[bytes]:
    """The bytes of the level's safetensors file, a piece at a time: the header, the ids, the scales, the blocks.

    Raises:
        UserError: the source cannot be read, or an edited block's numbers do not fit its dtype.
    """
    manifest, level, count = rows.bank.manifest, rows.level, len(rows.ids)
    columns = manifest.stored_columns(level)
    stored = (_STORED[manifest.dtype], [count, columns])
    parts: dict[str, tuple[str, list[int]]] = {} if rows.whole else {"clusters": ("I64", [count])}
    if manifest.quantised:
        parts["scales"] = ("F32", [count, manifest.layout(level).vectors])
    yield safetensors_header({**parts, "blocks": stored})
    source = read_header(inside(rows.bank.folder, blocks_file(level)))
    if not rows.whole:
        yield rows.ids.astype("<i8").tobytes()
    if manifest.quantised:
        yield from _tensor(rows, source, "scales")
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
    """The rows of one tensor: stretches that lie together in the source are read together."""
    entry = source.tensors[name]
    width = (entry.end - entry.begin) // max(entry.shape[0], 1)
    with source.path.open("rb") as stream:
        for first, last in _stretches(rows):
            if first in rows.edited:
                yield _edited(rows, first, name)
                continue
            stream.seek(entry.begin + int(rows.places[first]) * width)
            left = (last - first) * width
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


def _edited(rows: LevelRows, row: int, name: str) -> bytes:
    """What an edited block is stored as; name: its "blocks" or its "scales"."""
    import torch

    from memstudio.bank.block import quantise

    manifest = rows.bank.manifest
    block = burned(rows.bank, ClusterId(rows.level, int(rows.ids[row])), rows.edited[row], rows.blob)
    if not manifest.quantised:
        return block.contiguous().view(torch.uint8).numpy().tobytes()
    codes, scales = quantise(block.unsqueeze(0), manifest.hidden_size, 8 if manifest.dtype == "int8" else 4)
    return (codes if name == "blocks" else scales).contiguous().numpy().tobytes()


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
