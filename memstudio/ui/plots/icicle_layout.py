"""Where each cluster lies in an icicle: one row a level, children under their parent, in numbers that no drawing is needed for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId
from memstudio.ui.snapshots import LevelView

Width = Literal["documents", "parameters", "use"]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layout:
    """starts, ends: float64 [clusters] a level, ascending, in 0 … 1; a cluster of no width has start = end."""

    starts: tuple[Floats, ...]
    ends: tuple[Floats, ...]

    @property
    def levels(self) -> int:
        return len(self.starts)

    def span(self, cluster: ClusterId) -> tuple[float, float]:
        """Where a cluster begins and ends."""
        return float(self.starts[cluster.level - 1][cluster.index]), float(self.ends[cluster.level - 1][cluster.index])

    def at(self, level: int, x: float) -> ClusterId | None:
        """The cluster of a level that lies over x; None where none does."""
        ends = self.ends[level - 1]
        index = int(np.searchsorted(ends, x, side="right"))
        return ClusterId(level, index) if index < len(ends) and self.starts[level - 1][index] <= x else None


def lay_out(levels: Sequence[LevelView], width: Width, use: Sequence[NDArray[np.float32]] | None = None) -> Layout:
    """Clusters in proportion to their documents, the parameters of their subtree, or their use; absent ones have no width.

    use: float32 [clusters] a level, NaN where nothing was counted. Siblings that weigh nothing share their parent's width evenly.
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
    if width == "use" and use is not None:
        return [np.where(level.documents > 0, np.nan_to_num(own, nan=0.0, posinf=0.0), 0.0) for level, own in zip(levels, use, strict=True)]
    weights = [np.where(level.documents > 0, float(level.block_bytes), 0.0) for level in levels]
    for at in range(len(levels) - 1, 0, -1):
        weights[at - 1] += weights[at].reshape(-1, levels[at].branching).sum(1)
    return weights


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
