"""Where is this fact: the log-probability of an answer under every path of the tree, nearest paths first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId, Route
from memstudio.jobs import Job
from memstudio.session.paths import along_paths

if TYPE_CHECKING:
    from memstudio.bank.tree import Tree
    from memstudio.session.session import Session

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

LIKELY = 0.5
"""From this probability of an answer on a path is said to know it."""
_BETTER = 0.1
"""How much likelier (natural log) a path must make the answer to be said to answer better: a tenth, so that near ties are none."""
_TOLD_S = 0.1
_ANSWER_TOKENS = 24
_CENTROIDS = 2**24


@dataclass(frozen=True, eq=False, slots=True)
class Scan:
    """An answer under the paths scanned so far (causal: each path's blocks are fetched and the answer is read after the prompt).

    values: float32 [clusters] a level, the answer's summed log-probability (natural log): of a route's last cluster under that route, of
    a cluster above it the best of those below; NaN where nothing was scanned. ends: the indices, a level, of the routes' last clusters.
    routed, none: the log-probability under the prompt's own route, and without memory. scanned of total: paths.
    """

    prompt: str
    answer: str
    route: Route
    routed: float
    none: float
    values: tuple[Floats, ...]
    ends: tuple[Indices, ...]
    scanned: int
    total: int
    revision: int
    seconds: float

    @property
    def own(self) -> ClusterId:
        """The last cluster of the prompt's own route."""
        return self.route.clusters[-1]

    def best(self, most: int | None = None) -> tuple[tuple[ClusterId, float], ...]:
        """The last clusters of the likeliest scanned routes (None: of all) and their log-probabilities, best first."""
        return self._above(-math.inf, most)

    def better(self) -> tuple[tuple[ClusterId, float], ...]:
        """As `best`, of the routes that answer better than the prompt's own: where there is one, the retriever failed the prompt."""
        return tuple(each for each in self._above(self.routed + _BETTER) if each[0] != self.own)

    def knowing(self) -> tuple[tuple[ClusterId, float], ...]:
        """As `best`, of the other routes that know the answer: its probability is over one half."""
        return tuple(each for each in self._above(math.log(LIKELY)) if each[0] != self.own)

    def _above(self, floor: float, most: int | None = None) -> tuple[tuple[ClusterId, float], ...]:
        levels = np.concatenate([np.full(len(own), level) for level, own in enumerate(self.ends, 1)])
        indices = np.concatenate(self.ends)
        found = np.concatenate([values[own] for values, own in zip(self.values, self.ends, strict=True)])
        chosen = np.flatnonzero(found > floor)
        chosen = chosen[np.argsort(-found[chosen], kind="stable")][:most]
        return tuple((ClusterId(int(levels[at]), int(indices[at])), float(found[at])) for at in chosen)


def scan(
    session: Session,
    text: str,
    answer: str | None = None,
    *,
    key: str | None = None,
    job: Job,
    told: Callable[[Scan], None] | None = None,
) -> Scan:
    """See `Session.scan`. told: hears of what was scanned so far a few times a second."""
    start = time.perf_counter()
    session.running.encode(text)
    vector = session.running.key_vectors([text if key is None else key])[0]
    route = session.bank.tree.descend(vector, session.hidden)
    answer = _answer(session, text, route) if answer is None else answer
    ids, wanted = session.running.encode(text), session.running.anchor.continuation(text, answer)
    arm, overlay = session.running.spare, session.overlay
    tree = session.bank.tree
    routed, none = (
        float(logs.sum()) for _, found in along_paths(arm, ids, wanted, [route.clusters, ()], overlay, session.blob) for logs in found
    )
    values = tuple(np.full(tree.count(level), np.nan, np.float32) for level in range(1, tree.depth + 1))
    ends = tuple(tree.ends(level) for level in range(1, tree.depth + 1))
    ordered = _nearest_first(tree, ends, vector)
    heard, scanned = start, 0

    def so_far() -> Scan:
        whole = _with_best_below(tree, values)
        seconds = time.perf_counter() - start
        return Scan(text, answer, route, routed, none, whole, ends, scanned, len(ordered), session.head, seconds)

    job.progress(0, len(ordered))
    for numbers, logs in along_paths(arm, ids, wanted, [tree.route_to(end) for end in ordered], overlay, session.blob):
        for number, value in zip(numbers, logs.sum(1, dtype=np.float64), strict=True):
            values[ordered[number].level - 1][ordered[number].index] = value
        scanned += len(numbers)
        if told is not None and time.perf_counter() - heard > _TOLD_S:
            heard = time.perf_counter()
            told(so_far())
        job.progress(scanned, len(ordered))
    return so_far()


def _answer(session: Session, text: str, route: Route) -> str:
    """What the prompt's own route answers, greedily, up to the end of a sentence."""
    from memstudio.anchor.engine import answers

    session.running.spare.fetch(Wish("fetched", route.clusters), session.overlay, session.blob)
    return answers(session.running.spare.attached, [session.running.encode(text)], _ANSWER_TOKENS)[0].strip()


def _nearest_first(tree: Tree, ends: tuple[Indices, ...], key: Floats) -> list[ClusterId]:
    """The ends of all routes: the family with the nearest centroid first, and in a family the nearest first.

    Whole families stand together, since siblings share every block but the last.
    """
    clusters: list[ClusterId] = []
    nearest: list[Floats] = []
    for level, own in enumerate(ends, 1):
        away = _distances(tree.centroids[level - 1], own, key)
        family = own // tree.branching[level - 1]
        first = np.full(tree.count(level) // tree.branching[level - 1], np.inf, np.float32)
        np.minimum.at(first, family, away)
        order = np.lexsort((away, family, first[family]))
        clusters += [ClusterId(level, int(index)) for index in own[order]]
        nearest.append(first[family][order])
    return [clusters[at] for at in np.argsort(np.concatenate(nearest), kind="stable")]


def _distances(centroids: Floats, rows: Indices, key: Floats) -> Floats:
    """L2 distances [rows], a stretch of the mapped centroids at a time."""
    step = max(1, _CENTROIDS // centroids.shape[1])
    parts = (np.linalg.norm(centroids[rows[at : at + step]] - key, axis=1) for at in range(0, len(rows), step))
    away: Floats = np.nan_to_num(np.concatenate([np.empty(0, np.float32), *parts]), nan=np.inf)
    return away


def _with_best_below(tree: Tree, values: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """A copy in which a cluster above has the best figure below it."""
    whole = [each.copy() for each in values]
    for level in range(tree.depth, 1, -1):
        below = whole[level - 1].reshape(-1, tree.branching[level - 1])
        whole[level - 2] = np.fmax(whole[level - 2], np.fmax.reduce(below, axis=1))
    return tuple(whole)
