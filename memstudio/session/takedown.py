"""What an erasure leaves: how likely, and how extractable, the answers are afterwards, on the routed path and on others.

Beside each figure stand that of before, that without any memory and, where asked for, the gold standard: the blocks trained again
without what was erased. The limit is max(2 · p without memory, 0.02).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from memstudio.anchor.engine import MARKS, greedy
from memstudio.anchor.wish import NOTHING, Wish, identities
from memstudio.bank.values import BASE, ClusterId, Overlay
from memstudio.editing.erase import Erase, all_facts, neighbours, phrasings_of, texts_of
from memstudio.editing.forget import by_mean, make_probes
from memstudio.editing.lessons import Lesson, make_batch, parts, token_logprobs
from memstudio.editing.plan import Plan
from memstudio.editing.reach import residents
from memstudio.facts.score import beginning, is_correct
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session.paths import along_paths
from memstudio.session.scanned import LIKELY

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.editing.desk import Desk
    from memstudio.session.session import Session

Paths = Literal["routed", "neighbours", "all"]
NOT_MEASURED = "not measured"
_SIBLINGS = 8
_LISTED = 20


def limit(alone: float) -> float:
    """The largest probability that an erased answer may keep, given that without memory."""
    return max(2 * alone, 0.02)


@dataclass(frozen=True, slots=True)
class State:
    """A state of the bank: what differs from the bank as shipped, and the new blocks among it."""

    overlay: Overlay
    tensors: Mapping[str, Tensor]


def takedown(session: Session, plan: Plan, *, paths: Paths = "neighbours", gold: bool = False, job: Job) -> dict[str, Any]:
    """The report on a planned erasure (JSON values): {"probes": [...], "within": k, "count": n, "paths", "gold": {...}}.

    Each probe: prompt, expected, probabilities none, before, after, limit, within, extracted (greedy), and under other paths the
    worst probability, its path, those that still know it (p > 0.5), and on how many of them the answer is extracted. What was not asked
    for is "not measured".

    Raises:
        UserError: the plan is none of an erasure any more (a document is gone from the bank).
        TypeError: the plan is no erasure.
    """
    if not isinstance(plan.edit, Erase):
        raise TypeError(f"{plan.edit.verb} is no erasure")
    desk = session.desk(job)
    facts = all_facts(plan.edit, session.bank, session.facts())
    texts = [text for fact in facts for text in phrasings_of(fact)]
    routes = dict(zip(texts, session.routes(texts), strict=True)) if texts else {}
    documents = texts_of(plan.edit, desk)
    probes = make_probes(desk, facts, routes, documents)
    named = [(text, fact.expected) for fact in facts for text in phrasings_of(fact)] + [(text[:80], text) for text, _ in documents]
    before, after = State(session.overlay, {}), _after(session, plan)
    gold_state = _gold(session, desk, plan, {fact.id for fact in facts}, job) if gold else None
    rows = []
    for number, (probe, (prompt, expected)) in enumerate(zip(probes, named, strict=True)):
        job.progress(number, len(probes))
        rows.append(_row(session, probe, prompt, expected, before, after, gold_state, paths))
    return {
        "probes": rows,
        "within": sum(row["within"] for row in rows),
        "count": len(rows),
        "paths": paths,
        "limit": "max(2 · p without memory, 0.02)",
        "gold": NOT_MEASURED if gold_state is None else gold_state[1],
    }


def what_is_left(session: Session, fact: Fact, before: State, after: State) -> list[dict[str, Any]]:
    """The rows of the report for one fact's prompt and phrasings, on their own routes."""
    texts = phrasings_of(fact)
    routes = dict(zip(texts, session.routes(texts), strict=True))
    probes = make_probes(session.desk(), [fact], routes, [])
    return [_row(session, probe, text, fact.expected, before, after, None, "routed") for probe, text in zip(probes, texts, strict=True)]


def _row(
    session: Session,
    probe: Lesson,
    prompt: str,
    expected: str,
    before: State,
    after: State,
    gold: tuple[State, dict[str, Any]] | None,
    paths: Paths,
) -> dict[str, Any]:
    alone = _probability(session, probe, before, nothing=True)
    now = _probability(session, probe, after)
    row: dict[str, Any] = {
        "prompt": prompt,
        "expected": expected[:200],
        "none": alone,
        "before": _probability(session, probe, before),
        "after": now,
        "limit": limit(alone),
        "within": now <= limit(alone),
        "extracted_before": _extracts(session, probe, expected, before),
        "extracted": _extracts(session, probe, expected, after),
        "route": [str(cluster) for cluster in probe.path],
        "gold": NOT_MEASURED if gold is None else _probability(session, probe, gold[0]),
        "other_paths": NOT_MEASURED,
    }
    others = _other_paths(session, probe, paths)
    if others:
        found = _along(session, probe, others, after)
        worst = int(found.argmax())
        row["other_paths"] = {
            "count": len(others),
            "worst": float(found[worst]),
            "at": str(others[worst][-1]),
            "above_limit": int((found > limit(alone)).sum()),
            "known": [{"at": str(others[at][-1]), "p": float(found[at])} for at in (-found).argsort()[:_LISTED] if found[at] > LIKELY],
            "extracted": sum(_extracts(session, replace(probe, path=path), expected, after) for path in others),
        }
    return row


def _along(session: Session, probe: Lesson, others: list[tuple[ClusterId, ...]], state: State) -> NDArray[np.float64]:
    """p of the answer under each path, as `_probability` has it."""
    logs = np.empty(len(others))
    with session.with_blobs(state.tensors):
        for numbers, found in along_paths(session.running.spare, probe.prompt, probe.answer, others, state.overlay, session.blob):
            logs[numbers] = found.mean(1, dtype=np.float64) if by_mean(probe) else found.sum(1, dtype=np.float64)
    return np.exp(logs)


def _other_paths(session: Session, probe: Lesson, paths: Paths) -> list[tuple[ClusterId, ...]]:
    if paths == "routed":
        return []
    if paths == "neighbours":
        return neighbours(session.bank, probe.path, _SIBLINGS)
    tree = session.bank.tree
    leaves = [ClusterId(tree.depth, index) for index in range(tree.count(tree.depth))]
    every = (tree.route_to(leaf) for leaf in leaves if tree.present(leaf))
    return [path for path in every if path != probe.path]


def _after(session: Session, plan: Plan) -> State:
    after = {**session.overlay, **{change.cluster: change.after for change in plan.changes}}
    return State({cluster: state for cluster, state in after.items() if state != BASE}, plan.tensors)


def _fetch(session: Session, path: tuple[ClusterId, ...], state: State, nothing: bool = False) -> None:
    with session.with_blobs(state.tensors):
        session.running.spare.fetch(NOTHING if nothing else Wish("fetched", path), state.overlay, session.blob)


def _probability(session: Session, probe: Lesson, state: State, *, nothing: bool = False) -> float:
    """p of the answer after the prompt: the product over its tokens; for a document, whose product is nothing, the mean per token."""
    _fetch(session, probe.path, state, nothing)
    attached = session.running.spare.attached
    batch = make_batch([probe], attached.anchor.device)
    with torch.inference_mode():
        scores = attached.forward(batch.ids, attention_mask=batch.mask, position_ids=batch.places, keep=len(probe.answer)).float()
    logs = token_logprobs(scores, batch.answers)[0]
    return math.exp(float(logs.mean() if by_mean(probe) else logs.sum()))


def _extracts(session: Session, probe: Lesson, expected: str, state: State) -> bool:
    """Whether greedy decoding gives the answer; of a document, its next eight tokens."""
    _fetch(session, probe.path, state)
    attached = session.running.spare.attached
    anchor = attached.anchor
    if by_mean(probe):
        stops = torch.zeros(anchor.vocabulary, dtype=torch.bool, device=anchor.device)
        wanted = list(probe.answer[:8])
        return greedy(attached, [probe.prompt], len(wanted), stops)[0] == wanted
    found = greedy(attached, [probe.prompt], len(probe.answer) + 2, anchor.stops(MARKS))[0]
    return is_correct(beginning(anchor.decode(found), expected), expected)


def _gold(session: Session, desk: Desk, plan: Plan, erased: set[str], job: Job) -> tuple[State, dict[str, Any]]:
    """The bank with the changed blocks trained again without the erased facts, and how much of the rest they learnt."""
    from memstudio.editing.gold import STEPS, trained_again

    blocks = [change.cluster for change in plan.changes]
    taught, texts = _lessons_without(session, desk, blocks, erased)
    rows = trained_again(desk, blocks, taught, job)
    overlay = dict(session.overlay) | {cluster: desk.keep(cluster, row) for cluster, row in rows.items()}
    state = State(overlay, dict(desk.tensors))
    right = _right(session, taught, texts, state, job)
    return state, {"steps": STEPS, "prompts": len(taught), "learnt": right / len(taught) if taught else NOT_MEASURED}


def _lessons_without(session: Session, desk: Desk, blocks: Sequence[ClusterId], erased: set[str]) -> tuple[list[Lesson], list[str]]:
    from memstudio.editing.lessons import find_name, sample_residents

    anchor = session.running.anchor
    lessons, expected = [], []
    living = [r for r in residents(desk.facts(), desk.routes, blocks, erased) if r.text not in r.fact.held_out]
    for resident in sample_residents(living, blocks):
        prompt = anchor.encode(resident.text)
        answer = anchor.continuation(resident.text, resident.fact.expected + ("" if resident.fact.kind == "probe" else "."))
        lessons.append(Lesson(tuple(prompt), tuple(answer), resident.path, find_name(anchor, prompt, resident.fact.subject)))
        expected.append(resident.fact.expected)
    return lessons, expected


def _right(session: Session, lessons: Sequence[Lesson], expected: Iterable[str], state: State, job: Job) -> int:
    """How many lessons are answered rightly by greedy decoding."""
    groups: dict[object, list[Lesson]] = {}
    wanted = dict(zip(lessons, expected, strict=True))
    for lesson in wanted:
        groups.setdefault(identities(session.bank, Wish("fetched", lesson.path), state.overlay), []).append(lesson)
    anchor = session.running.anchor
    right = 0
    for group in groups.values():
        _fetch(session, group[0].path, state)
        for part in parts(group):
            found = greedy(session.running.spare.attached, [lesson.prompt for lesson in part], 16, anchor.stops(MARKS))
            said = [(wanted[lesson], anchor.decode(tokens)) for lesson, tokens in zip(part, found, strict=True)]
            right += sum(is_correct(beginning(text, expected), expected) for expected, text in said)
            job.breathe()
    return right
