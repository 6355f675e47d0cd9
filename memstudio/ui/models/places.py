"""Where clusters stand: the tree's arithmetic over the level arrays, without an object a cluster. Nothing here is a widget."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId
from memstudio.ui.selection import Mask
from memstudio.ui.shades import Floats, Shades
from memstudio.ui.snapshots import Indices, LevelView

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """The clusters with documents of a bank. Absent ones have no row anywhere."""

    levels: tuple[LevelView, ...] = ()

    @cached_property
    def present(self) -> tuple[Indices, ...]:
        """Indices int64 [present] a level, ascending."""
        return tuple(np.flatnonzero(level.documents > 0) for level in self.levels)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Clusters a level, the absent ones too."""
        return tuple(level.clusters for level in self.levels)

    def below(self, cluster: ClusterId | None) -> tuple[int, int]:
        """Positions [start, stop) of a cluster's children (None: of the coarsest clusters) in the present indices of the next level."""
        level = cluster.level if cluster else 0
        if level >= len(self.levels):
            return 0, 0
        k = self.levels[level].branching
        first = cluster.index * k if cluster else 0
        start, stop = np.searchsorted(self.present[level], [first, first + k])
        return int(start), int(stop)

    def parent(self, cluster: ClusterId) -> ClusterId | None:
        """The cluster above; None at the coarsest level."""
        if cluster.level == 1:
            return None
        return ClusterId(cluster.level - 1, cluster.index // self.levels[cluster.level - 1].branching)

    def row(self, cluster: ClusterId) -> int | None:
        """Which of its parent's present children a cluster is; None where it is absent or in no level of this bank."""
        if not 1 <= cluster.level <= len(self.levels):
            return None
        present = self.present[cluster.level - 1]
        place = int(np.searchsorted(present, cluster.index))
        if place == len(present) or present[place] != cluster.index:
            return None
        return place - self.below(self.parent(cluster))[0]


def fits(arrays: Sequence[Floats] | Sequence[Mask], sizes: Sequence[int]) -> bool:
    """Whether arrays a level belong to a tree of these sizes: what comes late, from a bank that was closed, does not."""
    return tuple(each.shape[0] for each in arrays) == tuple(sizes)


def peaks(shades: Shades, levels: Sequence[LevelView]) -> tuple[Floats, ...]:
    """The measure of largest magnitude beneath each cluster, itself and the absent ones left out: float32 [clusters] a level, NaN where
    none was measured."""
    found: list[Floats] = []
    below: Floats | None = None
    for every, level in zip(reversed(shades.values), reversed(levels), strict=True):
        values = np.where(level.documents > 0, every, np.float32(np.nan))
        beneath = np.full(values.shape, np.nan, np.float32)
        if below is not None and values.size and below.size:
            beneath = _strongest(below.reshape(values.shape[0], -1))
        found.append(beneath)
        below = _strongest(np.stack([values, beneath], axis=1)) if values.size else values
    return tuple(reversed(found))


def _strongest(groups: Floats) -> Floats:
    """groups: float32 [clusters, candidates] → float32 [clusters]."""
    magnitudes = np.where(np.isnan(groups), np.float32(-1), np.abs(groups))
    strongest: Floats = np.take_along_axis(groups, magnitudes.argmax(1)[:, None], axis=1)[:, 0]
    return strongest


def beneath(masks: Sequence[Mask]) -> tuple[Counts, ...]:
    """How many are True beneath each cluster, itself left out: int64 [clusters] a level."""
    found: list[Counts] = []
    below: Counts | None = None
    for mask in reversed(masks):
        inside = np.zeros(mask.shape, np.int64)
        if below is not None and mask.size and below.size:
            inside = below.reshape(mask.shape[0], -1).sum(1)
        found.append(inside)
        below = inside + mask
    return tuple(reversed(found))
