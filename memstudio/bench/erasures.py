"""The benchmark of takedowns: facts erased one at a time on the bank as shipped, each report added up; nothing is written."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memstudio.bench.counts import Counts
from memstudio.editing.erase import Erase, Method
from memstudio.facts.values import Fact
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.session.session import Session

METHODS: tuple[Method, ...] = ("tuned", "dampen")
SHARES = {
    "within": "p ≤ max(2 · p without memory, 0.02)",
    "silent": "not said greedily, on its own route",
    "silent_beside": "nor through a neighbouring leaf",
    "locality": "locality",
    "outside_identical": "bit-identical outside",
}


def erased_one_at_a_time(session: Session, methods: Sequence[Method], count: int, seed: int, job: Job) -> dict[str, Counts]:
    """Specific facts, each erased by every method and judged by its own report on all its phrasings and their neighbours."""
    facts = _held_by_blocks(session, count, seed, job)
    found: dict[str, Counts] = {method: Counts() for method in methods}
    for number, fact in enumerate(facts):
        for method, counts in found.items():
            job.progress(number, len(facts))
            start = time.perf_counter()
            plan = session.plan(Erase((fact,), method="tuned" if method == "tuned" else "dampen"), measure=True)
            spent = time.perf_counter() - start
            receipt = session.with_takedown(plan, paths="neighbours").receipt
            counts.scoring_s += receipt["seconds"]["receipt"]
            counts.seconds.append(spent - receipt["seconds"]["receipt"])
            for row in receipt["takedown"]["probes"]:
                counts.count("within", row["within"], 1)
                counts.count("silent", not row["extracted"], 1)
                beside = row["other_paths"]
                if isinstance(beside, dict):
                    counts.count("silent_beside", beside["count"] - beside["extracted"], beside["count"])
            for name in ("locality", "outside_identical"):
                share = receipt["proportions"].get(name)
                if share is not None:
                    counts.count(name, share["k"], share["n"])
    return found


def _held_by_blocks(session: Session, count: int, seed: int, job: Job) -> list[Fact]:
    """Facts that are answered rightly with memory and not without: the others have nothing in the blocks that could be taken down."""
    known = [fact for fact in session.facts() if fact.kind == "specific"]
    drawn = random.Random(seed).sample(known, min(4 * count, len(known)))
    prompts = [replace(fact, phrasings=(), held_out=()) for fact in drawn]
    scores = (session.score(prompts, job=job), session.score(prompts, memory="none", job=job))
    right, alone = ({row.fact for row in score.facts if row.correct} for score in scores)
    return [fact for fact in drawn if fact.id in right - alone][:count]
