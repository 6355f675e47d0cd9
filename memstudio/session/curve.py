"""The curve of a bank: what is still known against the bytes that are kept, for every ranking and fallback, before a bank is written."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Sequence
from itertools import product
from typing import TYPE_CHECKING

from memstudio.bank.values import ClusterId, Fallback
from memstudio.errors import UserError
from memstudio.export.curve import Curve, CurvePoint, Series
from memstudio.export.plan import ExportPlan, Kept
from memstudio.export.precision import Choice, Losses, offered
from memstudio.export.rank import RankBy, Ranking
from memstudio.facts.values import Fact, Kind
from memstudio.jobs import Job
from memstudio.session.exporting import losses_of, plan_bank, usual
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
    work = job or Job("curve")
    _check(session, shares, fallback)
    of = Halves(session, facts, seed)
    wishes = product(rank_by or (usual(session),), precision, fallback or (session.bank.manifest.fallback,))
    return of.curve(session, [Series(*wish) for wish in wishes], shares=shares, keep=keep, drop=drop, apart=apart, job=work)


class Halves:
    """The facts of a curve, a random half to rank on and the other to score on, and what was found of them: another series costs only what
    differs. Good for one revision of one study; holds no session.

    asking: the prompts that are scored.
    """

    def __init__(self, session: Session, facts: Sequence[Fact] | None = None, seed: int = 0) -> None:
        """facts: None: the bank's own specific ones, else its probes, else all. seed: which half.

        Raises:
            UserError: there are fewer than two with an answer; else as `Asking`.
        """
        self.ranked, self.scored = halves(session, facts, seed)
        self.asking = Asking(session, self.scored)
        self._seed = seed
        self._rankings: dict[tuple[str, Fallback | None], Ranking] = {}
        self._losses: dict[Choice, Losses] = {}

    @property
    def kind(self) -> Kind:
        """What they are."""
        return self.scored[0].kind

    def knows(self, series: Series) -> bool:
        """Whether the plan of a series takes no model any more."""
        return (series.rank_by, against(series)) in self._rankings and series.precision in self._losses

    def plan(self, session: Session, series: Series, keep: Collection[ClusterId], drop: Collection[ClusterId], job: Job) -> ExportPlan:
        """The order of the blocks by the half to rank on.

        Raises:
            UserError: as `rank` and `plan_export`.
        """
        bits, by = series.precision, (series.rank_by, against(series))
        offered(session.bank, bits)
        if by not in self._rankings and series.rank_by != "whole":
            self._rankings[by] = rank(session, series.rank_by, self.ranked, fallback=by[1], seed=self._seed, job=job)
        if bits not in self._losses:
            self._losses[bits] = losses_of(session, bits, self.ranked, job)
        return plan_bank(session, self._rankings[by], keep=keep, drop=drop, precision=bits, losses=self._losses[bits], job=job)

    def curve(
        self,
        session: Session,
        series: Sequence[Series],
        *,
        shares: Sequence[float] = SHARES,
        keep: Collection[ClusterId] = (),
        drop: Collection[ClusterId] = (),
        apart: bool = False,
        job: Job,
    ) -> Curve:
        """What the banks of these series would answer; the rest as of `measure_curve`.

        Raises:
            UserError: no budget holds a route; else as `plan`.
            Cancelled: the job was cancelled; what was run is kept.
        """
        start, before = time.perf_counter(), self.asking.runs
        plans = {each: self.plan(session, each, keep, drop, job) for each in series}
        rank_seconds, start = time.perf_counter() - start, time.perf_counter()
        wanted = [(each, *one) for each, plan in plans.items() for one in budgets(plan, shares)]
        if not wanted:
            least = min(plan.least_bytes for plan in plans.values())
            raise UserError(f"{session.bank.name}: no budget holds one route of {least:,} bytes: allow larger shares")
        banks = [smaller_by(session.overlay, plans[each], kept, each.fallback) for each, _, _, kept in wanted]
        everything, (first, *_) = whole(session), plans.values()
        found = self.asking.ask(session, [*banks, everything], job)
        seconds = time.perf_counter() - start
        points = [
            CurvePoint(each, share, budget, kept.bytes, kept.count, *read)
            for (each, share, budget, kept), read in zip(wanted, found[:-1], strict=True)
        ]
        top = Series("whole", "bank", everything.fallback)
        return Curve(
            bank_name=session.bank.name,
            bank_digest=session.bank.digest,
            revision=first.revision,
            seed=self._seed,
            ranked_on=len(self.ranked),
            scored_on=len(self.scored),
            bank_bytes=first.bank_bytes,
            whole=CurvePoint(top, 1.0, first.bank_bytes, first.bank_bytes, sum(first.whole), *found[-1]),
            points=tuple(points),
            runs=self.asking.runs - before,
            apart=len(self.scored) * len(points),
            seconds=seconds,
            rank_seconds=rank_seconds,
            apart_seconds=_apart(session, self.scored, banks, job) if apart else None,
            kind=self.kind,
        )


def against(series: Series) -> Fallback | None:
    """What a ranking is measured against: of all rankings only that by effect depends on what stands in for a dropped block."""
    return series.fallback if series.rank_by == "effect" else None


def budgets(plan: ExportPlan, shares: Sequence[float]) -> list[tuple[float, int, Kept]]:
    """(share, bytes, what it keeps) of those budgets that hold a route and what is to be kept, ascending."""
    least = max(plan.least_bytes, plan.asked_bytes)
    return [(share, size, plan.kept(size)) for share in sorted(shares) if (size := plan.share(share)) >= least]


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
        Asking(session, scored).ask(session, [bank], job)
    return time.perf_counter() - start
