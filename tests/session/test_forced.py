"""Given answers are judged as the reference path would, one unpadded prompt at a time, and the two judges keep to their definitions."""

import dataclasses

import pytest
import torch

from memstudio.anchor.engine import logits
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.facts.values import Fact
from memstudio.session import Session


@pytest.fixture
def asked(session: Session) -> list[Fact]:
    """The bank's facts with targets of other lengths than the answers, so that batches are padded."""
    return [dataclasses.replace(fact, target="a much longer answer"[: 3 + 2 * at]) for at, fact in enumerate(session.facts())]


def reference(session: Session, prompt: str, answer: str, route: tuple[ClusterId, ...]) -> tuple[float, list[int], list[int]]:
    """Summed log-probability, the likeliest token in each place, and the answer's own tokens: plain float32 of one run."""
    session.fetch(Wish("fetched", route), {})
    start, ids = session.running.encode(prompt), session.running.anchor.continuation(prompt, answer)
    places = logits(session.running.attached, start + ids)[len(start) - 1 : -1]
    logs = torch.log(torch.softmax(places.double(), -1))
    return float(sum(logs[at, token] for at, token in enumerate(ids))), places.argmax(-1).tolist(), ids


def test_probabilities_are_those_of_the_reference_path(session: Session, asked: list[Fact]) -> None:
    targets = {fact.id: fact.target for fact in asked}
    rows = session.score(asked, judge="probability").facts
    assert len(rows) == 30
    for row in rows:
        fact = next(fact for fact in asked if fact.id == row.fact)
        new, true = (reference(session, row.prompt, answer, row.route)[0] for answer in (targets[row.fact], fact.expected))
        assert row.logprob == pytest.approx(new, abs=1e-4)
        assert row.against == pytest.approx(true, abs=1e-4)
        assert row.logprob is not None
        assert row.against is not None
        assert row.correct == (row.logprob > row.against)
        assert row.got == (fact.target if row.correct else fact.expected)


def test_teacher_forced_is_right_where_every_token_would_have_been_chosen(session: Session, asked: list[Fact]) -> None:
    plain = asked[0]
    route = session.route(plain.prompt).clusters
    first = reference(session, plain.prompt, "x", route)[1][0]
    said = session.running.anchor.decode([first])
    bare = dataclasses.replace(plain, aliases=(), phrasings=(), held_out=(), kind="specific")
    known = [dataclasses.replace(bare, id=answer, expected=answer) for answer in (said, "zzz")]
    rows = session.score(known, judge="teacher-forced").facts
    for row, fact in zip(rows, known, strict=True):
        _, likeliest, ids = reference(session, fact.prompt, fact.expected, row.route)
        assert row.correct == (likeliest == ids)
    assert [row.correct for row in rows] == [True, False]
    alias = session.score([dataclasses.replace(known[1], aliases=(said,))], judge="teacher-forced")
    assert alias.facts[0].correct
    target = session.score([dataclasses.replace(known[1], target=said)], judge="teacher-forced", answers="target")
    assert target.facts[0].correct


def test_facts_without_a_target_are_left_out_and_counted(session: Session, asked: list[Fact]) -> None:
    scores = session.score([*asked[:2], *session.facts()[2:5]], judge="probability")
    assert (scores.count, scores.left_out, scores.judge) == (2, 3, "probability")
    with pytest.raises(UserError, match="target"):
        session.score(session.facts(), judge="probability")
