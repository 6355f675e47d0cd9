"""Which clusters bear a sign of state, as one mask a level: what a view that draws all clusters at once needs."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import BASE, ClusterId, Overlay

Mask = NDArray[np.bool_]


def state_masks(sizes: Sequence[int], overlay: Overlay) -> tuple[tuple[Mask, ...], tuple[Mask, ...]]:
    """(pruned, edited otherwise), bool [clusters] a level each."""
    pruned = cluster_masks(sizes, [cluster for cluster, state in overlay.items() if state.pruned])
    edited = cluster_masks(sizes, [cluster for cluster, state in overlay.items() if not state.pruned and state != BASE])
    return pruned, edited


def passed_masks(
    sizes: Sequence[int], branching: Sequence[int], hidden: frozenset[ClusterId], muted: frozenset[ClusterId]
) -> tuple[Mask, ...]:
    """Hidden clusters with all below them, and muted ones, bool [clusters] a level."""
    masks: list[Mask] = []
    covered: Mask | None = None
    for own, silent, k in zip(cluster_masks(sizes, hidden), cluster_masks(sizes, muted), branching, strict=True):
        covered = own if covered is None else own | np.repeat(covered, k)
        masks.append(covered | silent)
    return tuple(masks)


def cluster_masks(sizes: Sequence[int], clusters: Iterable[ClusterId]) -> tuple[Mask, ...]:
    """bool [clusters] a level, True for these; those of another bank are left out."""
    asked = np.fromiter(chain.from_iterable(clusters), np.int64).reshape(-1, 2)
    masks = tuple(np.zeros(size, bool) for size in sizes)
    for level, mask in enumerate(masks, 1):
        here = asked[asked[:, 0] == level, 1]
        mask[here[here < mask.size]] = True
    return masks
