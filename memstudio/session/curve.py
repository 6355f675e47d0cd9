"""The curve of a bank: what is still known against the bytes that are kept, for every ranking and fallback, before a bank is written."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING

from memstudio.bank.values import ClusterId, Fallback
from memstudio.errors import UserError
from memstudio.export.curve import Curve, CurvePoint, Series
from memstudio.export.plan import ExportPlan
from memstudio.export.precision import Choice
from memstudio.export.rank import RankBy, Ranking
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session.exporting import plan_bank, usual
from memstudio.session.ranking import rank
from memstudio.session.smaller import Asking, Smaller, smaller_by, whole
from memstudio.session.telling import tells

if TYPE_CHECKING:
    from memstudio.session.session import Session

SHARES = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1.0)
"""Ten budgets, as shares of the bank's bytes."""
MOST = 1000
"""Facts that are scored at most, drawn at random."""


@tells
def measure_curve(
    session: Session,
    rank_by: Sequence[RankBy] = (),
    fallback: Sequence[Fallback] = (),
    *,
    precision: Sequence[Choice] = ("bank",),
    facts: Sequence[Fact] | None = None,
    shares: Sequence[float] = SHARES,
    keep: Collection[ClusterId] = (),
    drop: Collection[ClusterId] = (),
    seed: int = 0,
    apart: bool = False,
    job: Job | None = None,
) -> Curve:
    """What smaller banks would answer, as the study stands at the head: a series for every ranking with every precision and every fallback.
    Writes nothing.

    Blocks are ranked on a random half of the facts (None: the bank's own specific ones, else its probes, else all), with all their
    phrasings, and scored on the own prompts of the other half; at most `MOST` of these. Budgets below one route are left out.

    rank_by, fallback: the usual ones unless given. precision, keep, drop: as of an export. seed: which half. apart: also score every point
    by itself, to tell what that takes.

    Raises:
        UserError: fewer than two facts with an answer, a budget that is no share, none that fits; else as `rank` and `plan_export`.
        Cancelled: the job was cancelled.
    """
    work, start = job or Job("curve"), time.perf_counter()
    _check(session, shares, fallback)
    ranked, scored = halves(session, facts, seed)
    wishes = product(rank_by or (usual(session),), precision, fallback or (session.bank.manifest.fallback,))
    plans = _plans(session, wishes, ranked, keep=keep, drop=drop, seed=seed, job=work)
    rank_seconds, start = time.perf_counter() - start, time.perf_counter()
    asking = Asking(session, scored)
    wanted = [
        (series, plan, share)
        for series, plan in plans.items()
        for share in sorted(shares)
        if plan.share(share) >= max(plan.least_bytes, plan.asked_bytes)
    ]
    if not wanted:
        least = min(plan.least_bytes for plan in plans.values())
        raise UserError(f"{session.bank.name}: no budget holds one route of {least:,} bytes: allow larger shares")
    keeps = [plan.kept(plan.share(share)) for _, plan, share in wanted]
    banks = [smaller_by(session.overlay, plan, kept, series.fallback) for (series, plan, _), kept in zip(wanted, keeps, strict=True)]
    everything, (first, *_) = whole(session), plans.values()
    found = asking.ask([*banks, everything], work)
    seconds = time.perf_counter() - start
    points = [
        CurvePoint(series, share, plan.share(share), kept.bytes, kept.count, *read)
        for (series, plan, share), kept, read in zip(wanted, keeps, found[:-1], strict=True)
    ]
    return Curve(
        bank_name=session.bank.name,
        bank_digest=session.bank.digest,
        revision=session.head,
        seed=seed,
        ranked_on=len(ranked),
        scored_on=len(scored),
        bank_bytes=first.bank_bytes,
        whole=CurvePoint(
            Series("whole", "bank", everything.fallback), 1.0, first.bank_bytes, first.bank_bytes, sum(first.whole), *found[-1]
        ),
        points=tuple(points),
        runs=asking.runs,
        apart=len(scored) * len(points),
        seconds=seconds,
        rank_seconds=rank_seconds,
        apart_seconds=_apart(session, scored, banks, work) if apart else None,
    )


def _plans(
    session: Session,
    wishes: Iterable[tuple[RankBy, Choice, Fallback]],
    facts: Sequence[Fact],
    *,
    keep: Collection[ClusterId],
    drop: Collection[ClusterId],
    seed: int,
    job: Job,
) -> dict[Series, ExportPlan]:
    """The plan of every series; of the rankings only that by effect depends on what stands in for a dropped block."""
    rankings: dict[tuple[RankBy, Fallback | None], Ranking] = {}
    plans: dict[tuple[RankBy, Choice, Fallback | None], ExportPlan] = {}
    found: dict[Series, ExportPlan] = {}
    for by, bits, stand_in in wishes:
        against = stand_in if by == "effect" else None
        if (by, against) not in rankings:
            rankings[by, against] = rank(session, by, facts, fallback=against, seed=seed, job=job)
        if (by, bits, against) not in plans:
            ranking = rankings[by, against]
            plans[by, bits, against] = plan_bank(session, ranking, keep=keep, drop=drop, precision=bits, facts=facts, job=job)
        found[Series(by, bits, stand_in)] = plans[by, bits, against]
    return found


def halves(session: Session, facts: Sequence[Fact] | None, seed: int) -> tuple[list[Fact], list[Fact]]:
    """The facts to rank on and those to score on: random halves of the specific ones (else of the probes, else of all).

    Raises:
        UserError: there are fewer than two that have an answer.
    """
    given = [fact for fact in (session.facts() if facts is None else facts) if fact.expected.strip()]
    own = [fact for fact in given if fact.kind in ("specific", "probe")] or given
    if len(own) < 2:
        raise UserError(f"{session.bank.name}: a curve takes two facts with an answer at least, here are {len(own)}: name a facts file")
    drawn = random.Random(seed).sample(own, len(own))
    return drawn[: len(own) // 2], drawn[len(own) // 2 :][:MOST]


def _check(session: Session, shares: Sequence[float], fallback: Sequence[Fallback]) -> None:
    for share in shares:
        if not 0 < share <= 1:
            raise UserError(f"{share:.4g} of the bank: choose shares above 0%, at most 100%")
    if "generic" in fallback and not session.bank.manifest.generic:
        raise UserError(f"fallback generic: {session.bank.name!r} has no generic blocks: choose zero or sibling")


def _apart(session: Session, scored: Sequence[Fact], banks: Sequence[Smaller], job: Job) -> float:
    """Seconds that it takes to ask each bank by itself, the model loaded."""
    start = time.perf_counter()
    for bank in banks:
        Asking(session, scored).ask([bank], job)
    return time.perf_counter() - start
