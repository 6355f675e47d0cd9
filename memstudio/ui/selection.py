"""The clusters that are selected, as all views share them: a selection of sixty-five thousand blocks costs what one of two costs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chosen:
    """masks: bool [clusters] a level, coarsest first, True where selected; current: the one whose card is shown, selected too."""

    masks: tuple[Mask, ...] = ()
    current: ClusterId | None = None

    @cached_property
    def count(self) -> int:
        """How many clusters are selected."""
        return sum(int(mask.sum()) for mask in self.masks)

    @property
    def first(self) -> ClusterId | None:
        """The coarsest that is selected, by index; None where nothing is."""
        return next((ClusterId(level, int(mask.argmax())) for level, mask in enumerate(self.masks, 1) if mask.any()), None)

    def __contains__(self, cluster: ClusterId) -> bool:
        return cluster.level <= len(self.masks) and bool(self.masks[cluster.level - 1][cluster.index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chosen):
            return NotImplemented
        same = len(self.masks) == len(other.masks) and all(np.array_equal(a, b) for a, b in zip(self.masks, other.masks, strict=True))
        return same and self.current == other.current

    __hash__ = None  # type: ignore[assignment]  # arrays are compared, not hashed

    def clusters(self) -> tuple[ClusterId, ...]:
        """All that are selected, coarsest first."""
        return tuple(cluster for level, mask in enumerate(self.masks, 1) for cluster in named(level, mask))

    def tops(self) -> tuple[ClusterId, ...]:
        """Those without a selected ancestor, coarsest first: an edit of subtrees names each subtree once."""
        found: list[ClusterId] = []
        covered: Mask | None = None
        for level, mask in enumerate(self.masks, 1):
            if covered is not None:
                covered = np.repeat(covered, mask.shape[0] // covered.shape[0])
            top = mask if covered is None else mask & ~covered
            found += named(level, top)
            covered = mask if covered is None else covered | mask
        return tuple(found)


def named(level: int, mask: Mask) -> Iterator[ClusterId]:
    """The clusters of a level that a mask names, by index."""
    return map(ClusterId, repeat(level), np.flatnonzero(mask).tolist())


def choose(sizes: Sequence[int], clusters: Iterable[ClusterId] = (), current: ClusterId | None = None) -> Chosen:
    """These clusters of a tree with `sizes` clusters a level; `current` (by default the only one there is) is among them."""
    masks = tuple(np.zeros(size, bool) for size in sizes)
    named = list(clusters)
    if current is None and len(named) == 1:
        current = named[0]
    for cluster in [*named, current] if current is not None else named:
        masks[cluster.level - 1][cluster.index] = True
    return Chosen(masks, current)


def join(chosen: Chosen, cluster: ClusterId) -> Chosen:
    """As a click with Ctrl does: in where it was out, and current; out where it was in."""
    masks = tuple(mask.copy() for mask in chosen.masks)
    inside = not masks[cluster.level - 1][cluster.index]
    masks[cluster.level - 1][cluster.index] = inside
    if inside:
        return Chosen(masks, cluster)
    return Chosen(masks, chosen.current if chosen.current != cluster else None)


def together(chosen: Chosen, masks: Sequence[Mask]) -> Chosen:
    """What is selected and these: a lasso with Shift."""
    return Chosen(tuple(mine | more for mine, more in zip(chosen.masks, masks, strict=True)), chosen.current)
