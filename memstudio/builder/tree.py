"""The tree over key vectors: balanced k-means, node by node, as the method has it (method.md, Clustering).

A node's centroids start by k-means++ and take 20 steps of 6,400 new members each; after each step a cluster that holds more than
cap/k of them is split at random with the smallest sibling, whose centroid so moves to where the members are. What a cluster trains
on is what descends to it, which is what the retriever will fetch it for: no member is put where no prompt would look for it.
"""

from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import kmeans_plusplus

from memstudio.jobs import Job

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

STEPS, NEW_EXAMPLES = 20, 6400
_ROWS = 65_536
"""Keys looked at together: a corpus of any length descends in little memory."""


@dataclass(frozen=True)
class Grown:
    """centroids[l] float32 [clusters, dim]; documents[l] int64 [clusters]; paths int64 [n, levels]: where each document descends to."""

    centroids: list[Floats]
    documents: list[Ints]
    paths: Ints


def fit_branching(branching: list[int], documents: int) -> list[int]:
    """The branching, shrunk until there are no more leaves than documents: the widest level loses a child, a level of one goes.

    Raises:
        ValueError: no documents.
    """
    if documents < 1:
        raise ValueError("no documents")
    fitted = list(branching)
    while prod(fitted) > documents:
        widest = max(range(len(fitted)), key=lambda at: fitted[at])
        fitted[widest] -= 1
        if fitted[widest] < 2 and len(fitted) > 1:
            del fitted[widest]
    return fitted


def grow(keys: Floats, branching: list[int], cap: float, seed: int, job: Job) -> Grown:
    """Grow a tree over L2-normalised `keys` [n, dim], which may be a memory map.

    A node with fewer members than children leaves the other children absent (documents 0).
    """
    members: list[Ints] = [np.arange(len(keys))]
    centroids: list[Floats] = []
    nodes, done = sum(prod(branching[:level]) for level in range(len(branching))), 0
    for level, k in enumerate(branching):
        found = np.zeros((len(members) * k, keys.shape[1]), np.float32)
        filled = np.zeros(len(members) * k, bool)
        children: list[Ints] = []
        for node, inside in enumerate(members):
            at = slice(node * k, (node + 1) * k)
            rng = np.random.default_rng([seed, level, node])
            found[at], filled[at] = _centroids(keys, inside, k, cap, rng)
            chosen = _nearest(keys, inside, found[at], filled[at])
            children += [inside[chosen == local] for local in range(k)]
            done += 1
            job.progress(done, nodes)
        centroids.append(found)
        members = children
    return _settled(keys, centroids, members, branching)


def descend_all(keys: Floats, centroids: list[Floats], present: list[NDArray[np.bool_]], branching: list[int]) -> Ints:
    """Greedy descent of many keys: int64 [n, levels], −1 where a route ended above. Agrees with `Tree.descend` (tested)."""
    return np.concatenate(
        [_descend(keys[at : at + _ROWS], centroids, present, branching) for at in range(0, max(1, len(keys)), _ROWS)]
    )


def _descend(keys: Floats, centroids: list[Floats], present: list[NDArray[np.bool_]], branching: list[int]) -> Ints:
    n = len(keys)
    paths = np.full((n, len(branching)), -1, np.int64)
    parent = np.zeros(n, np.int64)
    alive = np.ones(n, bool)
    for level, k in enumerate(branching):
        best = np.zeros(n, np.int64)
        least = np.full(n, np.inf)
        for local in range(k):
            child = parent * k + local
            distance = np.linalg.norm(keys - centroids[level][child], axis=1)
            distance[~present[level][child]] = np.inf
            nearer = distance < least
            best[nearer], least[nearer] = child[nearer], distance[nearer]
        alive &= np.isfinite(least)
        parent = np.where(alive, best, 0)
        paths[alive, level] = parent[alive]
    return paths


def _settled(keys: Floats, centroids: list[Floats], leaves: list[Ints], branching: list[int]) -> Grown:
    """The tree with what really descends to each cluster; one that nothing descends to is absent, since nothing would train its block."""
    filled: NDArray[np.bool_] = np.array([len(leaf) > 0 for leaf in leaves])
    present = [filled]
    for k in reversed(branching[1:]):
        filled = np.logical_or.reduce(filled.reshape(-1, k), axis=1)
        present.insert(0, filled)
    while True:
        paths = descend_all(keys, centroids, present, branching)
        documents = [np.bincount(paths[:, at][paths[:, at] >= 0], minlength=len(c)).astype(np.int64) for at, c in enumerate(centroids)]
        left = [count > 0 for count in documents]
        if all((a == b).all() for a, b in zip(left, present, strict=True)):
            return Grown(centroids, documents, paths)
        present = left


def _centroids(keys: Floats, inside: Ints, k: int, cap: float, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """float32 [k, dim], and bool [k]: which of them there are."""
    centres = np.zeros((k, keys.shape[1]), np.float32)
    filled = np.zeros(k, bool)
    if len(inside) <= k:
        centres[: len(inside)], filled[: len(inside)] = keys[inside], True
        return centres, filled
    order, at = rng.permutation(inside), 0
    first = keys[np.sort(order[:NEW_EXAMPLES])]
    centres[:], _ = kmeans_plusplus(first, k, random_state=int(rng.integers(2**31)))
    for _ in range(STEPS):
        if at and at + NEW_EXAMPLES > len(order):
            order, at = rng.permutation(inside), 0
        batch = keys[np.sort(order[at : at + NEW_EXAMPLES])]
        at += NEW_EXAMPLES
        assigned = balanced(_distances(batch, centres).argmin(axis=1), k, cap, rng)
        moved = np.stack([batch[assigned == c].mean(axis=0) if (assigned == c).any() else centres[c] for c in range(k)])
        settled = np.array_equal(moved, centres)
        centres = moved.astype(np.float32)
        if settled:
            break
    filled[:] = True
    return centres, filled


def balanced(assigned: NDArray[np.intp], k: int, cap: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """The assignment with no cluster over cap/k of all (rounded up): one that is shares its members at random with the smallest sibling."""
    assigned = assigned.copy()
    room = max(1, ceil(cap * len(assigned) / k))
    for _ in range(4 * k):
        sizes = np.bincount(assigned, minlength=k)
        largest, smallest = int(sizes.argmax()), int(sizes.argmin())
        if sizes[largest] <= room:
            break
        both = rng.permutation(np.flatnonzero((assigned == largest) | (assigned == smallest)))
        half = len(both) // 2
        assigned[both[:half]], assigned[both[half:]] = largest, smallest
    return assigned


def _nearest(keys: Floats, inside: Ints, centres: Floats, filled: NDArray[np.bool_]) -> NDArray[np.intp]:
    parts = [inside[at : at + _ROWS] for at in range(0, len(inside), _ROWS)]
    if not parts:
        return np.zeros(0, np.intp)
    found = []
    for part in parts:
        distance = _distances(keys[part], centres)
        distance[:, ~filled] = np.inf
        found.append(distance.argmin(axis=1))
    return np.concatenate(found)


def _distances(keys: Floats, centres: Floats) -> Floats:
    """Squared distances [n, k], up to a term that is each key's own."""
    found: Floats = ((centres * centres).sum(axis=1) - 2 * (keys @ centres.T)).astype(np.float32)
    return found
