"""What each block is worth to a smaller bank, from figures that are known without running a model; and what stands in where none is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId

if TYPE_CHECKING:
    from memstudio.bank.tree import Tree

RankBy = Literal["effect", "use", "documents", "norm", "random"]
RANKINGS: tuple[RankBy, ...] = get_args(RankBy)
Floats = NDArray[np.float64]
_FLOOR = 1e-9


@dataclass(frozen=True, eq=False)
class Ranking:
    """A score of every cluster, float64 [clusters] a level, finite; reached: how many of them were measured and did not inherit."""

    name: RankBy
    scores: tuple[Floats, ...]
    reached: int


def by_documents(tree: Tree) -> Ranking:
    """The documents that a block was trained on."""
    scores = tuple(counts.astype(np.float64) for counts in tree.documents)
    return Ranking("documents", scores, sum(int((counts > 0).sum()) for counts in tree.documents))


def by_chance(tree: Tree, seed: int = 0) -> Ranking:
    """A draw for every block: what a ranking has to beat."""
    random = np.random.default_rng(seed)
    return Ranking("random", tuple(random.random(tree.count(level)) for level in range(1, tree.depth + 1)), 0)


def by_use(tree: Tree, routes: Sequence[tuple[ClusterId, ...]]) -> Ranking:
    """How many of these routes go through a block."""
    scores = [np.full(tree.count(level), np.nan) for level in range(1, tree.depth + 1)]
    for route in routes:
        for level, index in route:
            here = scores[level - 1]
            here[index] = np.nan_to_num(here[index]) + 1.0
    return inherited("use", tree, scores)


def inherited(name: RankBy, tree: Tree, scores: Sequence[Floats]) -> Ranking:
    """A ranking from figures of the blocks that were measured.

    A block that was not (NaN, or no finite number) takes its parent's score by its share of the parent's documents, and never 0: on
    level 1 the sum of the level by its share of that. A parent's score of 0 or below leaves it a trace, in the order of documents.
    """
    found: list[Floats] = []
    scores = [np.where(np.isfinite(each), each, np.nan) for each in scores]
    largest = max((float(np.nanmax(np.abs(each))) for each in scores if np.isfinite(each).any()), default=1.0) or 1.0
    above, whole = np.array([float(np.nansum(scores[0]))]), np.array([float(tree.documents[0].sum())])
    for level, each in enumerate(scores, 1):
        documents = tree.documents[level - 1].astype(np.float64)
        k = tree.branching[level - 1]
        share = documents / np.maximum(np.repeat(whole, k), 1.0)
        heir = np.maximum(np.repeat(above, k), largest * _FLOOR) * share
        found.append(np.where(np.isfinite(each), each, heir))
        above, whole = found[-1], documents
    return Ranking(name, tuple(found), sum(int(np.isfinite(each).sum()) for each in scores))
