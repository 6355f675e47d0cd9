"""The order in which a growing budget takes the blocks of a tree: the best score a byte first, a parent always before its children.

A child may be worth far more than the parent that it needs, so what is compared is the best beginning of a subtree, not a single block:
bottom up, a block is merged with the blocks below it that are worth more a byte (Horn 1972, SIAM J. Appl. Math. 23:189).

A block may be taken in steps, from a coarse precision to a fine one: a step needs the one before it, the first one needs the parent's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Group(NamedTuple):
    """Steps that are taken together. worth: minus the score a byte; top: the number of the uppermost, which breaks ties."""

    worth: float
    top: int
    score: float
    bytes: int
    blocks: list[int]


def best_first(
    branching: Sequence[int], masks: Sequence[NDArray[np.bool_]], scores: Sequence[NDArray[np.float64]], sizes: Sequence[int]
) -> tuple[Indices, Indices]:
    """Levels and indices int64 [blocks] of the blocks under the masks, in the order in which they are taken.

    masks: bool [clusters] a level; scores: float64 [clusters] a level; sizes: bytes of a block, a level. A block whose parent is not
    under the masks stands below its nearest ancestor that is.
    """
    each = [np.full(len(mask), size, np.int64) for mask, size in zip(masks, sizes, strict=True)]
    levels, indices, _ = best_steps(branching, masks, [scores], [each])
    return levels, indices


def best_steps(
    branching: Sequence[int],
    masks: Sequence[NDArray[np.bool_]],
    scores: Sequence[Sequence[Floats]],
    sizes: Sequence[Sequence[Indices]],
    there: Sequence[NDArray[np.bool_]] | None = None,
) -> tuple[Indices, Indices, Indices]:
    """Levels, indices and steps int64 [steps of all blocks], in the order in which they are taken: as `best_first`, in steps.

    scores, sizes: what each step adds, step after step, then level after level: float64 and int64 (above 0) [clusters].
    there: bool [clusters] a level: blocks (under none of the masks) whose first step was taken before; their other steps need nothing else.
    """
    starts = np.concatenate([[0], np.cumsum([len(mask) for mask in masks])]).astype(np.int64)
    parents, total = _parents(branching, masks, starts), int(starts[-1])
    below: dict[int, list[list[_Group]]] = {}

    def finer(level: int, index: int, block: int) -> list[_Group]:
        above: list[_Group] = []
        for step in range(len(scores) - 1, 0, -1):
            score, size = float(scores[step][level - 1][index]), int(sizes[step][level - 1][index])
            above = _merged(_Group(-score / size, step * total + block, score, size, [step * total + block]), [above])
        return above

    for level in range(len(masks), 0, -1):
        start = int(starts[level - 1])
        for index in np.flatnonzero(masks[level - 1]).tolist():
            block, score, size = start + index, float(scores[0][level - 1][index]), int(sizes[0][level - 1][index])
            own = _Group(-score / size, block, score, size, [block])
            merged = _merged(own, [*below.pop(block, []), finer(level, index, block)])
            below.setdefault(int(parents[block]), []).append(merged)
        for index in np.flatnonzero(there[level - 1]).tolist() if there is not None else ():
            below.setdefault(-1, []).append(finer(level, index, start + index))
    order = np.array([number for group in sorted(chain.from_iterable(below.get(-1, []))) for number in group.blocks], np.int64)
    steps, blocks = order // total, order % total
    levels = np.searchsorted(starts, blocks, side="right").astype(np.int64)
    return levels, blocks - starts[levels - 1], steps


def _merged(own: _Group, chains: Sequence[list[_Group]]) -> list[_Group]:
    """The groups of a subtree, best first: its top block with what below it is worth more a byte than both together, then the rest."""
    rest = sorted(chain.from_iterable(chains))
    _, top, score, size, blocks = own
    taken = 0
    while taken < len(rest) and rest[taken].worth < -score / size:
        score += rest[taken].score
        size += rest[taken].bytes
        blocks += rest[taken].blocks
        taken += 1
    return [_Group(-score / size, top, score, size, blocks), *rest[taken:]]


def _parents(branching: Sequence[int], masks: Sequence[NDArray[np.bool_]], starts: Indices) -> Indices:
    """The number of the nearest ancestor under the masks, for every cluster; −1 where there is none."""
    above = np.full(1, -1, np.int64)
    found: list[Indices] = []
    for level, mask in enumerate(masks, 1):
        own = np.repeat(above, branching[level - 1])
        found.append(own)
        above = np.where(mask, starts[level - 1] + np.arange(len(mask)), own)
    return np.concatenate(found)
