"""Where is this fact: the log-probability of an answer under every path of the tree, nearest paths first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId, Route
from memstudio.jobs import Job
from memstudio.session.paths import along_paths
from memstudio.session.scanned import Scan

if TYPE_CHECKING:
    from memstudio.bank.tree import Tree
    from memstudio.session.session import Session

Floats = NDArray[np.float32]
_TOLD_S = 0.1
_ANSWER_TOKENS = 24
_CENTROIDS = 2**24


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
    vector = session.running.key_vectors([session.running.key_of(text) if key is None else key])[0]
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
    ordered = nearest_first(tree, vector)
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


def nearest_first(tree: Tree, key: Floats) -> list[ClusterId]:
    """The ends of all routes by their distance to a key [dim]: the family with the nearest centroid first, in a family the nearest first.

    Whole families stand together, since siblings share every block but the last.
    """
    clusters: list[ClusterId] = []
    nearest: list[Floats] = []
    for level in range(1, tree.depth + 1):
        own = tree.ends(level)
        away = _distances(tree, level, key)[own]
        family = own // tree.branching[level - 1]
        first = np.full(tree.count(level) // tree.branching[level - 1], np.inf, np.float32)
        np.minimum.at(first, family, away)
        order = np.lexsort((away, family, first[family]))
        clusters += [ClusterId(level, int(index)) for index in own[order]]
        nearest.append(first[family][order])
    return [clusters[at] for at in np.argsort(np.concatenate(nearest), kind="stable")]


def _distances(tree: Tree, level: int, key: Floats) -> Floats:
    """L2 distances [clusters] of a level."""
    stretches = tree.stretches(level, max(1, _CENTROIDS // tree.dim))
    away: Floats = np.nan_to_num(np.concatenate([np.linalg.norm(centroids - key, axis=1) for _, centroids in stretches]), nan=np.inf)
    return away


def _with_best_below(tree: Tree, values: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """A copy in which a cluster above has the best figure below it."""
    whole = [each.copy() for each in values]
    for level in range(tree.depth, 1, -1):
        below = whole[level - 1].reshape(-1, tree.branching[level - 1])
        whole[level - 2] = np.fmax(whole[level - 2], np.fmax.reduce(below, axis=1))
    return tuple(whole)
