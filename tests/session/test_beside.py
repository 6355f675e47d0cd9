"""Each token of a session's run under lesser memories; what of it edits in mid-run change, and a trace of one token."""

from collections.abc import Sequence

import pytest

from memstudio.anchor.engine import logits
from memstudio.anchor.values import Run, Sampling, Token
from memstudio.bank.values import Memory
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.session import Session

PROMPT = "Tell me about gold"
TEN = Sampling(max_tokens=10)
LESSER: tuple[Memory, ...] = ("generic", "none")


def ids(run: Run) -> list[int]:
    return [token.id for token in run.tokens]


def reference(session: Session, tokens: Sequence[Token], memory: Memory) -> list[float]:
    """log p of each token after the prompt and the tokens before it, on the reference path."""
    prompt = session.running.encode(PROMPT)
    session.logits(PROMPT, memory=memory)  # so that the slots hold it
    scores = logits(session.running.attached, prompt + [token.id for token in tokens]).log_softmax(-1)
    return [float(scores[len(prompt) - 1 + at, token.id]) for at, token in enumerate(tokens)]


def lane(tokens: Sequence[Token], memory: Memory) -> list[float]:
    return [found.logprob for token in tokens if (found := token.lane(memory)) is not None]


def test_lanes_say_what_the_session_s_own_reference_path_says(session: Session) -> None:
    run = session.run(PROMPT, sampling=TEN, beside=True)
    assert ids(run) == ids(session.run(PROMPT, sampling=TEN))
    assert [token.logprob for token in run.tokens] == pytest.approx(reference(session, run.tokens, "fetched"), abs=1e-4)
    for memory in LESSER:
        assert lane(run.tokens, memory) == pytest.approx(reference(session, run.tokens, memory), abs=1e-4)
        first = session.logits(PROMPT, memory=memory)[-1].log_softmax(-1)
        assert lane(run.tokens[:1], memory) == pytest.approx([float(first[run.tokens[0].id])], abs=1e-4)


def test_what_is_not_asked_for_or_makes_no_sense_is_not_measured(session: Session) -> None:
    assert {token.gain for token in session.run(PROMPT, sampling=TEN).tokens} == {None}
    generic = session.run(PROMPT, sampling=TEN, memory="generic", beside=True)
    assert {tuple(lane.memory for lane in token.beside) for token in generic.tokens} == {("none",)}
    assert {token.beside for token in session.run(PROMPT, sampling=TEN, memory="none", beside=True).tokens} == {()}


def test_a_run_with_every_block_muted_gains_nothing(session: Session) -> None:
    session.mute(session.route(PROMPT).clusters)
    run = session.run(PROMPT, sampling=TEN, beside=True)
    assert [token.gain for token in run.tokens] == pytest.approx([0.0] * 10, abs=1e-4)
    assert not any(token.decided for token in run.tokens)


@pytest.mark.parametrize("recompute", [False, True])
def test_an_edit_in_mid_run_leaves_the_lanes_on_the_same_text(session: Session, recompute: bool) -> None:
    def tokens(beside: bool) -> list[Token]:
        stream = session.generate(PROMPT, sampling=TEN, beside=beside)
        found = [next(stream) for _ in range(3)]
        session.apply(Prune(session.route(PROMPT).clusters[:1]))
        if recompute:
            session.recompute()
        found += stream
        session.undo()
        return found

    found = tokens(True)
    assert [(token.id, token.logprob) for token in found] == [(token.id, token.logprob) for token in tokens(False)]
    for memory in LESSER:
        assert lane(found, memory) == pytest.approx(reference(session, found, memory), abs=1e-4)


def test_a_trace_of_one_token_explains_it_by_its_id_on_the_run_s_own_route(session: Session) -> None:
    run = session.run(PROMPT, sampling=TEN, beside=True)
    assert run.route is not None
    for index in (0, 4):
        prefix, token = ids(run)[:index], run.tokens[index]
        found = session.trace(PROMPT, route=run.route.clusters, prefix=prefix, answer=[token.id])
        assert (found.token, found.prompt, found.route.clusters) == (index, PROMPT, run.route.clusters)
        assert len(found.tokens) == len(session.running.encode(PROMPT)) + index
        assert found.norm.shape[2] == len(found.tokens)
        assert found.answer.fetched == pytest.approx(token.logprob, abs=1e-4)
        assert [found.answer.generic, found.answer.none] == pytest.approx([each.logprob for each in token.beside], abs=1e-4)
    assert found.tokens[-index:] == tuple(session.running.anchor.piece(number) for number in prefix)
    assert set(found.effect) == set(run.route.clusters)
    with session.running.attached.without({2}):
        scores = logits(session.running.attached, session.running.encode(PROMPT) + prefix)[-1].log_softmax(-1)
    assert found.effect[run.route.clusters[1]] == pytest.approx(token.logprob - float(scores[token.id]), abs=1e-4)


def test_a_trace_behind_generated_tokens_routes_the_prompt_alone_and_can_ask_what_comes_next(session: Session) -> None:
    prefix = ids(session.run(PROMPT, sampling=TEN))[:3]
    found = session.trace(PROMPT, prefix=prefix)
    assert found.route.clusters == session.route(PROMPT).clusters
    assert found.token == 3
    assert session.trace(PROMPT).token is None


def test_a_token_that_cannot_be_explained_is_refused_in_a_line(session: Session) -> None:
    with pytest.raises(UserError, match="by its ids"):
        session.trace(PROMPT, prefix=[3], answer="79")
    with pytest.raises(UserError, match="answer is empty"):
        session.trace(PROMPT, prefix=[3], answer=[])
    with pytest.raises(UserError, match="the anchor has"):
        session.trace(PROMPT, answer=[10**6])
    with pytest.raises(UserError, match="the anchor has"):
        session.trace(PROMPT, prefix=[-1])
