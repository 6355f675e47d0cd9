"""A bank in the published layout as it lies in a checkpoint: levels, layers, widths and tree, all checked before a block is read.

For each memory-carrying layer and each level: W1, W2 [C+1][hidden][r] and W3 [C+1][r][hidden], the generic block last, the clusters of a
level numbered parent·k + local. A block adds W3ᵀ(silu(x·W1) ⊙ (x·W2)); a linear ramp gives layer i of L the width
max(1, ⌊2·r·(i+1)/L⌋) (method.md, Memory kinds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.builder.published_files import Checkpoint, Stored, open_checkpoint
from memstudio.builder.published_names import ENDS, Key, Piece, level_of, pieces, tree_parts
from memstudio.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

FLOATS = ("float32", "float16", "bfloat16")
_CENTROIDS = (*FLOATS, "float64")
_COUNTS = ("int64", "int32", "int16", "uint8")
_MAX_LEVELS = 8
_MAX_WIDTH = 100_000
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class PublishedTree:
    """centroids float32 [clusters, dim] and documents int64 [clusters] a level; branching: children of a parent, a level."""

    centroids: tuple[NDArray[np.float32], ...]
    documents: tuple[NDArray[np.int64], ...]
    branching: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Clusters of each level."""
        return tuple(len(each) for each in self.documents)


@dataclass(frozen=True, slots=True)
class PublishedLevel:
    """One level: its clusters, the width in each layer that carries memory, and W1, W2, W3 of each of these (none at width 0)."""

    clusters: int
    widths: tuple[int, ...]
    weights: tuple[tuple[Stored, Stored, Stored], ...]


@dataclass(frozen=True, slots=True)
class Published:
    """What a checkpoint holds. dtypes: those of its blocks. not_mapped: tensors that are part of neither blocks nor tree."""

    path: Path
    hidden_size: int
    layers: tuple[int, ...]
    levels: tuple[PublishedLevel, ...]
    generic: bool
    dtypes: tuple[str, ...]
    tree: PublishedTree
    not_mapped: tuple[Stored, ...]

    @property
    def dtype(self) -> str:
        """The dtype that holds every block exactly."""
        return self.dtypes[0] if len(self.dtypes) == 1 else "float32"


def read_published(path: Path, tree: Path | None, *, dim: int) -> Published:
    """Find the blocks and the tree in a checkpoint (safetensors, a folder of shards, or a torch file); reads the tree, no block.

    tree: a file with `centroids.<level>` [clusters, dim] or [parents, k, dim] and, where known, `documents.<level>` [clusters]; None: they
    are in the checkpoint. dim: what the retriever's keys have. A level of the tree that has no tensors has width 0.

    Raises:
        UserError: an unreadable file, no blocks, no tree or one that does not fit, a missing piece, a wrong shape or dtype.
    """
    checkpoint = open_checkpoint(path)
    found = pieces(checkpoint.tensors.values())
    if not found:
        need = "W1, W2, W3 of three sides, with a layer number as in layers.0.memory.1.W1"
        raise UserError(f"{path}: no blocks among its {len(checkpoint.tensors)} tensors: they are {need}")
    asked = checkpoint if tree is None else open_checkpoint(tree)
    grown = _tree(asked, dim)
    rows = _rows(path, found)
    try:
        levels, generic = level_of(rows, grown.counts)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    layers = tuple(sorted({piece.layer for piece in found}))
    by_level = _by_level(path, found, levels)
    hidden = found[0].tensor.shape[1 if found[0].end != "W3" else 2]
    whole = tuple(_level(path, at, count, layers, by_level.get(at, {}), hidden) for at, count in enumerate(grown.counts, 1))
    _check_bytes(checkpoint, found)
    used = {piece.tensor.name for piece in found} | (set(_tree_names(checkpoint)) if tree is None else set())
    left = tuple(tensor for name, tensor in sorted(checkpoint.tensors.items()) if name not in used)
    dtypes = tuple(sorted({piece.tensor.dtype for piece in found}))
    return Published(path, hidden, layers, whole, generic, dtypes, grown, left)


def block_rows(published: Published, level: int, dtype: str) -> Iterator[Tensor]:
    """The rows of a level as the bank format has them (layer after layer W1ᵀ, W2ᵀ, W3), [some rows, n] at a time, in a float dtype.

    Raises:
        UserError: a block holds NaN or infinity, or does so in this dtype.
    """
    import torch

    spec, d = published.levels[level - 1], published.hidden_size
    n, count = 3 * d * sum(spec.widths), spec.clusters + published.generic
    step = max(1, _CHUNK_BYTES // max(1, 4 * n))
    for start in range(0, count if n else 0, step):
        stop, at = min(count, start + step), 0
        rows = torch.empty(stop - start, n, dtype=getattr(torch, dtype))
        for width, weights in zip(spec.widths, spec.weights, strict=True):
            for end, stored in zip(ENDS, weights, strict=True):
                values = stored.read(start, stop)
                target = rows[:, at : at + width * d].view(stop - start, width, d)
                target.copy_(values if end == "W3" else values.transpose(1, 2))
                _check_finite(published.path, stored, values, target, level, start, spec.clusters)
                at += width * d
        yield rows


def ramp_of(widths: tuple[int, ...], layers: tuple[int, ...], count: int) -> int | None:
    """The r of a linear ramp over `count` anchor layers that gives these layers these widths; None where there is none."""
    if not any(widths):
        return None
    top, layer = widths[-1], layers[-1] + 1
    near = range(max(1, top * count // (2 * layer)), (top + 1) * count // (2 * layer) + 2)
    return next((r for r in near if widths == tuple(max(1, 2 * r * (at + 1) // count) for at in layers)), None)


def _check_finite(path: Path, stored: Stored, values: Tensor, target: Tensor, level: int, start: int, clusters: int) -> None:
    import torch

    for tensor, say in ((values, "NaN or infinity"), (target, f"a number too large for {str(target.dtype).removeprefix('torch.')}")):
        good = torch.isfinite(tensor).flatten(1).all(1)
        if not bool(good.all()):
            index = start + int((~good).nonzero()[0])
            block = f"block {level}/{index}" if index < clusters else f"the generic block of level {level}"
            raise UserError(f"{path}: {stored.name!r:.160} holds {say} in {block}: {_mend(say)}")


def _mend(say: str) -> str:
    return "the checkpoint is damaged" if say.startswith("NaN") else "import it with --dtype bfloat16 or float32"


def _rows(path: Path, found: list[Piece]) -> dict[Key, int]:
    """The first side of the tensors of each key, which must be one."""
    rows: dict[Key, Piece] = {}
    for piece in found:
        first = rows.setdefault(piece.key, piece)
        if first.tensor.shape[0] != piece.tensor.shape[0]:
            one, other = first.tensor, piece.tensor
            raise UserError(f"{path}: {one.name!r:.120} has {one.shape[0]} rows, {other.name!r:.120} of the same level {other.shape[0]}")
    return {key: piece.tensor.shape[0] for key, piece in rows.items()}


def _by_level(path: Path, found: list[Piece], levels: Mapping[Key, int]) -> dict[int, dict[tuple[int, str], Stored]]:
    """For each level its tensors by (layer, end)."""
    by_level: dict[int, dict[tuple[int, str], Stored]] = {}
    for piece in found:
        place = by_level.setdefault(levels[piece.key], {})
        other = place.setdefault((piece.layer, piece.end), piece.tensor)
        if other is not piece.tensor:
            one = f"{other.name!r:.120} and {piece.tensor.name!r:.120}"
            raise UserError(f"{path}: {one} are both {piece.end} of layer {piece.layer}, level {levels[piece.key]}")
    return by_level


def _level(
    path: Path, level: int, clusters: int, layers: tuple[int, ...], tensors: Mapping[tuple[int, str], Stored], hidden: int
) -> PublishedLevel:
    if not tensors:
        return PublishedLevel(clusters, (0,) * len(layers), ())
    missing = [f"{end} of layer {layer}" for layer in layers for end in ENDS if (layer, end) not in tensors]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(f"{path}: level {level}: {missing[0]}{more} missing: a part of the checkpoint is not here")
    weights = [(tensors[layer, "W1"], tensors[layer, "W2"], tensors[layer, "W3"]) for layer in layers]
    widths = tuple(triple[0].shape[2] for triple in weights)
    for width, triple in zip(widths, weights, strict=True):
        for end, stored in zip(ENDS, triple, strict=True):
            _check_tensor(path, stored, (hidden, width) if end != "W3" else (width, hidden), end)
    return PublishedLevel(clusters, widths, tuple(weights) if any(widths) else ())


def _check_tensor(path: Path, stored: Stored, sides: tuple[int, int], end: str) -> None:
    name = f"{path}: {stored.name!r:.160}"
    if stored.shape[1:] != sides:
        raise UserError(f"{name} is {list(stored.shape)}, as {end} it must be {[stored.shape[0], *sides]}")
    if max(sides) > _MAX_WIDTH:
        raise UserError(f"{name} is {list(stored.shape)}: no block is that wide")
    if stored.dtype not in FLOATS:
        raise UserError(f"{name} is {stored.dtype}: blocks are read as {', '.join(FLOATS)}")
    if not stored.whole:
        raise UserError(f"{name}: its file does not hold all the numbers that its shape {list(stored.shape)} promises")


def _check_bytes(checkpoint: Checkpoint, found: list[Piece]) -> None:
    """Tensors that share their bytes could ask for any amount of memory."""
    asked = sum(prod(piece.tensor.shape) * (4 if piece.tensor.dtype == "float32" else 2) for piece in found)
    if asked > checkpoint.file_bytes:
        raise UserError(f"{checkpoint.path}: its blocks come to {asked} bytes, the file has {checkpoint.file_bytes}: they share storage")


def _tree_names(checkpoint: Checkpoint) -> Iterator[str]:
    for part in tree_parts(checkpoint.tensors.values()):
        yield from (stored.name for stored in part.values())


def _tree(checkpoint: Checkpoint, dim: int) -> PublishedTree:
    centroids, documents = tree_parts(checkpoint.tensors.values())
    if not centroids:
        need = f"centroids.<level> [clusters, {dim}] for each level (and documents.<level> [clusters], if known)"
        raise UserError(f"{checkpoint.path}: no tree in it: give one with --tree FILE, which holds {need}")
    base = min(centroids)
    if base > 1 or sorted(centroids) != list(range(base, base + len(centroids))) or len(centroids) > _MAX_LEVELS:
        numbers = ", ".join(map(str, sorted(centroids)[:12]))
        raise UserError(f"{checkpoint.path}: centroids of levels {numbers}: must be all levels, at most {_MAX_LEVELS}, from 0 or from 1")
    if unknown := sorted(set(documents) - set(centroids)):
        raise UserError(f"{checkpoint.path}: {documents[unknown[0]].name!r:.120} names a level that has no centroids")
    rows, counts, branching = [], [], []
    above = 1
    for number in sorted(centroids):
        values = _centroids(checkpoint.path, centroids[number], above, dim)
        rows.append(values)
        counts.append(_documents(checkpoint.path, documents.get(number), len(values)))
        branching.append(len(values) // above)
        above = len(values)
    return PublishedTree(tuple(rows), tuple(counts), tuple(branching))


def _centroids(path: Path, stored: Stored, above: int, dim: int) -> NDArray[np.float32]:
    name, shape = f"{path}: {stored.name!r:.120}", stored.shape
    if stored.dtype not in _CENTROIDS or not stored.whole or len(shape) not in (2, 3) or shape[-1] != dim or not prod(shape):
        raise UserError(f"{name} is {stored.dtype} {list(shape)}: must be float [clusters, {dim}] or [parents, k, {dim}], as keys are")
    clusters = prod(shape[:-1])
    if clusters % above or (len(shape) == 3 and shape[0] != above):
        raise UserError(f"{name} is {list(shape)}: its clusters are not the same number for each of the {above} above")
    values: NDArray[np.float32] = stored.read(0, shape[0]).float().numpy().reshape(clusters, dim)
    if not (good := np.isfinite(values).all(1)).all():
        raise UserError(f"{name}: the centroid of cluster {int(np.flatnonzero(~good)[0])} holds NaN or infinity: the tree is damaged")
    return values


def _documents(path: Path, stored: Stored | None, clusters: int) -> NDArray[np.int64]:
    """How many documents each cluster has; 1 where nobody says."""
    if stored is None:
        return np.ones(clusters, np.int64)
    if stored.dtype not in _COUNTS or prod(stored.shape) != clusters or not stored.whole:
        raise UserError(f"{path}: {stored.name!r:.120} is {stored.dtype} {list(stored.shape)}: must be whole numbers [{clusters}]")
    values: NDArray[np.int64] = stored.read(0, stored.shape[0]).long().numpy().reshape(clusters)
    if values.min() < 0 or not values.any():
        raise UserError(f"{path}: {stored.name!r:.120} holds no count of documents: at least 0 each, and not all 0")
    return values
