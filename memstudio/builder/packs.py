"""What a training step reads: windows of one cluster packed into rows, with no attention across them.

Every window in a row counts its positions from 0; where positions start again the model's own mask begins a new sequence.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORE = -100
Ints = NDArray[np.int64]
Ids = Callable[[int, np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True)
class Batch:
    """paths: the cluster indices of each row, level after level. ids, positions, targets: int64 [B, T]; IGNORE where none counts."""

    paths: list[tuple[int, ...]]
    ids: Tensor
    positions: Tensor
    targets: Tensor


def epoch(windows: Ints, paths: Ints, lengths: Ints, sequence: int, rows: int, rng: np.random.Generator) -> list[list[list[int]]]:
    """Steps of at most `rows` packs, each pack the numbers of windows of one leaf, at most `sequence` tokens together; once each window.

    Packs of like length share a step, so that little is padded; both are in a new order each time.
    """
    packs: list[list[int]] = []
    order = windows[rng.permutation(len(windows))]
    order = order[np.argsort(paths[order, -1], kind="stable")]
    room, leaf = 0, -1
    for window in order.tolist():
        length = int(lengths[window])
        if paths[window, -1] != leaf or length > room:
            packs.append([])
            room, leaf = sequence, int(paths[window, -1])
        packs[-1].append(window)
        room -= length
    sizes = np.array([int(lengths[pack].sum()) for pack in packs]) + rng.normal(scale=8.0, size=len(packs))
    by_size = np.argsort(sizes)
    steps = [by_size[at : at + rows] for at in range(0, len(packs), rows)]
    return [[packs[at] for at in steps[number]] for number in rng.permutation(len(steps))]


def collate(packs: list[list[int]], ids_of: Ids, paths: Ints, rng: np.random.Generator, pad: int = 0) -> Batch:
    """The tensors of one step."""
    rows = [[ids_of(window, rng) for window in pack] for pack in packs]
    width = max(sum(map(len, row)) for row in rows)
    ids, targets = np.full((len(rows), width), pad, np.int64), np.full((len(rows), width), IGNORE, np.int64)
    positions = np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        at = 0
        for window in row:
            stop = at + len(window)
            ids[number, at:stop] = window
            targets[number, at : stop - 1] = window[1:]
            positions[number, at:stop] = np.arange(len(window))
            at = stop
    return Batch([tuple(paths[pack[0]].tolist()) for pack in packs], *map(torch.from_numpy, (ids, positions, targets)))


def epochs(make: Callable[[np.random.Generator], list[list[list[int]]]], seed: int) -> Iterator[list[list[int]]]:
    """Endless steps, epoch after epoch, each from its own seed."""
    number = 0
    while True:
        yield from make(np.random.default_rng([seed, number]))
        number += 1
