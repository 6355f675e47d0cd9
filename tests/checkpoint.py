"""A random bank in the published layout: W1, W2 [C+1][hidden][r], W3 [C+1][r][hidden], generic block last, and its tree."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny import DIM, HIDDEN, LAYERS, make_tree

CLUSTERS = (3, 9, 27)
UNIFORM = ((4, 4), (3, 3), (6, 6))
"""Widths a level and layer."""
RAMP = ((4, 8), (3, 6), (1, 2))
"""max(1, ⌊2·r·(i+1)/2⌋) for r = 4, 3 and 1, over the tiny anchor's two layers."""

Weights = dict[tuple[int, int, str], Tensor]
"""W1, W2, W3 by (layer, level, end); level 1 is the coarsest."""
Naming = Callable[[int, int, str], str]


def named(layer: int, level: int, end: str) -> str:
    """One way to name them."""
    return f"model.layers.{layer}.memory.{level}.{end}"


def make_weights(
    widths: Sequence[Sequence[int]] = UNIFORM, *, dtype: torch.dtype = torch.float32, seed: int = 0, clusters: Sequence[int] = CLUSTERS
) -> Weights:
    """Random weights; a level whose widths are all 0 has no tensors."""
    generator = torch.Generator().manual_seed(seed)
    found: Weights = {}
    for level, (count, row) in enumerate(zip(clusters, widths, strict=True), 1):
        for layer, r in enumerate(row) if any(row) else ():
            for end in ("W1", "W2", "W3"):
                shape = (count + 1, r, HIDDEN) if end == "W3" else (count + 1, HIDDEN, r)
                found[layer, level, end] = (torch.randn(shape, generator=generator) * 0.3).to(dtype)
    return found


def make_centroids(*, base: int = 1, documents: bool = True) -> dict[str, Tensor]:
    """`centroids.<level>` and `documents.<level>` of a random tree 3 × 3 × 3."""
    tree = make_tree([(count, 0) for count in CLUSTERS], seed=5)
    found = {f"centroids.{at}": torch.from_numpy(each) for at, each in enumerate(tree.centroids, base)}
    counts = {f"documents.{at}": torch.from_numpy(each) for at, each in enumerate(tree.documents, base)}
    return {**found, **counts} if documents else found


def tensors_of(weights: Weights, naming: Naming = named) -> dict[str, Tensor]:
    """The weights under their names."""
    return {naming(*place): tensor for place, tensor in weights.items()}


def save(path: Path, *parts: dict[str, Tensor]) -> Path:
    """A checkpoint of these tensors: safetensors, or what torch.save writes where the name ends in .pt."""
    tensors = {name: tensor for part in parts for name, tensor in part.items()}
    if path.suffix == ".pt":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    return path


__all__ = [
    "CLUSTERS", "DIM", "HIDDEN", "LAYERS", "RAMP", "UNIFORM", "Naming", "Weights",
    "make_centroids", "make_weights", "named", "save", "tensors_of",
]  # fmt: skip
