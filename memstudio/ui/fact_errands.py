"""What the worker does for the fact dialog and the facts panel: functions over an open session that give back snapshots. No Qt in here."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from memstudio.bank.values import Memory
from memstudio.facts.values import Fact
from memstudio.ui.fact_views import (
    BatchView,
    Clusters,
    FactAsk,
    FactRow,
    FactsScored,
    FactsView,
    FactWish,
    Located,
    Noun,
    PhrasingView,
    Preview,
    RequestView,
)
from memstudio.ui.texts import counted

if TYPE_CHECKING:
    from memstudio.editing.erase import Method as EraseMethod
    from memstudio.editing.plan import Edit, Plan
    from memstudio.editing.update import Method as UpdateMethod
    from memstudio.facts.statistics import Proportion
    from memstudio.facts.values import Scored, Scores
    from memstudio.jobs import Job
    from memstudio.session import Session

OWN = "the bank's own"
"""The source of the list that a bank brings: its facts, or its probes where it has none."""
MEMORIES: dict[Memory, str] = {"fetched": "fetched blocks", "generic": "generic blocks", "none": "no memory"}


def request_of(session: Session, ask: FactAsk, job: Job) -> RequestView:
    """The request for a prompt: its phrasings (drafted where none are given), their routes, the blocks that those reach.

    Raises:
        UserError: as `Session.request`.
    """
    from memstudio.editing.reach import has_own_block

    kept = None if ask.phrasings is None else [each.text for each in ask.phrasings if each.kept and each.text.strip()]
    found = session.request(ask.prompt, ask.target, phrasings=kept, job=job)
    path = dict(zip([found.fact.prompt, *found.fact.phrasings], found.routes, strict=True))
    listed = ask.phrasings if ask.phrasings is not None else tuple(PhrasingView(each.text, each.source) for each in found.drafted)
    others = [each.text.strip() for each in listed if each.text.strip() and each.text.strip() not in path]
    path |= dict(zip(others, session.routes(others), strict=True)) if others else {}
    shown = tuple(dataclasses.replace(each, route=path.get(each.text.strip(), ())) for each in listed)
    on_routes = sorted({cluster for route in found.routes for cluster in route})
    writable = tuple(cluster for cluster in on_routes if has_own_block(session.bank, session.overlay, cluster))
    return RequestView(ask.number, found.fact, found.answer, found.routes[0], shown, found.reached, found.shared, writable, found.held)


def batch_of(session: Session, number: int, facts: tuple[Fact, ...], job: Job) -> BatchView:
    """What many requests reach together.

    Raises:
        UserError: no encoder on this machine.
    """
    from memstudio.editing.reach import reached, residents

    texts = [[fact.prompt, *fact.phrasings] for fact in facts]
    routes: list[Clusters] = []
    for done, some in enumerate(texts):
        routes += session.routes(some)
        job.progress(done, len(texts))
    blocks = reached(session.bank, session.overlay, routes)
    held = {found.fact.id for found in residents(session.facts(), session.routes, blocks, {fact.id for fact in facts})}
    return BatchView(number, facts, sum(map(len, texts)), blocks, len(held))


def edit_of(wish: FactWish) -> Edit:
    """The edit that the dialog stands for."""
    if wish.verb == "erase":
        from memstudio.editing.erase import Erase

        return Erase(wish.facts, (), cast("EraseMethod", wish.method), wish.where, wish.blocks)
    from memstudio.editing.update import Update

    return Update(wish.facts, cast("UpdateMethod", wish.method), "shared" if wish.where == "shared" else "reached", wish.blocks)


def planned(session: Session, wish: FactWish, job: Job) -> Plan:
    """The edit measured on the spare arm, an erasure with what it leaves on its own and neighbouring paths; nothing is written.

    Raises:
        UserError: an empty target, one without tokens, a fact whose route has no block.
    """
    plan = session.plan(edit_of(wish), measure=True, job=job)
    return session.with_takedown(plan, job=job) if wish.verb == "erase" else plan


def preview_of(number: int, wish: FactWish, plan: Plan) -> Preview:
    """What a measured plan would do, and which limits it breaks."""
    from memstudio.facts.receipt import present

    return Preview(number, wish, plan.base, dict(plan.receipt), tuple(present(plan.receipt)), broken_limits(plan.receipt))


def broken_limits(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """The limits of the gate that a receipt breaks, a line each with its numbers; () where it holds."""
    from memstudio.facts.gate import FACTS, judge

    return tuple(judge(receipt, FACTS, "only to see")["broken"])


def apply_plan(session: Session, plan: Plan, reason: str) -> int:
    """Commit a plan as it was previewed, past the gate; returns the revision.

    Raises:
        Refused: it breaks a limit and no reason was given.
        UserError: the study has moved since.
    """
    from memstudio.facts.gate import FACTS

    return session.apply(plan, limits=FACTS, reason=reason).id


def own_facts(session: Session) -> FactsView:
    """The bank's own facts, or its probes, with the routes that it ships; nothing is asked and no encoder needed."""
    from memstudio.facts.routes import read_routes

    facts = session.facts()
    return FactsView(OWN, rows_of(facts, read_routes(session.bank, facts)))


def read_file(file: Path) -> FactsView:
    """The facts of a file in any known format.

    Raises:
        UserError: as `read_fact_file`.
    """
    from memstudio.facts.read import read_fact_file

    found = read_fact_file(file)
    skipped = tuple(f"line {each.line}: {each.reason}" for each in found.skipped)
    return FactsView(file.name, rows_of(found.facts, {}), file, skipped, found.skipped_count)


def rows_of(facts: Sequence[Fact], routes: Mapping[str, Clusters]) -> tuple[FactRow, ...]:
    """Rows that were not scored yet."""
    from memstudio.facts.read import prompts_of

    return tuple(FactRow(fact, _deepest(routes.get(text, ()) for _, text in prompts_of(fact))) for fact in facts)


def score(session: Session, view: FactsView | FactsScored, memory: Memory, job: Job) -> FactsScored:
    """Answer every fact of the list, and say what changed since it was scored last.

    Raises:
        UserError: as `Session.score`.
    """
    facts = None if view.source == OWN else [row.fact for row in view.rows]
    scores = session.score(facts, memory=memory, job=job)
    by_fact: dict[str, list[Scored]] = defaultdict(list)
    for each in scores.facts:
        by_fact[each.fact].append(each)
    rows = tuple(_scored_row(row, by_fact.get(row.fact.id, [])) for row in view.rows)
    share = share_text(_trained(scores))
    return FactsScored(view.source, rows, memory, scores.revision, share, score_line(scores, share, view.noun))


def _scored_row(row: FactRow, answered: Sequence[Scored]) -> FactRow:
    own = next((each for each in answered if each.phrasing == "prompt"), None)
    if own is None:
        return dataclasses.replace(row, got="", right=None, phrasings_right=0, phrasings=0, changed=False)
    others = [each for each in answered if each.phrasing != "prompt"]
    return FactRow(
        row.fact,
        _deepest(each.route for each in answered) or row.blocks,
        own.got,
        own.correct,
        sum(each.correct for each in others),
        len(others),
        row.right is not None and own.got != row.got,
    )


def _trained(scores: Scores) -> Proportion:
    from memstudio.facts.statistics import proportion

    return proportion(each.correct for each in scores.facts if each.kind != "guessable" and each.phrasing != "held_out")


def share_text(found: Proportion) -> str:
    """97.3 % right, 95% 96.8–97.8, n 20,100."""
    if found.share is None or found.low is None or found.high is None:
        return "not measured"
    return f"{100 * found.share:.1f} % right, 95% {100 * found.low:.1f}–{100 * found.high:.1f}, n {found.n:,}"


def score_line(scores: Scores, share: str, noun: Noun = "fact") -> str:
    """What was scored, under what, in one line."""
    parts = [f"{kind} {100 * value:.1f} %" for kind, value in scores.by_kind.items() if value is not None]
    if scores.held_out_learned is not None:
        parts.append(f"held-out phrasings {100 * scores.held_out_learned:.1f} %")
    under = "" if scores.memory == "fetched" else f", {MEMORIES[scores.memory]}"
    return (
        f"{noun.capitalize()}s at revision {scores.revision}{under}: {share} ({', '.join(parts)}; "
        f"{counted(scores.count, noun)} in {scores.seconds:.0f} s)"
    )


def located(session: Session, fact: Fact) -> Located:
    """Where a fact's prompt leads.

    Raises:
        UserError: no encoder on this machine.
    """
    return Located(fact.id, session.routes([fact.prompt])[0])


def _deepest(routes: Iterable[Clusters]) -> Clusters:
    """The last cluster of each route, each once."""
    return tuple(dict.fromkeys(route[-1] for route in routes if route))
