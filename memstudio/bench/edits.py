"""The benchmark of fact edits: one at a time and undone, many in one batch, and in sequence; beside whole-model fine-tuning and LoRA."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from memstudio.bank.values import ClusterId
from memstudio.bench.asking import SHIPPED, Asking, Prompt, State, choose_requests
from memstudio.bench.baselines import fine_tune, tune_lora, weights_kept
from memstudio.bench.counts import Counts
from memstudio.editing.desk import Desk
from memstudio.editing.reach import reached
from memstudio.editing.update import Update
from memstudio.facts.score import answer_of, is_correct
from memstudio.facts.values import Fact
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.session.session import Session

Method = Literal["tuned", "closed-form", "fine-tuning", "lora"]
METHODS: tuple[Method, ...] = ("tuned", "closed-form", "fine-tuning", "lora")
SHARES = {
    "reliability": "reliability",
    "generalization_reached": "generalization, reached",
    "generalization": "generalization, all",
    "locality": "locality",
    "outside_identical": "bit-identical outside",
}
CHECKPOINTS = (25, 50, 100, 200)
_OUTSIDE = 8
_NEVER_EDITED = 1000


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
            with weights_kept(session):
                state = edit(method, asking, [fact], SHIPPED)
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
        with weights_kept(session):
            state = edit(method, asking, requests, SHIPPED)
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
    state = SHIPPED
    with weights_kept(session):
        for number, fact in enumerate(requests, 1):
            job.progress(number - 1, len(requests))
            start = time.perf_counter()
            state = edit(method, asking, [fact], state)
            seconds.append(time.perf_counter() - start)
            if number in CHECKPOINTS or number == len(requests):
                found[number] = counts = Counts(seconds=list(seconds))
                _score(asking, counts, requests[:number], state, _written(session, requests[:number]))
                _locality(asking, counts, never, state)
    return found


def edit(method: Method, asking: Asking, facts: Sequence[Fact], state: State) -> State:
    """The state after an edit of the facts; the peers leave the bank as it is and change the anchor's weights."""
    session = asking.session
    if method in ("fine-tuning", "lora"):
        (fine_tune if method == "fine-tuning" else tune_lora)(session, facts)
        return state
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
    return state.after(draft.changes, draft.tensors)


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
