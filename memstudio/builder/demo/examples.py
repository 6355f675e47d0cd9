"""Training examples: token ids with the part that is to be predicted, and batches of them that share a route."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORE = -100
Path = tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """ids [T]; loss counts from position `start`. `path`: the cluster index at each level that its key descends to.

    name: where the subject's name stands in the prompt (first, behind its last); None where there is none.
    """

    ids: tuple[int, ...]
    start: int
    path: Path = ()
    name: tuple[int, int] | None = None


def collate(examples: list[Example], pad: int) -> tuple[Tensor, Tensor]:
    """Right-padded ids int64 [B, T] and targets int64 [B, T]: the next token, IGNORE where none counts.

    Under a causal mask right padding cannot reach an earlier position, so no attention mask is needed.
    """
    width = max(len(example.ids) for example in examples) - 1
    ids = np.full((len(examples), width), pad, np.int64)
    targets = np.full((len(examples), width), IGNORE, np.int64)
    for row, example in enumerate(examples):
        n = len(example.ids) - 1
        ids[row, :n] = example.ids[:-1]
        targets[row, example.start - 1 : n] = example.ids[example.start :]
    return torch.from_numpy(ids), torch.from_numpy(targets)


class GroupSampler:
    """Endless batches of `groups` × `size` examples; the examples of a group share one leaf.

    Every example is met about once an epoch; a leaf's last group is filled from the same leaf.
    """

    def __init__(self, examples: list[Example], groups: int, size: int, seed: int) -> None:
        self._examples = examples
        self._groups, self._size = groups, size
        self._rng = np.random.default_rng(seed)
        self._lengths = np.array([len(example.ids) for example in examples])
        by_path: dict[Path, list[int]] = {}
        for i, example in enumerate(examples):
            by_path.setdefault(example.path, []).append(i)
        self._by_path = {path: np.array(rows) for path, rows in by_path.items()}
        self._queue: list[tuple[Path, NDArray[np.int64]]] = []

    def __iter__(self) -> Iterator[list[tuple[Path, list[Example]]]]:
        return self

    def __next__(self) -> list[tuple[Path, list[Example]]]:
        while len(self._queue) < self._groups:
            self._queue = self._epoch() + self._queue
        taken = [self._queue.pop() for _ in range(self._groups)]
        return [(path, [self._examples[i] for i in rows]) for path, rows in taken]

    def _epoch(self) -> list[tuple[Path, NDArray[np.int64]]]:
        chunks = []
        for path, rows in self._by_path.items():
            order = rows[np.argsort(self._jittered(self._lengths[rows]))]
            short = -len(order) % self._size
            order = np.concatenate([order, self._rng.choice(rows, short)]) if short else order
            chunks += [(path, chunk) for chunk in order.reshape(-1, self._size)]
        by_length = np.argsort(self._jittered(np.array([self._lengths[chunk].max() for _, chunk in chunks])))
        batches = np.array_split(by_length, max(1, len(chunks) // self._groups))
        return [chunks[i] for batch in self._rng.permutation(len(batches)) for i in batches[batch]]

    def _jittered(self, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Lengths, with ties and near ties in a new order each time: examples of like length share a batch, so little is padded."""
        return lengths + self._rng.normal(scale=1.0, size=len(lengths))
