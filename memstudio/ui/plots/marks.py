"""Which clusters bear a sign of state, as one mask a level: what a view that draws all clusters at once needs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import BASE, ClusterId, Overlay

Mask = NDArray[np.bool_]


def state_masks(sizes: Sequence[int], overlay: Overlay) -> tuple[tuple[Mask, ...], tuple[Mask, ...]]:
    """(pruned, edited otherwise), bool [clusters] a level each."""
    pruned = tuple(np.zeros(size, bool) for size in sizes)
    edited = tuple(np.zeros(size, bool) for size in sizes)
    for cluster, state in overlay.items():
        if state != BASE:
            (pruned if state.pruned else edited)[cluster.level - 1][cluster.index] = True
    return pruned, edited


def passed_masks(
    sizes: Sequence[int], branching: Sequence[int], hidden: frozenset[ClusterId], muted: frozenset[ClusterId]
) -> tuple[Mask, ...]:
    """Hidden clusters with all below them, and muted ones, bool [clusters] a level."""
    masks: list[Mask] = []
    covered: Mask | None = None
    for level, size in enumerate(sizes, 1):
        own = np.zeros(size, bool) if covered is None else np.repeat(covered, branching[level - 1])
        for cluster in hidden:
            if cluster.level == level:
                own[cluster.index] = True
        covered = own
        shown = own.copy()
        for cluster in muted:
            if cluster.level == level:
                shown[cluster.index] = True
        masks.append(shown)
    return tuple(masks)
