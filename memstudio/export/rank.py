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
_FEWEST = 20
"""Measured blocks of a level from which on a line through them is trusted."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """A score of every cluster, float64 [clusters] a level, finite; reached: how many of them were measured and did not inherit.

    of: which prompts were asked, where they are not the bank's own.
    """

    name: RankBy
    scores: tuple[Floats, ...]
    reached: int
    of: str = ""

    @property
    def title(self) -> str:
        """What blocks are ranked by, as a plan and a model card say it."""
        return f"{self.name}, {self.of}" if self.of else self.name


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
    counts = [np.zeros(tree.count(level), np.int64) for level in range(1, tree.depth + 1)]
    for route in routes:
        for level, index in route:
            counts[level - 1][index] += 1
    return by_counts(tree, counts)


def by_counts(tree: Tree, counts: Sequence[NDArray[np.int64]]) -> Ranking:
    """How many prompts fetched a block, int64 [clusters] a level; a block that none did was not reached."""
    return inherited("use", tree, [np.where(each > 0, each.astype(np.float64), np.nan) for each in counts])


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


def steadied(sums: Sequence[Floats], noises: Sequence[Floats], energies: Sequence[Floats]) -> list[Floats]:
    """Sums over a sample of facts, drawn toward what blocks of such an energy have, by as much as chance may account for their spread.

    A block is asked by few facts, and which of them are in the sample is chance; but what a block was taught also shows in its energy, its
    squared norm, to which every fact adds. Level by level, as small areas of a survey are estimated (Fay and Herriot 1979, JASA 74:269): a
    block has line + w · (sum − line), where line is the least-squares line of the sums over the energies and w = max(0, 1 − v / s²), v
    being the mean of the noises and s² the variance of the sums about the line (n − 2 degrees of freedom). A level with fewer than
    `_FEWEST` measured blocks stays as it is.

    sums, noises (the variances that chance gives the sums), energies: float64 [clusters] a level, NaN where nothing was measured.
    """
    return [_steadied(*level) for level in zip(sums, noises, energies, strict=True)]


def _steadied(sums: Floats, noises: Floats, energies: Floats) -> Floats:
    known = np.isfinite(sums) & np.isfinite(noises) & np.isfinite(energies)
    count = int(known.sum())
    if count < _FEWEST:
        return sums
    off, y = energies[known] - energies[known].mean(), sums[known]
    slope = float(off @ y) / (float(off @ off) or 1.0)
    line = np.maximum(y.mean() + slope * off, 0.0)
    spread = float(((y - line) ** 2).sum()) / (count - 2)
    weight = max(0.0, 1.0 - float(noises[known].mean()) / spread) if spread else 1.0
    found = sums.copy()
    found[known] = line + weight * (y - line)
    return found
