"""Answering many facts' prompts: routed, generated or measured in batches whose rows fetch what each is routed to, judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memstudio.anchor.engine import answering, lender, said
from memstudio.anchor.gathered import Gathered, gathered
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId, Memory, Overlay
from memstudio.errors import UserError
from memstudio.facts.read import prompts_of
from memstudio.facts.routes import Path, read_routes
from memstudio.facts.score import agreement, learned_of, scored, total, wanted
from memstudio.facts.values import Answers, Fact, Judge, Phrasing, Scored, Scores
from memstudio.jobs import Job
from memstudio.session.forced import by_probability, teacher_forced
from memstudio.session.routing import refuse_without_generic

if TYPE_CHECKING:
    from memstudio.anchor.load import Anchor
    from memstudio.session.session import Session

_JUDGED = 1024
"""Prompts that are judged together by their answers' probabilities; progress is told between them."""
_ROUTED = 1024
"""Prompts whose key vectors are in memory together; a file of 100 MB may hold millions."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of a fact on its way to be answered."""

    fact: Fact
    phrasing: Phrasing
    text: str
    route: Path
    learned: bool


@dataclass(frozen=True, slots=True)
class How:
    """Under what prompts are answered, and which of the fact's answers count."""

    memory: Memory = "fetched"
    levels: int | None = None
    judge: Judge = "generation"
    answers: Answers = "expected"
    room: int | None = None
    """Tokens to generate at least; None: as many as an accepted answer needs, which cuts long wrong answers short."""


def score(
    session: Session,
    facts: Sequence[Fact] | None,
    *,
    memory: Memory,
    levels: int | None,
    hide: frozenset[ClusterId],
    hide_best: int | None,
    revision: int | None,
    job: Job,
    judge: Judge = "generation",
    answers: Answers = "expected",
    room: int | None = None,
) -> Scores:
    """See `Session.score`. Facts without the answer that is asked for (expected, target; both for the judge `probability`) are left out.

    judge: `generation`, free greedy generation; `teacher-forced`, every token of the answer is the likeliest after the true ones before
    it, which flatters editors; `probability`, the target's summed log-probability is above the expected answer's, as CounterFact counts.
    room: see `How.room`.

    Raises:
        UserError: also where no fact has such an answer.
    """
    start = time.perf_counter()
    _check(session, levels, hide_best)
    how = How(memory, levels, judge, answers, room)
    own = session.facts()
    given = own if facts is None else list(facts)
    chosen = answerable(session, given, how)
    routes = _routes(session, own, chosen, session.hidden | hide, hide_best, job)
    prompts = _prompts(chosen, routes)
    at = session.head if revision is None else revision
    rows = judged(session, prompts, how, overlay_at(session, at), job)
    agree = agreement(chosen, [[routes[text] for _, text in prompts_of(fact)] for fact in chosen], session.bank.tree.depth)
    return total(
        rows,
        memory=memory,
        revision=at,
        agreement=agree,
        seconds=time.perf_counter() - start,
        judge=judge,
        answers=answers,
        left_out=len(given) - len(chosen),
    )


def answerable(session: Session, facts: Sequence[Fact], how: How) -> list[Fact]:
    """The facts that have the answers which `how` asks for.

    Raises:
        UserError: none has.
    """
    if not facts:
        raise UserError(f"{session.bank.folder}: has no facts to score; name a facts file")
    needed: tuple[Answers, ...] = ("expected", "target") if how.judge == "probability" else (how.answers,)
    chosen = [fact for fact in facts if all(wanted(fact, answers) for answers in needed)]
    if not chosen:
        raise UserError(f"none of the {len(facts)} facts has an answer of the kind {' and '.join(needed)}; name a facts file that does")
    return chosen


def overlay_at(session: Session, revision: int) -> Overlay:
    """What differs from the bank as shipped at a revision; 0 needs no study.

    Raises:
        UserError: there is no such revision.
    """
    if revision == session.head:
        return session.overlay
    return session.store.overlay(revision) if revision else {}


def prompts_for(session: Session, facts: Sequence[Fact], job: Job) -> list[Prompt]:
    """Every prompt of the facts with its route; the clusters that the session hides are passed over."""
    return _prompts(facts, _routes(session, session.facts(), facts, session.hidden, None, job))


def judged(session: Session, prompts: Sequence[Prompt], how: How, overlay: Overlay, job: Job) -> list[Scored]:
    """The prompts judged, in their order."""
    if how.judge == "generation":
        texts = answered(session, prompts, how, overlay, job)
        return [row_of(prompt, text, how.answers) for prompt, text in zip(prompts, texts, strict=True)]
    judge = by_probability if how.judge == "probability" else teacher_forced
    blocks = _blocks(session, prompts, how, overlay)
    rows: dict[int, Scored] = {}
    for load in blocks.loads():
        ordered = sorted(load, key=lambda number: len(prompts[number].text))
        for start in range(0, len(ordered), _JUDGED):
            members = ordered[start : start + _JUDGED]
            rows |= zip(members, judge(session, [prompts[number] for number in members], how.answers, lender(blocks, members)), strict=True)
            job.progress(len(rows), len(prompts))
    return [rows[number] for number in range(len(prompts))]


def row_of(prompt: Prompt, text: str, answers: Answers = "expected") -> Scored:
    """One prompt judged by its generated text."""
    return scored(prompt.fact, prompt.phrasing, prompt.text, text, prompt.route, prompt.learned, answers)


def answered(session: Session, prompts: Sequence[Prompt], how: How, overlay: Overlay, job: Job, done: int = 0) -> list[str]:
    """The continuation of each prompt; prompts run together whatever they fetch, and equal ones once.

    done: how many prompts the job has behind it already.
    """
    anchor = session.running.anchor
    ids = [session.running.encode(prompt.text) for prompt in prompts]
    texts = [""] * len(prompts)
    lengths: dict[str, int] = {}
    total = done + len(prompts)
    rooms = [max(how.room or 0, room_of(anchor, prompt, how.answers, lengths)) for prompt in prompts]
    for members, tokens in answering(session.running.attached, ids, rooms, blocks=_blocks(session, prompts, how, overlay)):
        text = said(anchor, tokens)
        for number in members:
            texts[number] = text
        done += len(members)
        job.progress(done, total)
    return texts


def _blocks(session: Session, prompts: Sequence[Prompt], how: How, overlay: Overlay) -> Gathered:
    """What the prompts fetch, on the main arm, whose slots are left empty."""
    if how.memory == "generic":
        refuse_without_generic(session)
    wishes = [Wish(how.memory, prompt.route, how.levels) for prompt in prompts]
    return gathered(session.running.arm, wishes, overlay, session.blob)


def fetches(session: Session, route: Path, how: How, overlay: Overlay) -> tuple[object, ...]:
    """What a route really fetches, level by level, and what of it is muted; equal answers mean equal runs. Reads no weights."""
    wish = Wish(how.memory, route, how.levels)
    levels = range(1, session.bank.tree.depth + 1)
    return tuple((session.running.identity(wish, level, overlay), wish.at(level) in session.muted) for level in levels)


def _check(session: Session, levels: int | None, hide_best: int | None) -> None:
    depth = session.bank.tree.depth
    if levels is not None and not 0 <= levels <= depth:
        raise UserError(f"levels {levels}: this bank has {depth}; choose 0 to {depth}")
    if hide_best is not None and not 1 <= hide_best <= depth:
        raise UserError(f"hide-best {hide_best}: this bank has levels 1 to {depth}")


def _routes(
    session: Session, own: Sequence[Fact], facts: Sequence[Fact], hidden: frozenset[ClusterId], hide_best: int | None, job: Job
) -> dict[str, Path]:
    """The route of each prompt text. A shipped route that passes no hidden cluster is the one that the retriever would take again."""
    for cluster in hidden:
        session.bank.tree.check(cluster)
    shipped = read_routes(session.bank, own)
    texts = dict.fromkeys(text for fact in facts for _, text in prompts_of(fact))
    routes = {text: shipped[text] for text in texts if text in shipped and hidden.isdisjoint(shipped[text])}
    missing = list(texts) if hide_best is not None else [text for text in texts if text not in routes]
    if not missing:
        return routes
    tree = session.bank.tree
    for start in range(0, len(missing), _ROUTED):
        part = missing[start : start + _ROUTED]
        for text, key in zip(part, session.running.key_vectors(part), strict=True):
            passed = hidden
            if hide_best is not None:
                best = routes[text] if text in routes else tree.descend(key, hidden).clusters
                passed = hidden | frozenset(best[hide_best - 1 : hide_best])
            routes[text] = tree.descend(key, passed).clusters
        if len(missing) > _ROUTED:
            job.progress(start + len(part), len(missing))
    return routes


def _prompts(facts: Sequence[Fact], routes: dict[str, Path]) -> list[Prompt]:
    found: list[Prompt] = []
    for fact in facts:
        kinds = list(prompts_of(fact))
        learned = learned_of(fact, [routes[text] for _, text in kinds])
        found += [Prompt(fact, kind, text, routes[text], known) for (kind, text), known in zip(kinds, learned, strict=True)]
    return found


def room_of(anchor: Anchor, prompt: Prompt, answers: Answers, lengths: dict[str, int]) -> int:
    """Tokens to generate: the longest accepted answer, its end mark, and one to spare. A longer answer is wrong by then.

    lengths: tokens of answers met so far.
    """
    accepted = wanted(prompt.fact, answers)
    for answer in accepted:
        if answer not in lengths:
            lengths[answer] = len(anchor.continuation(prompt.text, answer))
    return 2 + max(lengths[answer] for answer in accepted)
