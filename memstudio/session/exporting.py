"""Exporting a smaller bank: rank, plan, write, then open the result and see what it still answers before it gets its name."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from memstudio import __version__
from memstudio.anchor.wish import RunTime
from memstudio.bank.values import ClusterId, Fallback
from memstudio.errors import UserError
from memstudio.export.bank import Draft, Wanted, drafted
from memstudio.export.place import refuse_taken
from memstudio.export.plan import ExportPlan, Kept, plan_export
from memstudio.export.precision import Choice, Losses, offered
from memstudio.export.rank import RankBy, Ranking
from memstudio.export.silence import Gone
from memstudio.facts.statistics import Proportion, proportion
from memstudio.facts.values import Fact, PromptSet, Scores
from memstudio.jobs import Job
from memstudio.session.exported import Exported
from memstudio.session.losses import measured_losses
from memstudio.session.patching import taken_down
from memstudio.session.ranking import rank
from memstudio.session.scoring import overlay_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memstudio.session.session import Session

SHARE = 0.25
"""Of the bank's bytes, where nothing else is asked for."""
ASKED = 400
"""Facts that are asked before and after an export, drawn at random from all where there are more."""


def plan_bank(
    session: Session,
    ranking: Ranking | RankBy | None = None,
    *,
    keep: Collection[ClusterId] = (),
    drop: Collection[ClusterId] = (),
    fallback: Fallback | None = None,
    precision: Choice = "bank",
    losses: Losses | None = None,
    facts: Sequence[Fact] | PromptSet | None = None,
    seed: int = 0,
    job: Job | None = None,
) -> ExportPlan:
    """The order in which a growing budget takes the blocks as they stand at the head; see `export.plan.plan_export`.

    ranking: what they are worth, or what by; None: by effect, by documents where the bank has neither facts nor probes. facts, fallback,
    seed: see `ranking.rank`; what a precision loses is measured on these facts too (not on a set of prompts), where precisions are mixed
    and `losses` does not say it.

    Raises:
        UserError: as `rank` and `plan_export`.
    """
    offered(session.bank, precision)
    by = ranking if ranking is not None else usual(session)
    found = by if isinstance(by, Ranking) else rank(session, by, facts, fallback=fallback, seed=seed, job=job)
    if losses is None:
        losses = losses_of(session, precision, None if isinstance(facts, PromptSet) else facts, job)
    revision = session.head
    return plan_export(session.bank, session.overlay, found, revision=revision, keep=keep, drop=drop, precision=precision, losses=losses)


def losses_of(session: Session, precision: Choice, facts: Sequence[Fact] | None = None, job: Job | None = None) -> Losses:
    """What each precision of a choice loses on some of the facts (None: the bank's own); see `losses.measured_losses`.

    Raises:
        UserError: as `export.precision.offered`.
    """
    return measured_losses(session, precision, some(session.facts() if facts is None else facts, ASKED), job or Job("losses"))


def usual(session: Session) -> RankBy:
    """What blocks are ranked by where nobody says."""
    return "effect" if session.facts() else "documents"


def export_planned(
    session: Session,
    out: str | Path,
    plan: ExportPlan,
    *,
    budget: int | None = None,
    fraction: float | None = None,
    fallback: Fallback | None = None,
    check: bool = True,
    job: Job | None = None,
) -> Exported:
    """Write the bank as it stands at the head, with only those blocks of a plan that fit, as a bank folder of its own.

    Edits are burned in and what the study took down is gone. The tree stays whole, so every key takes its route as before.

    budget: bytes of block rows, generic ones counted; fraction: the same as a share of the bank's (0 … 1). Without either: what the plan
    lists or was asked to keep, else a quarter. fallback: what stands in for a dropped block, as the bank has it unless given.
    check: ask the facts of the bank before and after.

    Raises:
        UserError: see `ExportPlan.kept` and `export.bank.drafted`; the plan is of another bank or revision; nothing is left then.
        Cancelled: the same.
    """
    start = time.perf_counter()
    target, work, bank = Path(out), job or Job("export"), session.bank
    refuse_taken(target)
    _check_plan(session, plan)
    kept, stand_in = kept_of(plan, budget, fraction), fallback or bank.manifest.fallback
    wanted = Wanted(plan, kept, stand_in, overlay_at(session, plan.revision), session.blob, _gone(session), __version__)
    with drafted(bank, target, wanted, work) as draft:
        write_seconds = draft.write_s + draft.read_back_s
        before, after = _recall(session, draft, plan.revision, work) if check else (None, None)
        digest = draft.settle({"recall_before": _json(before), "recall_after": _json(after)})
    return Exported(
        path=target,
        digest=digest,
        revision=plan.revision,
        rank_by=plan.rank_by,
        fallback=stand_in,
        bytes=kept.bytes,
        bytes_before=plan.bank_bytes,
        kept=kept.count,
        dropped=kept.dropped,
        precisions={str(each): count for each, count in kept.counts.items()},
        levels=tuple((len(ids), of) for ids, of in zip(kept.levels, kept.whole, strict=True)),
        recall_before=before,
        recall_after=after,
        seconds=time.perf_counter() - start,
        folder_bytes=sum(each.stat().st_size for each in target.rglob("*") if each.is_file()),
        write_seconds=write_seconds,
    )


def kept_of(plan: ExportPlan, budget: int | None, fraction: float | None) -> Kept:
    """What a plan keeps under a budget in bytes or as a share; without either what it lists or was asked to keep, else a quarter.

    Raises:
        UserError: the share is none, or see `ExportPlan.kept`.
    """
    if budget is not None and fraction is not None:
        raise UserError("a budget and a share of the bank: choose one")
    if fraction is not None:
        if not 0.0 < fraction <= 1.0:
            raise UserError(f"{fraction:.4g} of the bank: choose a share above 0%, at most 100%")
        budget = plan.share(fraction)
    elif budget is None and not plan.listed and not plan.first:
        budget = plan.share(SHARE)
    return plan.kept(budget)


def _check_plan(session: Session, plan: ExportPlan) -> None:
    if plan.bank_digest != session.bank.digest:
        raise UserError(f"the plan is for bank {plan.bank_name!r} ({plan.bank_digest:.12}…), not for {session.bank.name!r}: make another")
    if plan.revision != session.head:
        raise UserError(f"the plan was made on revision {plan.revision}, the study is at {session.head} now: make it again")


def _gone(session: Session) -> Gone:
    """What the revisions that lead to the head took down."""
    return taken_down(session, [revision for revision in session.log() if revision.current]) if session.study is not None else Gone()


@contextmanager
def nothing_tried(session: Session) -> Iterator[None]:
    """Hide, mute, solo and pin rest: they are not part of the bank."""
    before = session.running.runtime
    session.running.follow(RunTime())
    try:
        yield
    finally:
        session.running.follow(before)


def _recall(session: Session, draft: Draft, revision: int, job: Job) -> tuple[Proportion | None, Proportion | None]:
    """The facts that the result holds, asked of the bank at a revision and of the result; None where it holds none."""
    from memstudio.session.opening import open_session

    with open_session(draft.folder, readonly=True) as smaller:
        smaller.running.share(session.running)
        asked = some(smaller.facts(), ASKED)
        if not asked:
            return None, None
        with nothing_tried(session):
            before = session.score(asked, revision=revision, job=job)
        return recalled(before), recalled(smaller.score(asked, job=job))


def some(facts: Sequence[Fact], count: int) -> list[Fact]:
    """At most so many facts, drawn at random, always the same ones; specific ones (or probes) where there are any."""
    own = [fact for fact in facts if fact.kind in ("specific", "probe")] or list(facts)
    return own if len(own) <= count else random.Random(0).sample(own, count)


def recalled(scores: Scores) -> Proportion:
    """The share of prompts that are answered right; held-out phrasings are left out, as in every accuracy."""
    return proportion(row.correct for row in scores.facts if row.phrasing != "held_out")


def _json(found: Proportion | None) -> JsonValue:
    return None if found is None else {**asdict(found), "share": found.share, "low": found.low, "high": found.high}
