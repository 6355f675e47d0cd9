"""A bank folder back into the published layout, one safetensors file, bit for bit, written a piece at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.bank import Bank
from memstudio.bank.files import inside, read_header
from memstudio.bank.manifest import blocks_file
from memstudio.bank.rows import Rows, open_rows
from memstudio.errors import UserError

_DTYPES = {"float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2)}
_PLAIN: dict[int, type[np.uint16] | type[np.uint32]] = {2: np.uint16, 4: np.uint32}
_CHUNK_BYTES = 64 << 20

Bytes = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Written:
    """A file in the published layout: how many tensors of blocks it holds, their dtype, and its length."""

    path: Path
    tensors: int
    dtype: str
    bytes: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A tensor to come: header entry and its bytes, piece by piece."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    pieces: Callable[[], Iterator[Bytes]]


def write_published(bank: Bank, path: Path) -> Written:
    """Write the blocks and the tree of a bank as shipped into one safetensors file of the published layout.

    Names: `layers.<layer>.levels.<level>.W1`, `.W2` [C+1][hidden][r] and `.W3` [C+1][r][hidden], layer being the anchor's (from 0), level 1
    the coarsest, the generic block last ([C] rows where the bank has none), r = 0 where a level or a layer has no neurons;
    `centroids.<level>` float32 [C, dim] and `documents.<level>` int64 [C]. Importing the file gives the same blocks and the same tree.

    Raises:
        UserError: something is there already; an activation other than silu, integer blocks or a pruned bank, which the layout does not
            hold exactly; no room.
    """
    manifest = bank.manifest
    if path.exists() or path.is_symlink():
        raise UserError(f"{path}: is there already: choose another name, or remove it")
    if manifest.activation != "silu":
        raise UserError(f"{bank.folder}: its activation is {manifest.activation}: the published layout holds silu blocks alone")
    if manifest.quantised or manifest.coarser:
        dtypes = ", ".join((manifest.dtype, *manifest.coarser))
        raise UserError(f"{bank.folder}: its blocks are {dtypes}: the published layout holds float blocks alone")
    parts = [*_block_parts(bank), *_tree_parts(bank)]
    _stream(path, parts)
    count = sum(part.name.endswith(("W1", "W2", "W3")) for part in parts)
    return Written(path, count, manifest.dtype, path.stat().st_size)


def _block_parts(bank: Bank) -> Iterator[_Part]:
    """W1, W2, W3 of every layer and level, in the order of the bank's rows."""
    manifest = bank.manifest
    name, item = _DTYPES[manifest.dtype]
    for level in range(1, manifest.depth + 1):
        layout, rows, d = manifest.layout(level), _rows(bank, level), manifest.hidden_size
        count, at = bank.tree.count(level) + manifest.generic, 0
        for layer, r in zip(manifest.layers, layout.widths, strict=True):
            for end in ("W1", "W2", "W3"):
                shape = (count, r, d) if end == "W3" else (count, d, r)
                pieces = partial(_columns, rows, at, r, d, item, end != "W3")
                yield _Part(f"layers.{layer}.levels.{level}.{end}", name, shape, count * r * d * item, pieces)
                at += r * d * item


def _rows(bank: Bank, level: int) -> Rows | None:
    if not bank.manifest.layout(level).n:
        return None
    path = blocks_file(level)
    rows = open_rows({path: read_header(inside(bank.folder, path))}, bank.manifest, level)
    if rows is not None and rows.parts[0].ids is not None:
        raise UserError(f"{bank.folder}: a pruned bank: level {level} lacks blocks, and the published layout holds all of them")
    return rows


def _columns(rows: Rows | None, at: int, r: int, d: int, item: int, turned: bool) -> Iterator[Bytes]:
    """The same [r, d] of every row, in the layout's order: [d, r] where `turned`."""
    if rows is None or not r:
        return
    rows.file.check_unshrunk()
    raw, step = rows.file.rows("blocks"), max(1, _CHUNK_BYTES // (r * d * item))
    for start in range(0, raw.shape[0], step):
        part = np.ascontiguousarray(raw[start : start + step, at : at + r * d * item]).view(_PLAIN[item]).reshape(-1, r, d)
        yield np.ascontiguousarray(part.transpose(0, 2, 1)) if turned else part


def _tree_parts(bank: Bank) -> Iterator[_Part]:
    for level, (centroids, documents) in enumerate(zip(bank.tree.centroids, bank.tree.documents, strict=True), 1):
        yield _Part(f"centroids.{level}", "F32", centroids.shape, centroids.nbytes, partial(_whole, centroids))
        yield _Part(f"documents.{level}", "I64", documents.shape, documents.nbytes, partial(_whole, documents))


def _whole(array: Bytes) -> Iterator[Bytes]:
    yield np.ascontiguousarray(array)


def _stream(path: Path, parts: list[_Part]) -> None:
    """A safetensors file: 8 bytes of header length, the header as JSON padded with spaces to 8 bytes, then the tensors in order."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for part in parts:
        header[part.name] = {"dtype": part.dtype, "shape": list(part.shape), "data_offsets": [end, end + part.bytes]}
        end += part.bytes
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    beside = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if end > free:
            raise UserError(f"{path}: {end / 1e9:.2f} GB are needed, the disk has {free / 1e9:.2f} GB: make room")
        with beside.open("wb") as stream:
            stream.write(len(raw).to_bytes(8, "little") + raw)
            for part in parts:
                for piece in part.pieces():
                    stream.write(piece.data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        beside.unlink(missing_ok=True)
