"""The benchmark of fact edits: one at a time and undone, many in one batch, and in sequence; beside whole-model fine-tuning and LoRA."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Literal

from memstudio.bank.values import ClusterId
from memstudio.bench.asking import SHIPPED, Asking, Prompt, State, choose_requests
from memstudio.bench.baselines import fine_tuned, with_lora
from memstudio.bench.counts import Counts
from memstudio.editing.reach import reached
from memstudio.editing.update import Update
from memstudio.facts.score import answer_of, is_correct
from memstudio.facts.values import Fact
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.session.session import Session

Method = Literal["tuned", "closed-form", "fine-tuning", "lora"]
METHODS: tuple[Method, ...] = ("tuned", "closed-form", "fine-tuning", "lora")
CHECKPOINTS = (25, 50, 100, 200)
_OUTSIDE = 8
_NEVER_EDITED = 1000
Edited = Callable[[Asking, Sequence[Fact], State], AbstractContextManager[State]]


def one_at_a_time(session: Session, methods: Sequence[Method], count: int, seed: int, withhold: int, job: Job) -> dict[str, Counts]:
    """Each fact changed, scored, and put back; the same facts for every method."""
    asking = Asking(session)
    requests = choose_requests(asking, count, seed, withhold, job)
    found: dict[str, Counts] = {method: Counts() for method in methods}
    for number, fact in enumerate(requests):
        blocks = _written(session, [fact])
        living = asking.living(blocks, {fact.id})
        outside = asking.outside(set(blocks), _OUTSIDE, seed + number)
        references = [asking.reference(prompt, SHIPPED) for prompt in outside]
        for method in methods:
            job.progress(number * len(methods) + list(methods).index(method), len(requests) * len(methods))
            counts, start = found[method], time.perf_counter()
            with edited(method)(asking, [fact], SHIPPED) as state:
                counts.seconds.append(time.perf_counter() - start)
                start = time.perf_counter()
                _score(asking, counts, [fact], state, blocks)
                _locality(asking, counts, living, state)
                counts.count("outside_identical", asking.identical(outside, references, state), len(outside))
                counts.scoring_s += time.perf_counter() - start
    return found


def in_one_batch(session: Session, methods: Sequence[Method], count: int, seed: int, withhold: int, job: Job) -> dict[str, Counts]:
    """All facts in one edit, scored together."""
    asking = Asking(session)
    requests = choose_requests(asking, count, seed, withhold, job)
    blocks = _written(session, requests)
    living = asking.living(blocks, {fact.id for fact in requests})
    outside = asking.outside(set(blocks), _OUTSIDE * 8, seed)
    references = [asking.reference(prompt, SHIPPED) for prompt in outside]
    found: dict[str, Counts] = {}
    for number, method in enumerate(methods):
        job.progress(number, len(methods))
        counts, start = Counts(), time.perf_counter()
        with edited(method)(asking, requests, SHIPPED) as state:
            counts.seconds.append(time.perf_counter() - start)
            start = time.perf_counter()
            _score(asking, counts, requests, state, blocks)
            _locality(asking, counts, living, state)
            counts.count("outside_identical", asking.identical(outside, references, state), len(outside))
            counts.scoring_s += time.perf_counter() - start
        found[method] = counts
    return found


def in_sequence(session: Session, method: Method, count: int, seed: int, withhold: int, job: Job) -> dict[int, Counts]:
    """One edit upon the other, nothing undone; scored after 25, 50, 100, 200: all edits so far, and facts that never were edited."""
    asking = Asking(session)
    requests = choose_requests(asking, count, seed, withhold, job)
    others = asking.outside(set(), len(asking.facts) * 8, seed)
    edited_texts = {text for fact in requests for text in (fact.prompt, *fact.phrasings, *fact.held_out)}
    never = [prompt for prompt in others if prompt[0] not in edited_texts][:_NEVER_EDITED]
    asking.before(never)
    found: dict[int, Counts] = {}
    seconds: list[float] = []
    open_edits: list[AbstractContextManager[State]] = []
    state = SHIPPED
    try:
        for number, fact in enumerate(requests, 1):
            job.progress(number - 1, len(requests))
            start = time.perf_counter()
            context = edited(method)(asking, [fact], state)
            state = context.__enter__()
            open_edits.append(context)
            seconds.append(time.perf_counter() - start)
            if number in CHECKPOINTS or number == len(requests):
                found[number] = counts = Counts(seconds=list(seconds))
                _score(asking, counts, requests[:number], state, _written(session, requests[:number]))
                _locality(asking, counts, never, state)
    finally:
        for context in reversed(open_edits):
            context.__exit__(None, None, None)
    return found


def edited(method: Method) -> Edited:
    """The way a method is tried: a context in which its edit holds, which gives the state of the bank to ask under."""
    if method in ("tuned", "closed-form"):
        return _memory(method)
    return _peer(fine_tuned if method == "fine-tuning" else with_lora)


def _memory(method: Method) -> Edited:
    @contextmanager
    def apply(asking: Asking, facts: Sequence[Fact], state: State) -> Iterator[State]:
        from memstudio.editing.desk import Desk

        session = asking.session
        desk = Desk(
            session.bank,
            dict(state.overlay),
            lambda: session.running.spare,
            state.tensors.__getitem__,
            session.routes,
            session.facts,
            Job("bench"),
        )
        draft = Update(tuple(facts), method="tuned" if method == "tuned" else "closed-form").draft(desk)
        yield state.after(draft.changes, draft.tensors)

    return apply


def _peer(context: Callable[[Session, Sequence[Fact]], AbstractContextManager[None]]) -> Edited:
    @contextmanager
    def apply(asking: Asking, facts: Sequence[Fact], state: State) -> Iterator[State]:
        with context(asking.session, facts):
            yield state

    return apply


def _written(session: Session, facts: Sequence[Fact]) -> tuple[ClusterId, ...]:
    """The blocks that an update of the facts writes to."""
    paths = session.routes([text for fact in facts for text in (fact.prompt, *fact.phrasings)])
    return reached(session.bank, {}, paths)


def _score(asking: Asking, counts: Counts, facts: Sequence[Fact], state: State, blocks: Sequence[ClusterId]) -> None:
    for fact in facts:
        taught = asking.routed([fact.prompt, *fact.phrasings])
        counts.count("reliability", sum(is_correct(answer, fact.target) for answer in asking.ask(taught, state)), len(taught))
        withheld = asking.routed(fact.held_out)
        before = asking.before(withheld)
        known = [p for p, answer in zip(withheld, before, strict=True) if is_correct(answer, fact.expected, fact.aliases)]
        right = [is_correct(answer, fact.target) for answer in asking.ask(known, state)]
        counts.count("generalization", sum(right), len(right))
        there = [ok for (_, path), ok in zip(known, right, strict=True) if not set(blocks).isdisjoint(path)]
        counts.count("generalization_reached", sum(there), len(there))


def _locality(asking: Asking, counts: Counts, prompts: Sequence[Prompt], state: State) -> None:
    pairs = zip(asking.before(prompts), asking.ask(prompts, state), strict=True)
    counts.count("locality", sum(answer_of(one).casefold() == answer_of(other).casefold() for one, other in pairs), len(prompts))
