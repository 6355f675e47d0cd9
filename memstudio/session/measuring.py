"""Measuring what an edit did: the same prompts answered before and after it on the spare arm, so that no run is disturbed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memstudio.anchor.engine import answering, logits, said
from memstudio.anchor.engine import answers as greedy_answers
from memstudio.anchor.gathered import gathered
from memstudio.anchor.wish import NOTHING, Wish, identities
from memstudio.bank.block import block_digest
from memstudio.bank.overlay import resolve
from memstudio.bank.values import BASE, BlockState, Change, ClusterId, Overlay
from memstudio.editing.erase import Erase, all_facts
from memstudio.editing.plan import Edit, Plan
from memstudio.editing.reach import Path
from memstudio.facts.read import prompts_of
from memstudio.facts.receipt import ROOM, Difference, Measured, Role, make_receipt
from memstudio.facts.score import beginning
from memstudio.facts.statistics import Proportion, proportion
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session.elsewhere import elsewhere

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.history.values import Revision
    from memstudio.session.session import Session

SAMPLE, OUTSIDE, SEED = 256, 8, 0
_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class _Ask:
    """A prompt that is answered before and after."""

    fact: str
    role: Role
    text: str
    path: Path
    old: str
    aliases: tuple[str, ...]
    wanted: str
    reached: bool
    span: str = ""
    """Of a probe: only so much of an answer is judged."""


@dataclass(frozen=True, slots=True)
class _States:
    """The bank before and after; tensors: the new blocks that are not in the study yet."""

    before: Overlay
    after: Overlay
    changes: tuple[Change, ...]
    tensors: Mapping[str, Tensor]


def measured(session: Session, plan: Plan, *, edit_seconds: float, job: Job, limit: int | None = SAMPLE) -> Plan:
    """The plan with its whole receipt. limit: at most so many co-resident prompts, drawn with a fixed seed; None takes all.

    Raises:
        UserError: a prompt that cannot be run or routed.
    """
    before = session.overlay
    states = _States(before, _after(before, plan.changes), plan.changes, plan.tensors)
    receipt = _receipt(session, states, _asked_for(session, plan.edit), edit_seconds, job, limit)
    return dataclasses.replace(plan, receipt={**plan.receipt, **receipt, **_still_known(session, states, job)})


def measure_states(
    session: Session,
    changes: Sequence[Change],
    tensors: Mapping[str, Tensor],
    facts: Sequence[Fact],
    *,
    job: Job,
    limit: int | None = SAMPLE,
) -> dict[str, Any]:
    """The measured part of the receipt of `changes`, made on the bank as shipped.

    facts: those that were to change; one without a target was to go. tensors: the new blocks that are not in the study.

    Raises:
        UserError: a prompt that cannot be run or routed.
    """
    return _receipt(session, _States({}, _after({}, changes), tuple(changes), tensors), facts, 0.0, job, limit)


def measure_revision(session: Session, number: int, job: Job, limit: int | None = SAMPLE) -> Revision:
    """Measure a committed revision against its parent and keep the receipt with it; what its gate said stays.

    Raises:
        UserError: no such revision, the bank as shipped, the session only reads.
    """
    from memstudio.editing.kinds import edit_from_json
    from memstudio.errors import UserError

    revision = session.store.revision(number)
    if revision.parent is None:
        raise UserError("revision 0 is the bank as shipped: it changed nothing that could be measured")
    states = _States(session.store.overlay(revision.parent), session.store.overlay(number), revision.changes, {})
    described = revision.receipt.get("edit")
    facts = _asked_for(session, edit_from_json(described)) if isinstance(described, dict) else []
    seconds = revision.receipt.get("seconds")
    spent = float(seconds["edit"]) if isinstance(seconds, dict) and isinstance(seconds.get("edit"), int | float) else 0.0
    receipt = _receipt(session, states, facts, spent, job, limit)
    return session.store.annotate(number, {**revision.receipt, **receipt, **_still_known(session, states, job)})


def _asked_for(session: Session, edit: Edit) -> list[Fact]:
    """The facts that an edit is to change; those without a target are to go, those in erased documents among them."""
    if isinstance(edit, Erase):
        return [dataclasses.replace(fact, target="") for fact in all_facts(edit, session.bank, session.facts())]
    return list(edit.facts)


def _receipt(session: Session, states: _States, facts: Sequence[Fact], edit_seconds: float, job: Job, limit: int | None) -> dict[str, Any]:
    start = time.perf_counter()
    with session.with_blobs(states.tensors):
        asks = _about(session, states, facts)
        living, residents, outside = _others(session, states, facts, limit)
        asks += living
        texts = _answered(session, states, asks, job)
        alone = _alone(session, [ask for ask in asks if ask.role == "taught" and not ask.wanted])
        found = [_judged(ask, *texts[ask.text, ask.path], alone.get(ask.text, "")) for ask in asks]
        same = _identical(session, states, outside, job)
        differences = _differences(session, states)
    seconds = {"edit": edit_seconds, "receipt": time.perf_counter() - start}
    return make_receipt(found, same, differences, residents, SEED, seconds)


def _still_known(session: Session, states: _States, job: Job) -> dict[str, Any]:
    """`elsewhere` of what was taken out; evidence goes without it, since it is no figure of the edit but of the rest of the bank."""
    with session.with_blobs(states.tensors):
        known = elsewhere(session, states.changes, states.before, states.after, job)
    return {"elsewhere": known} if known else {}


def _judged(ask: _Ask, before: str, after: str, alone: str) -> Measured:
    if ask.span:
        before, alone = beginning(before, ask.span), beginning(alone, ask.span)
        after = after if ask.wanted else beginning(after, ask.span)
    return Measured(ask.fact, ask.role, ask.text, before, after, ask.old, ask.aliases, ask.wanted, ask.reached, alone)


def _alone(session: Session, asks: Sequence[_Ask]) -> dict[str, str]:
    """What the anchor says without any memory: an erasure cannot be asked for less."""
    texts = list(dict.fromkeys(ask.text for ask in asks))
    if not texts:
        return {}
    arm = session.running.spare
    arm.fetch(NOTHING, {}, session.blob)
    return dict(zip(texts, greedy_answers(arm.attached, [session.running.encode(text) for text in texts], ROOM), strict=True))


def _about(session: Session, states: _States, facts: Sequence[Fact]) -> list[_Ask]:
    """The prompts of the edited facts themselves, and the probes that came with them."""
    asks = []
    for fact in facts:
        wanted, erasing = fact.target, not fact.target
        for (phrasing, text), path in zip(prompts_of(fact), session.routes([text for _, text in prompts_of(fact)]), strict=True):
            role: Role = "withheld" if phrasing == "held_out" and not erasing else "taught"
            span = fact.expected if fact.kind == "probe" else ""
            asks.append(_Ask(fact.id, role, text, path, fact.expected, fact.aliases, wanted, _reached(session, states, path), span))
        follow = [] if erasing else list(fact.portability)
        for probe, path in zip(follow, session.routes([probe.prompt for probe in follow]), strict=True):
            asks.append(_Ask(fact.id, "portability", probe.prompt, path, "", (), probe.expected, _reached(session, states, path)))
    return asks


def _others(session: Session, states: _States, facts: Sequence[Fact], limit: int | None) -> tuple[list[_Ask], int, list[tuple[str, Path]]]:
    """Co-resident prompts (a sample that meets every changed block), how many there are, and a sample of those that fetch none."""
    edited = {fact.id for fact in facts}
    spans = {fact.prompt: fact.expected for fact in session.facts() if fact.kind == "probe"}
    known = [(fact, text) for fact in session.facts() if fact.id not in edited for _, text in prompts_of(fact)]
    pairs = [(fact.id, text) for fact, text in known]
    pairs += [(f"{fact.id}: locality", probe.prompt) for fact in facts for probe in fact.locality]
    fetched: dict[Path, bool] = {}
    living: list[_Ask] = []
    outside: list[tuple[str, Path]] = []
    for (fact_id, text), path in zip(pairs, session.routes([text for _, text in pairs]), strict=True):
        if path not in fetched:
            fetched[path] = _reached(session, states, path)
        if fetched[path]:
            living.append(_Ask(fact_id, "resident", text, path, "", (), "", True, spans.get(text, "")))
        else:
            outside.append((text, path))
    random = np.random.default_rng(SEED)
    drawn = random.choice(len(outside), min(OUTSIDE, len(outside)), replace=False).tolist() if outside else []
    return _sample(living, states, limit, random), len(living), [outside[row] for row in drawn]


def _sample(living: list[_Ask], states: _States, limit: int | None, random: np.random.Generator) -> list[_Ask]:
    """At most `limit`, an equal share of each changed block's own prompts first, so that no block goes unseen."""
    if limit is None or len(living) <= limit:
        return living
    order = random.permutation(len(living)).tolist()
    queues: dict[ClusterId, list[int]] = {change.cluster: [] for change in reversed(states.changes)}
    for row in order:
        for cluster in living[row].path:
            if cluster in queues:
                queues[cluster].append(row)
    chosen: dict[int, None] = {}
    while len(chosen) < limit and any(queues.values()):
        for queue in queues.values():
            if queue and len(chosen) < limit:
                chosen[queue.pop()] = None
    return [living[row] for row in sorted(chosen)]


def _reached(session: Session, states: _States, path: Path) -> bool:
    """Whether what a route really fetches differs between the two states."""
    wish = Wish("fetched", path)
    return identities(session.bank, wish, states.before) != identities(session.bank, wish, states.after)


def _answered(session: Session, states: _States, asks: Sequence[_Ask], job: Job) -> dict[tuple[str, Path], tuple[str, str]]:
    """(before, after) of each prompt; one that fetches the same blocks in both states is answered once."""
    prompts = list(dict.fromkeys((ask.text, ask.path) for ask in asks))
    reached = {path: _reached(session, states, path) for _, path in prompts}
    again = [(text, path) for text, path in prompts if reached[path]]
    total = len(prompts) + len(again)
    before = _answers(session, states.before, prompts, job, 0, total)
    after = before | _answers(session, states.after, again, job, len(prompts), total)
    return {prompt: (before[prompt], after[prompt]) for prompt in prompts}


def _answers(
    session: Session, overlay: Overlay, prompts: Sequence[tuple[str, Path]], job: Job, done: int, total: int
) -> dict[tuple[str, Path], str]:
    """The greedy answer of each prompt; prompts run together whatever they fetch."""
    arm, ids = session.running.spare, [session.running.encode(text) for text, _ in prompts]
    blocks = gathered(arm, [Wish("fetched", path) for _, path in prompts], overlay, session.blob)
    found: dict[tuple[str, Path], str] = {}
    for members, tokens in answering(arm.attached, ids, [ROOM] * len(ids), blocks=blocks):
        found |= dict.fromkeys((prompts[number] for number in members), said(arm.attached.anchor, tokens))
        job.progress(done + len(found), total)
    return found


def _identical(session: Session, states: _States, prompts: Sequence[tuple[str, Path]], job: Job) -> Proportion:
    """Of prompts that fetch no changed block, how many have bit-identical logits; the slots are filled anew for each."""
    same = []
    for text, path in prompts:
        pair = []
        for overlay in (states.before, states.after):
            session.running.spare.attached.slots.clear()
            session.running.spare.fetch(Wish("fetched", path), overlay, session.blob)
            pair.append(logits(session.running.spare.attached, session.running.encode(text)))
        same.append(torch.equal(*pair))
        job.breathe()
    return proportion(same)


def _differences(session: Session, states: _States) -> list[Difference]:
    found = []
    for change in states.changes[:_BLOCKS]:
        before, after = (_block(session, change.cluster, state) for state in (change.before, change.after))
        rows = [row for row, _ in (before, after) if row is not None]
        zeros = torch.zeros_like(rows[0]) if rows else torch.zeros(1)
        difference = (before[0] if before[0] is not None else zeros) - (after[0] if after[0] is not None else zeros)
        found.append(Difference(str(change.cluster), before[1], after[1], float(difference.norm())))
    return found


def _block(session: Session, cluster: ClusterId, state: BlockState) -> tuple[Tensor | None, str]:
    """The row in float32 with its scale on the down projections, and its digest as stored, the scale named where it is not 1."""
    if state.pruned:
        return None, "pruned"
    if state == BASE and not session.bank.has_block(cluster):
        return None, "none"
    resolved = resolve(session.bank, {cluster: state}, cluster, session.blob)
    if resolved.row is None or resolved.cluster != cluster:
        return None, "none"
    row = resolved.row.float().clone()
    if state.scale != 1.0:
        for _, _, down in session.bank.layouts[cluster.level - 1].split(row):
            down.mul_(state.scale)
    return row, block_digest(resolved.row) + (f" × {state.scale:g}" if state.scale != 1.0 else "")


def _after(overlay: Overlay, changes: Sequence[Change]) -> Overlay:
    after = {**overlay, **{change.cluster: change.after for change in changes}}
    return {cluster: state for cluster, state in after.items() if state != BASE}
