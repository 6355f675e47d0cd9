"""A dense model: the anchor with the blocks of one route in its MLPs, an ordinary model folder that other programs load.

The weights are streamed from the anchor's files into files of the same names: gate and up projections get the blocks' neurons as rows,
down projections as columns, coarsest level first, then zeros up to the widest layer. All other tensors are copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from memstudio.anchor.widen import Widening
from memstudio.bank.files import TensorEntry, TensorFile, anchor_files, inside, read_header
from memstudio.errors import UserError
from memstudio.export.level import safetensors_header
from memstudio.export.pouring import PIECE_BYTES, Piece, Told, pour, read_pieces

Parts = tuple[Tensor, Tensor, Tensor]
DTYPES = {"float32": ("F32", torch.float32), "float16": ("F16", torch.float16), "bfloat16": ("BF16", torch.bfloat16)}
_TORCH = dict(DTYPES.values())
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, eq=False, slots=True)
class Dense:
    """What a dense model is made of.

    source: the anchor's folder. added: layer → (gate [r, d], up [r, d], down [r, d]) float32 of each block, coarsest first; a layer
    that is not there gets zeros alone. dtype: of the result (float32, float16, bfloat16); None: each tensor's own.
    """

    source: Path
    widening: Widening
    added: Mapping[int, Sequence[Parts]]
    dtype: str | None = None

    def stored(self, entry: TensorEntry) -> str:
        """What a tensor is stored as in the result."""
        return DTYPES[self.dtype][0] if self.dtype is not None and entry.dtype in _TORCH else entry.dtype


def write_dense(dense: Dense, folder: Path, told: Told) -> dict[str, str]:
    """Write the model's files, its README aside, into a folder that is there; each is synced. Memory stays small for a model of any size.

    Returns:
        the sha256 of each file by its name.

    Raises:
        UserError: the anchor cannot be read.
        OSError: the disk is full.
    """
    names = anchor_files(dense.source)
    weights = {name: read_header(inside(dense.source, name)) for name in names if name.endswith(".safetensors")}
    digests = {name: pour(folder / name, _weights(dense, file), told).sha256 for name, file in weights.items()}
    changed = {"config.json": _config(dense), INDEX: _index(dense, weights)}
    for name in names:
        if name not in weights:
            pieces = iter([_json(changed[name])]) if name in changed else read_pieces(inside(dense.source, name))
            digests[name] = pour(folder / name, pieces, told).sha256
    return digests


def dense_bytes(dense: Dense) -> int:
    """Bytes of the result's weights."""
    files = [read_header(inside(dense.source, name)) for name in anchor_files(dense.source) if name.endswith(".safetensors")]
    return sum(_size(dense, name, entry) for file in files for name, entry in file.tensors.items())


def rounds(dense: Dense) -> bool:
    """Whether some numbers, the blocks' or the anchor's own, do not fit the dtype in which the result holds them.

    Raises:
        UserError: some would be infinite in it, or the anchor cannot be read.
    """
    found = False
    for file in (read_header(inside(dense.source, name)) for name in anchor_files(dense.source) if name.endswith(".safetensors")):
        for name, entry in file.tensors.items():
            stored = _TORCH.get(dense.stored(entry))
            if stored is not None:
                for numbers in _numbers(dense, file, name, entry):
                    held = numbers.to(stored)
                    if not held[numbers.isfinite()].isfinite().all():
                        raise UserError(f"--dtype {dense.dtype or 'as stored'}: numbers of {name} are infinite in it: choose float32")
                    found = found or not torch.equal(held.to(numbers.dtype), numbers)
    return found


def _numbers(dense: Dense, file: TensorFile, name: str, entry: TensorEntry) -> Iterator[Tensor]:
    """The numbers of a tensor that its dtype in the result may not hold: the blocks', and where that is a narrower one the anchor's."""
    layer, part, kind = dense.widening.parts.get(name, (-1, "", ""))
    if kind == "weight":
        yield _neurons(dense, layer, part)
    stored = _TORCH[dense.stored(entry)]
    if torch.promote_types(_TORCH[entry.dtype], stored) != stored:
        yield from (_tensor(piece, entry) for piece in _read(file, entry, PIECE_BYTES))


def _weights(dense: Dense, file: TensorFile) -> Iterator[Piece]:
    """A file of weights, a piece at a time: the header, then every tensor in the order in which it lies in the source."""
    tensors = dict(sorted(file.tensors.items(), key=lambda item: item[1].begin))
    shapes = {name: (dense.stored(entry), _shape(dense, name, entry)) for name, entry in tensors.items()}
    yield safetensors_header(shapes, {"format": "pt"})
    for name, entry in tensors.items():
        layer, part, kind = dense.widening.parts.get(name, (-1, "", ""))
        if kind == "weight" and part == "down_proj":
            yield from _wider(dense, file, entry, _neurons(dense, layer, part))
            continue
        yield from _copied(dense, file, entry)
        if kind == "weight":
            yield _bytes(_neurons(dense, layer, part), dense.stored(entry))
        elif kind == "bias":
            yield _bytes(torch.zeros(dense.widening.extra), dense.stored(entry))


def _shape(dense: Dense, name: str, entry: TensorEntry) -> list[int]:
    shape = list(entry.shape)
    if name in dense.widening.parts:
        shape[-1 if dense.widening.parts[name][1] == "down_proj" else 0] += dense.widening.extra
    return shape


def _size(dense: Dense, name: str, entry: TensorEntry) -> int:
    numbers = torch.Size(entry.shape).numel()
    item = (entry.end - entry.begin) // max(numbers, 1)
    if entry.dtype in _TORCH:
        item = _TORCH[dense.stored(entry)].itemsize
    return item * torch.Size(_shape(dense, name, entry)).numel()


def _neurons(dense: Dense, layer: int, part: str) -> Tensor:
    """The memory neurons of one projection, float32 [extra, d], zeros behind the last."""
    at = ("gate_proj", "up_proj", "down_proj").index(part)
    blocks = [parts[at] for parts in dense.added.get(layer, ())]
    hidden = next(part.shape[1] for each in dense.added.values() for parts in each for part in parts)
    found = torch.zeros(dense.widening.extra, hidden)
    if blocks:
        own = torch.cat(blocks)
        found[: len(own)] = own
    return found


def _copied(dense: Dense, file: TensorFile, entry: TensorEntry) -> Iterator[Piece]:
    """A tensor as it is, or in the dtype of the result."""
    stored = dense.stored(entry)
    for piece in _read(file, entry, PIECE_BYTES):
        yield piece if stored == entry.dtype else _bytes(_tensor(piece, entry), stored)


def _wider(dense: Dense, file: TensorFile, entry: TensorEntry, neurons: Tensor) -> Iterator[Piece]:
    """A down projection [d, inner] with the memory neurons as columns behind its own, some rows at a time."""
    inner, columns, row = entry.shape[1], neurons.T, (entry.end - entry.begin) // max(entry.shape[0], 1)
    stored, start = _TORCH[dense.stored(entry)], 0
    for piece in _read(file, entry, max(PIECE_BYTES // max(row, 1), 1) * row):
        own = _tensor(piece, entry).view(-1, inner)
        wide = torch.empty(len(own), inner + dense.widening.extra, dtype=stored)
        wide[:, :inner], wide[:, inner:] = own, columns[start : start + len(own)]
        yield _bytes(wide, dense.stored(entry))
        start += len(own)


def _read(file: TensorFile, entry: TensorEntry, at_once: int) -> Iterator[bytearray]:
    """The bytes of a tensor, so many at once (a multiple of its numbers' size)."""
    with file.path.open("rb") as stream:
        stream.seek(entry.begin)
        left = entry.end - entry.begin
        while left:
            file.check_unshrunk()
            piece = bytearray(min(left, at_once))
            if stream.readinto(piece) != len(piece):
                raise UserError(f"{file.path}: the file changed while it was read: export again")
            left -= len(piece)
            yield piece


def _tensor(piece: bytearray, entry: TensorEntry) -> Tensor:
    return torch.frombuffer(piece, dtype=_TORCH[entry.dtype])


def _bytes(tensor: Tensor, stored: str) -> memoryview:
    """The bytes of a tensor in a dtype, without a copy where it has that already."""
    return tensor.to(_TORCH[stored]).contiguous().view(-1).view(torch.uint8).numpy().data


def _config(dense: Dense) -> dict[str, object]:
    """config.json with the new width, and the dtype where another one was asked for."""
    config = dict(dense.widening.config)
    if dense.dtype is None:
        return config
    nested = config.get("text_config")
    if isinstance(nested, dict):
        config["text_config"] = {**nested, **_dtype_key(nested, dense.dtype)}
    return {**config, **_dtype_key(config, dense.dtype)}


def _dtype_key(config: Mapping[str, object], dtype: str) -> dict[str, object]:
    """The dtype under the key that a configuration uses; older programs know the second alone."""
    return {"dtype": dtype} if "dtype" in config else {"torch_dtype": dtype}


def _index(dense: Dense, files: Mapping[str, TensorFile]) -> dict[str, object]:
    """The list of which tensor lies in which file."""
    names = {name: file for file, header in files.items() for name in header.tensors}
    return {"metadata": {"total_size": dense_bytes(dense)}, "weight_map": dict(sorted(names.items()))}


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
