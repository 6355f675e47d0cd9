"""Where each cluster lies in an icicle: one row a level, children under their parent, in numbers that no drawing is needed for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId
from memstudio.ui.snapshots import LevelView

Width = Literal["documents", "parameters", "use"]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
DEEPEST = 1e-9  # a view so narrow is still far from where float64 has no more digits
Direction = Literal["up", "down", "left", "right"]
Stretch = tuple[float, float]
"""What is in view: left and right in 0 … 1."""


@dataclass(frozen=True, eq=False)
class Layout:
    """starts, ends: float64 [clusters] a level, ascending, in 0 … 1; a cluster of no width has start = end."""

    starts: tuple[Floats, ...]
    ends: tuple[Floats, ...]

    @property
    def levels(self) -> int:
        return len(self.starts)

    @cached_property
    def narrowest(self) -> float:
        """The least width that a cluster has, 1 where none has any, `DEEPEST` at least: how far it is worth zooming."""
        found = (ends - starts for starts, ends in zip(self.starts, self.ends, strict=True))
        return max(DEEPEST, min((float(widths[widths > 0].min()) for widths in found if (widths > 0).any()), default=1.0))

    def span(self, cluster: ClusterId) -> Stretch:
        """Where a cluster begins and ends."""
        return float(self.starts[cluster.level - 1][cluster.index]), float(self.ends[cluster.level - 1][cluster.index])

    def at(self, level: int, x: float) -> ClusterId | None:
        """The cluster of a level that lies over x; None where none does."""
        ends = self.ends[level - 1]
        index = int(np.searchsorted(ends, x, side="right"))
        return ClusterId(level, index) if index < len(ends) and self.starts[level - 1][index] <= x else None


def lay_out(levels: Sequence[LevelView], width: Width, use: Sequence[NDArray[np.float32]] | None = None) -> Layout:
    """Clusters in proportion to their documents, the parameters of their subtree, or their use; absent ones have no width.

    use: float32 [clusters] a level, NaN where nothing was counted, None: nothing at all. Siblings that weigh nothing share their parent's
    width evenly.
    """
    weights = _weights(levels, width, use)
    starts: list[Floats] = []
    ends: list[Floats] = []
    for level, weight in zip(levels, weights, strict=True):
        parents = level.clusters // level.branching
        above = (starts[-1], ends[-1] - starts[-1]) if starts else (np.zeros(1), np.ones(1))
        families = weight.reshape(parents, level.branching)
        present = (level.documents > 0).reshape(families.shape)
        families = np.where(families.sum(1, keepdims=True) > 0, families, present)
        total = families.sum(1, keepdims=True)
        shares = np.divide(families, total, out=np.zeros_like(families), where=total > 0)
        after = np.minimum(np.cumsum(shares, axis=1), 1.0)
        before = np.concatenate([np.zeros((parents, 1)), after[:, :-1]], axis=1)
        starts.append((above[0][:, None] + above[1][:, None] * before).ravel())
        ends.append((above[0][:, None] + above[1][:, None] * after).ravel())
    return Layout(tuple(starts), tuple(ends))


def _weights(levels: Sequence[LevelView], width: Width, use: Sequence[NDArray[np.float32]] | None) -> list[Floats]:
    if width == "documents":
        return [level.documents.astype(np.float64) for level in levels]
    if width == "use":
        counted = use if use is not None else [np.zeros(level.clusters, np.float32) for level in levels]
        return [np.where(level.documents > 0, _counts(own), 0.0) for level, own in zip(levels, counted, strict=True)]
    weights = [np.where(level.documents > 0, float(level.block_bytes), 0.0) for level in levels]
    for at in range(len(levels) - 1, 0, -1):
        weights[at - 1] += weights[at].reshape(-1, levels[at].branching).sum(1)
    return weights


def _counts(own: NDArray[np.float32]) -> Floats:
    """Without what no width can be drawn from: NaN and negative are 0, infinite is as much as the most."""
    finite = own[np.isfinite(own)]
    most = max(float(finite.max()), 0.0) if finite.size else 1.0
    found: Floats = np.clip(np.nan_to_num(own.astype(np.float64), nan=0.0, posinf=most, neginf=0.0), 0.0, None)
    return found


@dataclass(frozen=True, eq=False)
class Columns:
    """What of a level lies under each pixel column: clusters first … last, both included (int64 [pixels]); last < first: none does."""

    first: Indices
    last: Indices

    def largest(self, values: NDArray[np.floating], *, signed: bool) -> NDArray[np.float32]:
        """The largest value (of the largest magnitude where signed) beneath each column, float32; NaN where none was measured."""
        key = np.abs(values) if signed else values
        padded = np.append(np.nan_to_num(key, nan=-np.inf, posinf=np.inf, neginf=-np.inf), -np.inf)
        top = self._reduce(np.maximum, padded)
        if not signed:
            return np.where(np.isneginf(top), np.nan, top).astype(np.float32)
        high = self._reduce(np.maximum, np.append(np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf), -np.inf))
        found = np.where(high >= top, high, -top)
        return np.where(np.isneginf(top), np.nan, found).astype(np.float32)

    def hottest(self, values: NDArray[np.floating], column: int, *, signed: bool) -> int | None:
        """Whose value `largest` shows in a column; None where none was measured."""
        first, last = int(self.first[column]), int(self.last[column])
        found = values[first : last + 1] if last >= first else values[:0]
        if not (~np.isnan(found)).any():
            return None
        return first + int(np.nanargmax(np.abs(found) if signed else found))

    def any(self, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a marked cluster lies beneath each column."""
        before = np.concatenate([[0], np.cumsum(marks)])
        return before[np.maximum(self.last + 1, self.first)] > before[self.first]

    def _reduce(self, how: np.ufunc, padded: Floats) -> Floats:
        pairs = np.empty(2 * len(self.first), np.int64)
        pairs[0::2] = self.first
        pairs[1::2] = np.maximum(self.last + 1, self.first)
        found: Floats = how.reduceat(padded, pairs)[::2]
        return np.where(self.last < self.first, -np.inf, found)


def columns(starts: Floats, ends: Floats, left: float, right: float, pixels: int) -> Columns:
    """What of a level lies under `pixels` columns of the view left … right."""
    edges = left + (right - left) * np.arange(pixels + 1) / pixels
    first = np.searchsorted(ends, edges[:-1], side="right")
    last = np.searchsorted(starts, edges[1:], side="left") - 1
    return Columns(first, last)


def wide(starts: Floats, ends: Floats, left: float, right: float, least: float) -> Indices:
    """The clusters of a level that are in view and at least so wide, ascending."""
    low, high = np.searchsorted(ends, left, side="right"), np.searchsorted(starts, right, side="left")
    return low + np.flatnonzero(ends[low:high] - starts[low:high] >= least)


def path(levels: Sequence[LevelView], cluster: ClusterId | None) -> tuple[ClusterId, ...]:
    """A cluster and those above it, coarsest first; () for None."""
    found: list[ClusterId] = []
    while cluster is not None:
        found.insert(0, cluster)
        above = ClusterId(cluster.level - 1, cluster.index // levels[cluster.level - 1].branching)
        cluster = above if above.level else None
    return tuple(found)


def step(levels: Sequence[LevelView], layout: Layout, current: ClusterId, direction: Direction) -> ClusterId | None:
    """The parent, the first child that is there, or the neighbour along the level; None where there is none."""
    level, index = current
    if direction == "up":
        return path(levels, current)[-2] if level > 1 else None
    if direction == "down":
        if level == len(levels):
            return None
        below = levels[level]
        first = index * below.branching
        there = np.flatnonzero(_drawn(layout, level + 1)[first : first + below.branching])
        return ClusterId(level + 1, first + int(there[0])) if there.size else None
    there = np.flatnonzero(_drawn(layout, level))
    left, right = int(np.searchsorted(there, index)) - 1, int(np.searchsorted(there, index, side="right"))
    place = right if direction == "right" else left
    return ClusterId(level, int(there[place])) if 0 <= place < len(there) else None


def _drawn(layout: Layout, level: int) -> NDArray[np.bool_]:
    drawn: NDArray[np.bool_] = layout.ends[level - 1] > layout.starts[level - 1]
    return drawn


def between(start: Stretch, goal: Stretch, share: float) -> Stretch:
    """The view on its way: the place that stays where it is stays there all along, so that a zoom runs around the cursor."""
    was, will = start[1] - start[0], goal[1] - goal[0]
    if abs(will - was) < 1e-3 * max(was, will):
        return start[0] + (goal[0] - start[0]) * share, start[1] + (goal[1] - start[1]) * share
    still = (start[0] * will - goal[0] * was) / (will - was)
    grown = (will / was) ** share
    return still - (still - start[0]) * grown, still + (start[1] - still) * grown


def rooted(layout: Layout, view: Stretch) -> ClusterId | None:
    """The deepest cluster that the view does not look beyond; None for the whole bank."""
    slack = 1e-6 * (view[1] - view[0])
    found: ClusterId | None = None
    if view[1] - view[0] >= 1.0:
        return None
    for level in range(1, layout.levels + 1):
        cluster = layout.at(level, (view[0] + view[1]) / 2)
        if cluster is None or layout.span(cluster)[0] > view[0] + slack or layout.span(cluster)[1] < view[1] - slack:
            break
        found = cluster
    return found
