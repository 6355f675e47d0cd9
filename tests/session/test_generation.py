"""Tokens come one at a time, and edits land between two of them."""

from pathlib import Path

import pytest

from memstudio.anchor.values import Run, Sampling
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.events import Event, Finished, Generated
from memstudio.jobs import Job, Worker
from memstudio.session import Session, open_session

PROMPT = "Tell me about gold"
TEN = Sampling(max_tokens=10)


def ids(run: Run) -> list[int]:
    return [token.id for token in run.tokens]


def test_a_run_is_what_its_tokens_say(session: Session) -> None:
    run = session.run(PROMPT, sampling=TEN)
    assert "".join(token.text for token in run.tokens) == run.text
    assert [token.index for token in run.tokens] == list(range(len(run.tokens)))
    assert run.route == session.route(PROMPT)
    assert ids(session.run(PROMPT, sampling=TEN)) == ids(run)
    assert not run.stopped


def test_greedy_tokens_are_those_of_the_reference_path(session: Session) -> None:
    run = session.run(PROMPT, sampling=Sampling(max_tokens=4))
    assert run.tokens[0].id == int(session.logits(PROMPT)[-1].argmax())


def test_an_edit_lands_between_two_tokens_of_a_run_on_the_worker(tiny_bank: Path) -> None:
    worker = Worker("test")
    events: list[Event] = []

    def begin(_: Job) -> Session:
        session = open_session(tiny_bank, device="cpu")
        session.listen(events.append)
        return session

    session: Session = worker.submit("open", begin).future.result(60)
    apart = worker.submit("run", lambda job: session.run(PROMPT, sampling=TEN, job=job)).future.result(60)
    block = apart.route.clusters[0]

    def prune_after_the_third(event: Event) -> None:
        if isinstance(event, Generated) and event.token.index == 2 and session.head == 0:
            worker.submit("prune", lambda _: session.apply(Prune((block,))), urgent=True)

    session.listen(prune_after_the_third)
    run: Run = worker.submit("run", lambda job: session.run(PROMPT, sampling=TEN, job=job)).future.result(60)
    worker.submit("close", lambda _: session.close()).future.result(60)
    worker.close()
    assert ids(run)[:3] == ids(apart)[:3]
    assert [token.logprob for token in run.tokens[:3]] == [token.logprob for token in apart.tokens[:3]]
    assert ids(run) != ids(apart)
    assert [token.revision for token in run.tokens] == [0, 0, 0] + [1] * (len(run.tokens) - 3)
    assert run.revision == 1


def test_a_recomputed_run_goes_on_as_if_the_edit_had_been_there_before(session: Session) -> None:
    tokens = session.generate(PROMPT, sampling=TEN)
    first = [next(tokens) for _ in range(3)]
    session.apply(Prune(session.route(PROMPT).clusters[:1]))
    session.recompute()
    rest = list(tokens)
    fresh = session.run(PROMPT, sampling=TEN, prefix=[token.id for token in first])
    assert [token.id for token in rest] == ids(fresh)
    assert rest[0].logprob == pytest.approx(fresh.tokens[0].logprob, abs=1e-4)
    assert rest[0].index == 3


def test_a_run_that_goes_on_keeps_the_old_values_of_earlier_tokens(session: Session) -> None:
    def third(recompute: bool) -> float:
        tokens = session.generate(PROMPT, sampling=TEN)
        next(tokens), next(tokens)
        session.apply(Prune(session.route(PROMPT).clusters[:1]))
        if recompute:
            session.recompute()
        logprob = next(tokens).logprob
        tokens.close()
        session.undo()
        return logprob

    assert third(recompute=False) != pytest.approx(third(recompute=True), abs=1e-4)


def test_other_work_between_two_tokens_does_not_disturb_a_run(session: Session) -> None:
    apart = session.run(PROMPT, sampling=TEN)
    tokens = session.generate(PROMPT, sampling=TEN)
    mixed = []
    for token in tokens:
        mixed.append(token.id)
        session.logits("Element tin has the atomic number", memory="generic")
        session.trace("The atomic number of lead is")
    assert mixed == ids(apart)


def test_a_cancelled_run_ends_as_stopped_with_the_tokens_so_far(session: Session) -> None:
    job = Job("run")
    session.listen(lambda event: job.cancel() if isinstance(event, Generated) and event.token.index == 3 else None)
    run = session.run(PROMPT, sampling=TEN, job=job)
    assert run.stopped
    assert len(run.tokens) == 4


def test_closing_the_iterator_stops_the_run(session: Session) -> None:
    ends: list[Run] = []
    session.listen(lambda event: ends.append(event.result) if isinstance(event, Finished) else None)
    tokens = session.generate(PROMPT, sampling=TEN)
    next(tokens)
    tokens.close()
    assert [run.stopped for run in ends] == [True]


@pytest.mark.parametrize("text", ["", "  \n", "gold " * 300])
def test_an_empty_or_over_long_prompt_is_refused_before_the_first_token(session: Session, text: str) -> None:
    for call in (session.generate, session.logits, session.trace):
        with pytest.raises(UserError):
            call(text, route=session.bank.tree.route_to(session.bank.tree.children(None)[0]))
