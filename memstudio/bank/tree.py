"""The cluster tree: who is whose child, and the greedy descent that turns a key into a route. Reads no weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId, Route
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.bank.files import TensorFile
    from memstudio.bank.manifest import Manifest

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]


Reader = Callable[[int, int, int], Floats]
"""From a level, a first index and one past the last to those centroids."""


class Tree:
    """Centroids and document counts of every level, read-only. Of a file, the counts are in memory and the centroids are read where they
    are asked for, never mapped: a mapped page of a disk that is gone kills the process.

    A level numbers all clusters of the full tree; child = parent index · branching + local. An absent cluster has documents 0.
    """

    def __init__(self, centroids: Sequence[Floats] | Reader, documents: Sequence[Counts], branching: Sequence[int]) -> None:
        """centroids: float32 [clusters, dim] a level, or what reads some of them; documents: int64 [clusters] a level; branching: children
        of a parent, a level."""
        self._read = centroids if callable(centroids) else lambda level, first, stop: centroids[level - 1][first:stop]
        self.documents = tuple(documents)
        self.branching = tuple(branching)
        self.depth = len(self.branching)
        self.dim = int(self._read(1, 0, 0).shape[1])

    @property
    def centroids(self) -> tuple[Floats, ...]:
        """All centroids, float32 [clusters, dim] a level; those of a file are read anew.

        Raises:
            UserError: the tree's file was cut short or is gone.
        """
        return tuple(self._read(level, 0, self.count(level)) for level in range(1, self.depth + 1))

    def stretches(self, level: int, rows: int) -> Iterator[tuple[int, Floats]]:
        """All centroids of a level, at most `rows` at a time, each stretch behind the index of its first.

        Raises:
            UserError: as `centroids`.
        """
        for first in range(0, self.count(level), rows):
            yield first, self._read(level, first, min(first + rows, self.count(level)))

    def count(self, level: int) -> int:
        """Clusters of a level in the full tree, absent ones included."""
        return int(self.documents[level - 1].shape[0])

    def check(self, cluster: ClusterId) -> ClusterId:
        """The cluster itself, when it exists.

        Raises:
            UserError: no such level or index, or the cluster is absent from the tree.
        """
        level, index = cluster
        if not 1 <= level <= self.depth:
            raise UserError(f"cluster {cluster}: no such level: this bank has levels 1 to {self.depth}")
        if not 0 <= index < self.count(level):
            raise UserError(f"cluster {cluster}: no such cluster: level {level} has {level}/0 to {level}/{self.count(level) - 1}")
        if self.documents[level - 1][index] <= 0:
            raise UserError(f"cluster {cluster}: absent from this bank's tree (it has no documents): choose another")
        return cluster

    def present(self, cluster: ClusterId) -> bool:
        """Whether the cluster exists and is not absent."""
        level, index = cluster
        return 1 <= level <= self.depth and 0 <= index < self.count(level) and bool(self.documents[level - 1][index] > 0)

    def parent(self, cluster: ClusterId) -> ClusterId | None:
        """The cluster above; None at level 1."""
        level, index = cluster
        return ClusterId(level - 1, index // self.branching[level - 1]) if level > 1 else None

    def children(self, cluster: ClusterId | None) -> tuple[ClusterId, ...]:
        """The present clusters right below, ascending; None stands for the root above level 1."""
        level, start, stop = self._below(cluster)
        if level > self.depth:
            return ()
        found = np.flatnonzero(self.documents[level - 1][start:stop] > 0)
        return tuple(ClusterId(level, start + int(local)) for local in found)

    def siblings(self, cluster: ClusterId) -> tuple[ClusterId, ...]:
        """The other present children of the same parent."""
        return tuple(other for other in self.children(self.parent(cluster)) if other != cluster)

    def subtree(self, cluster: ClusterId) -> Iterator[ClusterId]:
        """The cluster, then all present ones below it, each before its own children."""
        yield cluster
        for child in self.children(cluster):
            yield from self.subtree(child)

    def ends(self, level: int) -> NDArray[np.int64]:
        """Indices [ends] of the clusters of a level at which a route ends, ascending: present, and no child is."""
        here = self.documents[level - 1] > 0
        if level < self.depth:
            here = here & ~(self.documents[level].reshape(-1, self.branching[level]) > 0).any(1)
        return np.flatnonzero(here)

    def ancestors(self, cluster: ClusterId) -> tuple[ClusterId, ...]:
        """The clusters above, coarsest first; () at level 1."""
        return self.route_to(cluster)[:-1]

    def route_to(self, cluster: ClusterId) -> tuple[ClusterId, ...]:
        """The path from level 1 to the cluster, which comes last."""
        path = [cluster]
        while (above := self.parent(path[-1])) is not None:
            path.append(above)
        return tuple(reversed(path))

    def explicit(self, route: Sequence[ClusterId]) -> Route:
        """An explicit route: a path from level 1 down, or its last cluster alone. Distances were not measured (NaN).

        Raises:
            UserError: a cluster does not exist, or they are not one path.
        """
        if not route:
            raise UserError("the route is empty: name its deepest cluster, for example 3/1339")
        for cluster in route:
            self.check(cluster)
        whole = self.route_to(route[-1])
        if len(route) > 1 and tuple(route) != whole:
            given, wanted = (",".join(map(str, clusters)) for clusters in (route, whole))
            raise UserError(f"route {given}: not one path from level 1 down; the path to {route[-1]} is {wanted}")
        return Route(whole, (float("nan"),) * len(whole), ((),) * len(whole), (None,) * len(whole))

    def descend(self, key: Floats, hidden: frozenset[ClusterId] = frozenset(), runners: int = 3) -> Route:
        """Greedy nearest centroid by L2, level after level; ties go to the lower index. Cost: depth · branching, never the bank's size.

        Hidden clusters are passed over with all below them, and their runner-up is taken. The route ends where all children are absent
        or hidden.

        key: [dim] finite. runners: how many runners-up to keep a level.

        Raises:
            UserError: a centroid on the way is not finite.
            ValueError: the key is not finite or not [dim].
        """
        wanted = np.asarray(key, dtype=np.float64)
        if wanted.shape != (self.dim,) or not np.isfinite(wanted).all():
            raise ValueError(f"a key is {self.dim} finite numbers")
        chosen: list[ClusterId] = []
        distances: list[float] = []
        runners_up: list[tuple[ClusterId, ...]] = []
        margins: list[float | None] = []
        at: ClusterId | None = None
        while candidates := [child for child in self.children(at) if child not in hidden]:
            away = self.distances(wanted, candidates)
            order = np.argsort(away, kind="stable")[: runners + 1]
            at = candidates[order[0]]
            chosen.append(at)
            distances.append(float(away[order[0]]))
            runners_up.append(tuple(candidates[place] for place in order[1:]))
            margins.append(float(np.partition(away, 1)[1] - away[order[0]]) if len(candidates) > 1 else None)
        return Route(tuple(chosen), tuple(distances), tuple(runners_up), tuple(margins))

    def centroid(self, cluster: ClusterId) -> Floats:
        """The centroid [dim] of one cluster.

        Raises:
            UserError: the tree's file cannot be read.
        """
        found: Floats = self._read(cluster.level, cluster.index, cluster.index + 1)[0]
        return found

    def distances(self, key: NDArray[np.floating], clusters: Sequence[ClusterId]) -> NDArray[np.float64]:
        """L2 distances [clusters] of a key [dim] to the centroids of clusters of one level, siblings for preference (what lies between
        the first and the last is read), in float64.

        Raises:
            UserError: one of the centroids is not finite, or the tree's file cannot be read.
        """
        level, at = clusters[0].level, [cluster.index for cluster in clusters]
        first = min(at)
        rows = self._read(level, first, max(at) + 1)[[index - first for index in at]].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):  # a damaged centroid is reported below, not warned about
            away: NDArray[np.float64] = np.sqrt(((rows - key) ** 2).sum(1))
        if not np.isfinite(away).all():
            bad = clusters[int(np.flatnonzero(~np.isfinite(away))[0])]
            raise UserError(f"retriever/tree.safetensors: the centroid of {bad} is not a finite number: the bank is damaged")
        return away

    def _below(self, cluster: ClusterId | None) -> tuple[int, int, int]:
        """Level, first and one past the last index of the children."""
        if cluster is None:
            return 1, 0, self.branching[0]
        k = self.branching[cluster.level] if cluster.level < self.depth else 0
        return cluster.level + 1, cluster.index * k, (cluster.index + 1) * k


def open_tree(file: TensorFile, manifest: Manifest) -> Tree:
    """The tree of a bank; no centroid is read yet.

    Raises:
        UserError: a tensor is missing or has another shape or dtype than the manifest asks for.
    """
    dim = manifest.retriever.dim
    documents, begins = [], []
    for at, level in enumerate(manifest.levels, 1):
        name, shape = f"centroids.{at}", (level.clusters, dim)
        begins.append(file.entry(name, "F32", shape).begin)
        documents.append(cast(Counts, file.read(f"documents.{at}", "I64", (level.clusters,))))

    def read(level: int, first: int, stop: int) -> Floats:
        found = np.empty((stop - first, dim), "<f4")
        file.read_into(begins[level - 1] + first * dim * found.itemsize, found.reshape(-1).view(np.uint8).data)
        return found

    return Tree(read, documents, manifest.branching)
