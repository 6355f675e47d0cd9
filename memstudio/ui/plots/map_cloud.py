"""Where each cluster lies on the map, as flat arrays: what is in view, near, or has room for a label needs no drawing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId
from memstudio.ui.snapshots import LevelView

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

DEEPEST = 20_000.0
"""How many times larger than the whole one can look."""
_MARGIN = 1.1
_TRIED = 600


@dataclass(frozen=True, eq=False)
class Cloud:
    """All clusters that have a place, coarsest level first. places: float64 [n, 2]; levels, indices, documents: int64 [n]; sizes: clusters
    a level, absent ones included."""

    sizes: tuple[int, ...] = ()
    places: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    levels: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    indices: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    documents: Indices = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def count(self) -> int:
        return len(self.levels)

    @cached_property
    def heaviest(self) -> Indices:
        """Rows, most documents first; of equals the coarser first."""
        return np.argsort(-self.documents, kind="stable")

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, greatest x and y; of no points the whole map's."""
        x, y = self.places.T
        return (float(x.min()), float(y.min()), float(x.max()), float(y.max())) if self.count else (-1.0, -1.0, 1.0, 1.0)

    @cached_property
    def _rows(self) -> tuple[Indices, ...]:
        rows = [np.full(size, -1, np.int64) for size in self.sizes]
        for level, own in enumerate(rows, 1):
            here = np.flatnonzero(self.levels == level)
            own[self.indices[here]] = here
        return tuple(rows)

    def row(self, cluster: ClusterId) -> int | None:
        """The row of a cluster; None where it is absent or none of this bank's."""
        if not 1 <= cluster.level <= len(self.sizes) or not 0 <= cluster.index < self.sizes[cluster.level - 1]:
            return None
        row = int(self._rows[cluster.level - 1][cluster.index])
        return row if row >= 0 else None

    def cluster(self, row: int) -> ClusterId:
        """The cluster of a row."""
        return ClusterId(int(self.levels[row]), int(self.indices[row]))

    def flat(self, levels: Sequence[NDArray[Scalar]]) -> NDArray[Scalar]:
        """One array [n] from one array [clusters] a level, of which there is one at least."""
        return np.concatenate([own[self.indices[self.levels == level]] for level, own in enumerate(levels, 1)])

    def masks(self, found: Mask) -> tuple[Mask, ...]:
        """Marked rows, bool [n], as bool [clusters] a level."""
        made = tuple(np.zeros(size, bool) for size in self.sizes)
        for level, own in enumerate(made, 1):
            own[self.indices[found & (self.levels == level)]] = True
        return made

    def of_levels(self, levels: frozenset[int]) -> Mask:
        """Rows of these levels, bool [n]."""
        return np.array([level in levels for level in range(len(self.sizes) + 1)])[self.levels]


def gather(levels: Sequence[LevelView], points: Sequence[NDArray[np.float32]]) -> Cloud | None:
    """The clusters of a bank at these points, float32 [clusters, 2] a level; None where the two do not fit each other."""
    sizes = tuple(level.clusters for level in levels)
    if tuple(len(each) for each in points) != sizes:
        return None
    present = [np.flatnonzero((level.documents > 0) & np.isfinite(each).all(1)) for level, each in zip(levels, points, strict=True)]
    return Cloud(
        sizes,
        np.concatenate([each[own] for each, own in zip(points, present, strict=True)]).astype(np.float64),
        np.repeat(np.arange(1, len(sizes) + 1), [len(own) for own in present]),
        np.concatenate(present),
        np.concatenate([level.documents[own] for level, own in zip(levels, present, strict=True)]),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """What of the map is in view: (x, y) lies in the middle of width × height pixels, `scale` pixels stand for 1; y grows upwards."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 100.0
    width: int = 1
    height: int = 1

    def on_screen(self, places: Floats) -> Floats:
        """Places [n, 2] as pixels [n, 2]."""
        spots = places * (self.scale, -self.scale)
        spots += (self.width / 2 - self.x * self.scale, self.height / 2 + self.y * self.scale)
        return spots

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The place of a pixel."""
        return self.x + (x - self.width / 2) / self.scale, self.y - (y - self.height / 2) / self.scale

    def holds(self, spots: Floats, room: float = 0.0) -> Mask:
        """Which pixels [n, 2] are in view, bool [n], or at most `room` outside it."""
        x, y = spots.T
        found: Mask = (x >= -room) & (y >= -room) & (x < self.width + room) & (y < self.height + room)
        return found

    def sized(self, width: int, height: int) -> "Look":
        """The same middle in another window, as much of the map in the shorter side."""
        width, height = max(1, width), max(1, height)
        return Look(self.x, self.y, self.scale * min(width, height) / min(self.width, self.height), width, height)

    def moved(self, right: float, down: float) -> "Look":
        """The map dragged by so many pixels."""
        return Look(self.x - right / self.scale, self.y + down / self.scale, self.scale, self.width, self.height)

    def zoomed(self, factor: float, x: float, y: float, whole: float) -> "Look":
        """Larger by a factor, with what lies under a pixel kept there; between a third and `DEEPEST` of the scale `whole`."""
        scale = min(max(self.scale * factor, whole / 3), whole * DEEPEST)
        at = self.place(x, y)
        return Look(at[0] - (x - self.width / 2) / scale, at[1] + (y - self.height / 2) / scale, scale, self.width, self.height)


def fitted(cloud: Cloud, width: int, height: int) -> Look:
    """All places in view, with a margin."""
    width, height = max(1, width), max(1, height)
    left, low, right, high = cloud.bounds
    across, up = max(right - left, 0.2) * _MARGIN, max(high - low, 0.2) * _MARGIN
    return Look((left + right) / 2, (low + high) / 2, min(width / across, height / up), width, height)


def nearest(cloud: Cloud, look: Look, x: float, y: float, shown: Mask, radii: Sequence[float], reach: float = 8.0) -> int | None:
    """The row whose disc is nearest to a pixel, `reach` pixels at most from its edge; radii: pixels a level."""
    away = np.hypot(*(look.on_screen(cloud.places) - (x, y)).T) - np.asarray([0.0, *radii])[cloud.levels]
    away[~shown] = np.inf
    row = int(away.argmin()) if len(away) else -1
    return row if row >= 0 and away[row] <= reach else None


def towards(cloud: Cloud, look: Look, row: int, right: int, down: int, shown: Mask) -> int | None:
    """The row that lies nearest in a direction, within 45 degrees of it; None where there is none."""
    spots = look.on_screen(cloud.places) - look.on_screen(cloud.places[row : row + 1])
    along = spots @ np.array([right, down], np.float64)
    aside = np.abs(spots @ np.array([down, right], np.float64))
    away = np.where(shown & (along > 0) & (aside <= along), along + 2 * aside, np.inf)
    best = int(away.argmin())
    return best if np.isfinite(away[best]) else None


def thinned(
    cloud: Cloud, look: Look, shown: Mask, radii: Sequence[float], width_of: Callable[[ClusterId], float], height: float, most: int
) -> list[tuple[int, float, float]]:
    """Which labels there is room for: rows, and how far right of and below the point the label begins, in pixels; most documents first,
    none over another."""
    spots = look.on_screen(cloud.places)
    inside = shown & look.holds(spots)
    rows = cloud.heaviest[inside[cloud.heaviest]][:_TRIED]
    cell = max(4, int(height / 3))
    taken = [0] * (look.height // cell + 2)  # a bit for each cell that a label covers, a number for each line of cells
    found: list[tuple[int, float, float]] = []
    for row, level, (x, y) in zip(rows.tolist(), cloud.levels[rows].tolist(), spots[rows].tolist(), strict=True):
        width, gap = width_of(cloud.cluster(row)), radii[level - 1] + 3
        for left, top in (
            (x + gap, y - height / 2),
            (x - gap - width, y - height / 2),
            (x - width / 2, y + gap),
            (x - width / 2, y - gap - height),
        ):
            if left < 2 or top < 2 or left + width > look.width - 2 or top + height > look.height - 2:
                continue
            first, last = max(0, int(left - 4)) // cell, int(left + width + 4) // cell
            bits, lines = (1 << last + 1) - (1 << first), range(int(top) // cell, int(top + height) // cell + 1)
            if not any(taken[line] & bits for line in lines):
                for line in lines:
                    taken[line] |= bits
                found.append((row, left - x, top - y))
                break
        if len(found) == most:
            break
    return found
