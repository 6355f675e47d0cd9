"""Pruned here is not forgotten everywhere: which other paths still answer the facts whose blocks were taken out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import Change, Overlay
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session.paths import Path, along_paths
from memstudio.session.scan import nearest_first
from memstudio.session.scanned import LIKELY

if TYPE_CHECKING:
    from memstudio.session.session import Session

ASKED, PATHS, LISTED, SEED = 4, 1024, 5, 0


def elsewhere(session: Session, changes: Sequence[Change], before: Overlay, after: Overlay, job: Job) -> dict[str, Any]:
    """Of the facts whose route fetched a block that is pruned now and that it answered (p > 0.5), where they are still known.

    At most 4 of them are asked, drawn with a fixed seed, each on the 1,024 paths nearest to its own (causal).

    Returns (JSON values):
        asked, of: facts; paths, of_paths: how many each was asked on; known: {fact, prompt, expected, before, after: p on its own
        route, count: other paths with p > 0.5, paths: the likeliest of them {at, p}}, the most widely known first; {} where no
        change took a block out.
    """
    pruned = {change.cluster for change in changes if change.after.pruned}
    if not pruned:
        return {}
    facts = session.facts()
    routes = session.routes([fact.prompt for fact in facts])
    hit = [(fact, route) for fact, route in zip(facts, routes, strict=True) if pruned & set(route)]
    random = np.random.default_rng(SEED)
    known: list[dict[str, Any]] = []
    asked, left = 0, 0
    for number in random.permutation(len(hit)).tolist():
        if asked == ASKED:
            break
        fact, route = hit[number]
        found = _asked(session, fact, route, before, after)
        job.breathe()
        if found is None:
            left += 1
            continue
        asked += 1
        known.append(found)
    total = sum(len(session.bank.tree.ends(level)) for level in range(1, session.bank.tree.depth + 1))
    known.sort(key=lambda row: -row["count"])
    return {"asked": asked, "of": len(hit) - left, "paths": min(total, PATHS), "of_paths": total, "known": known}


def _asked(session: Session, fact: Fact, route: Path, before: Overlay, after: Overlay) -> dict[str, Any] | None:
    """One fact on the paths near its own; None where its own did not answer it before."""
    prompt, answer = session.running.encode(fact.prompt), session.running.anchor.continuation(fact.prompt, fact.expected)
    once, now = (_logprobs(session, prompt, answer, [route], overlay)[0] for overlay in (before, after))
    if once <= math.log(LIKELY):
        return None
    tree = session.bank.tree
    centroid = tree.centroid(route[-1])
    ends = [end for end in nearest_first(tree, centroid)[: PATHS + 1] if end != route[-1]][:PATHS]
    logs = _logprobs(session, prompt, answer, [tree.route_to(end) for end in ends], after)
    likely = [at for at in (-logs).argsort(kind="stable") if logs[at] > math.log(LIKELY)]
    return {
        "fact": fact.id,
        "prompt": fact.prompt,
        "expected": fact.expected,
        "before": math.exp(once),
        "after": math.exp(now),
        "count": len(likely),
        "paths": [{"at": str(ends[at]), "p": math.exp(logs[at])} for at in likely[:LISTED]],
    }


def _logprobs(
    session: Session, prompt: Sequence[int], answer: Sequence[int], paths: Sequence[Path], overlay: Overlay
) -> NDArray[np.float64]:
    logs = np.empty(len(paths))
    for numbers, found in along_paths(session.running.spare, prompt, answer, paths, overlay, session.blob):
        logs[numbers] = found.sum(1, dtype=np.float64)
    return logs
