"""The demo's tree: balanced k-means over its few documents, node by node (method.md, Clustering).

The method's cap on a cluster's share of its parent is kept by handing a full cluster's farthest documents to the
nearest sibling with room, so that a topic is moved whole rather than split at random.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from memstudio.builder.tree import Floats, Grown, Ints, descend_all

_EM_STEPS = 20


def grow(keys: Floats, branching: list[int], cap: float, seed: int) -> Grown:
    """Grow a tree over L2-normalised `keys` [n, dim].

    A node with fewer documents than children leaves the other children absent (documents 0).
    """
    members: list[Ints] = [np.arange(len(keys))]
    centroids: list[Floats] = []
    for level, k in enumerate(branching):
        level_centroids = np.zeros((len(members) * k, keys.shape[1]), np.float32)
        children: list[Ints] = []
        for node, inside in enumerate(members):
            assigned = _split(keys[inside], k, cap, seed + 1009 * level + node) if len(inside) else np.zeros(0, np.int64)
            for local in range(k):
                child = inside[assigned == local]
                children.append(child)
                if len(child):
                    level_centroids[node * k + local] = keys[child].mean(axis=0)
        centroids.append(level_centroids)
        members = children
    present = _present(members, branching)
    paths = descend_all(keys, centroids, present, branching)
    documents = [np.bincount(paths[:, level][paths[:, level] >= 0], minlength=len(c)).astype(np.int64) for level, c in enumerate(centroids)]
    # A cluster that k-means filled but no document descends to is absent: nothing would ever train its block.
    paths = descend_all(keys, centroids, [d > 0 for d in documents], branching)
    documents = [np.bincount(paths[:, level][paths[:, level] >= 0], minlength=len(c)).astype(np.int64) for level, c in enumerate(centroids)]
    return Grown(centroids, documents, paths)


def _present(leaves: list[Ints], branching: list[int]) -> list[NDArray[np.bool_]]:
    filled: NDArray[np.bool_] = np.array([len(leaf) > 0 for leaf in leaves])
    present = [filled]
    for k in reversed(branching[1:]):
        filled = np.logical_or.reduce(filled.reshape(-1, k), axis=1)
        present.insert(0, filled)
    return present


def _split(keys: Floats, k: int, cap: float, seed: int) -> Ints:
    """Assign each key to one of k clusters, none over cap/k of them (rounded up)."""
    if len(keys) <= k:
        return np.arange(len(keys))
    centres = KMeans(k, n_init=10, random_state=seed % (2**31)).fit(keys).cluster_centers_
    room = int(np.ceil(cap * len(keys) / k))
    assigned = _assign(keys, centres, room)
    for _ in range(_EM_STEPS):
        centres = np.stack([keys[assigned == c].mean(axis=0) if (assigned == c).any() else centres[c] for c in range(k)])
        again = _assign(keys, centres, room)
        if (again == assigned).all():
            break
        assigned = again
    return assigned


def _assign(keys: Floats, centres: Floats, room: int) -> Ints:
    """Nearest centre with room; those who would lose most by moving choose first."""
    distance = np.linalg.norm(keys[:, None, :] - centres[None], axis=2)
    ranked = np.argsort(distance, axis=1)
    ordered = np.sort(distance, axis=1)
    assigned = np.full(len(keys), -1, np.int64)
    free = np.full(len(centres), room)
    for i in np.argsort(ordered[:, 0] - ordered[:, 1]):
        choice = next(c for c in ranked[i] if free[c] > 0)
        assigned[i] = choice
        free[choice] -= 1
    return assigned
