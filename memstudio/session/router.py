"""A key's route with what nearly won. Reads the tree, the encoder and labels, never a block: so it is used from any thread, also while
the session's own is busy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memstudio.bank.values import ClusterId, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memstudio.bank.bank import Bank
    from memstudio.session.running import Running

RUNNERS = 3
End = Literal["", "absent", "hidden"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cluster that a key could go to. distance: L2 from the key to its centroid; label: "" where the bank has none."""

    cluster: ClusterId
    distance: float
    label: str
    documents: int
    has_block: bool
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Fork:
    """The choice of one level. candidates: nearest first, the chosen one and its runners-up; hidden ones where they are nearer than
    the last of those. total: how many clusters there were to choose from, hidden ones counted; margin: None without a runner-up."""

    chosen: ClusterId
    candidates: tuple[Candidate, ...]
    total: int
    margin: float | None
    thin: bool

    @property
    def own(self) -> Candidate:
        """The candidate that is chosen."""
        return next(each for each in self.candidates if each.cluster == self.chosen)


@dataclass(frozen=True, slots=True)
class KeyRoute:
    """Where a key goes. pieces: its word pieces in all, marks counted; read: so many of them, from the start, were looked at.

    ended: why the route is shorter than the tree is deep ("": it is not): all children are absent, or all that are left are hidden.
    pinned: the path that runs take instead, () where none is pinned.
    """

    key: str
    pieces: int
    read: int
    route: Route
    forks: tuple[Fork, ...]
    ended: End = ""
    pinned: tuple[Candidate, ...] = ()

    @property
    def fetched(self) -> Route:
        """The route that a run takes: the pinned one, else the retriever's."""
        if not self.pinned:
            return self.route
        path = tuple(each.cluster for each in self.pinned)
        return Route(path, (float("nan"),) * len(path), ((),) * len(path), (None,) * len(path))

    @property
    def thin_words(self) -> str:
        """Where the margin is thin, as a sentence; "" where it is nowhere."""
        thin = [str(fork.chosen.level) for fork in self.forks if fork.thin]
        where = f"level{'s' * (len(thin) > 1)} {', '.join(thin)}"
        return f"▲ Thin margin at {where}: another wording may go elsewhere." if thin else ""

    @property
    def end_words(self) -> str:
        """Why the route is shorter than the tree is deep, as a sentence; "" where it is not."""
        if not self.ended:
            return ""
        deep = len(self.forks)
        why = "all clusters below are hidden." if self.ended == "hidden" else "there is no cluster below."
        return (f"The route ends at level {deep}: " if deep else "No route: ") + why


class Router:
    """Routes keys of one bank."""

    def __init__(self, bank: Bank, running: Running) -> None:
        self._bank = bank
        self._running = running
        self._known: dict[ClusterId, tuple[str, bool]] = {}
        self._last: tuple[str, NDArray[np.float32], int] | None = None

    def key_of(self, prompt: str) -> str:
        """The text that a prompt is routed by, see `Running.key_of`; the prompt itself until the anchor is there: none is loaded for it."""
        return self._running.key_of(prompt) if self._running.loaded else prompt

    def route(self, key: str, hidden: frozenset[ClusterId] = frozenset(), pinned: Sequence[ClusterId] | None = None) -> KeyRoute:
        """Where a key goes when these subtrees are passed over, and how far the clusters of a pinned path are from it.

        Raises:
            UserError: an empty key, no encoder on this machine, a damaged bank, a pin that is no path.
        """
        tree = self._bank.tree
        vector, pieces = self._read(key)
        found = tree.descend(vector, hidden, RUNNERS)
        forks = tuple(self._fork(vector, found, place, hidden) for place in range(len(found.clusters)))
        ended: End = ""
        if len(found.clusters) < tree.depth:
            ended = "hidden" if tree.children(found.clusters[-1] if found.clusters else None) else "absent"
        path = tree.explicit(pinned).clusters if pinned else ()
        held = tuple(self._candidate(each, float(tree.distances(vector, [each])[0]), hidden) for each in path)
        return KeyRoute(key, pieces, min(pieces, self._bank.manifest.retriever.max_tokens), found, forks, ended, held)

    def _read(self, key: str) -> tuple[NDArray[np.float32], int]:
        """A key's vector and its word pieces; the last one's are kept, for it comes again when something is hidden or pinned."""
        last = self._last
        if last is None or last[0] != key:
            self._last = last = (key, self._running.key_vectors([key])[0], self._running.key_pieces(key))
        return last[1:]

    def _fork(self, vector: NDArray[np.float32], route: Route, place: int, hidden: frozenset[ClusterId]) -> Fork:
        tree = self._bank.tree
        children = tree.children(tree.parent(route.clusters[place]))
        away = dict(zip(children, tree.distances(vector, children).tolist(), strict=True))
        shown = [route.clusters[place], *route.runners_up[place]]
        last = away[shown[-1]]
        passed = [child for child in children if child in hidden and away[child] <= last]
        order = sorted([*shown, *passed], key=lambda cluster: (away[cluster], cluster))
        candidates = tuple(self._candidate(cluster, away[cluster], hidden) for cluster in order)
        return Fork(route.clusters[place], candidates, len(children), route.margins[place], route.thin[place])

    def _candidate(self, cluster: ClusterId, distance: float, hidden: frozenset[ClusterId]) -> Candidate:
        bank = self._bank
        if cluster not in self._known:
            label = bank.card(cluster).label
            self._known[cluster] = ("" if label == str(cluster) else label, bank.has_block(cluster))
        label, has_block = self._known[cluster]
        documents = int(bank.tree.documents[cluster.level - 1][cluster.index])
        return Candidate(cluster, distance, label, documents, has_block, cluster in hidden)
