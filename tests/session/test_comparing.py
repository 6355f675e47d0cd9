"""Two revisions compared by fact: what is gained and lost is what scoring each by itself gives, and what nothing changed for stays."""

import dataclasses
import math
import re
from pathlib import Path

import pytest

from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.facts.read import prompts_of
from memstudio.facts.receipt import ROOM
from memstudio.facts.values import Fact, Scores
from memstudio.jobs import Job
from memstudio.session import Session
from memstudio.session.comparing import compare_scores
from memstudio.session.scoring import score
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

TOPS = (ClusterId(1, 0), ClusterId(1, 1), ClusterId(1, 2))


@pytest.fixture
def known(session: Session) -> list[Fact]:
    """The bank's facts with the first number that it really says as the expected answer, as it is not trained."""
    facts = [dataclasses.replace(fact, kind="specific") for fact in session.facts()]
    said = {row.fact: re.search(r"\d+", row.got) for row in scored(session, facts, 0).facts if row.phrasing == "prompt"}
    return [dataclasses.replace(fact, expected=number[0]) if (number := said[fact.id]) else fact for fact in facts]


def scored(session: Session, facts: list[Fact], revision: int) -> Scores:
    """The facts scored at one revision, with as much room for an answer as a comparison gives."""
    job, hide = Job("score"), frozenset[ClusterId]()
    return score(session, facts, memory="fetched", levels=None, hide=hide, hide_best=None, revision=revision, job=job, room=ROOM)


def prompts(facts: list[Fact]) -> list[str]:
    return [text for fact in facts for _, text in prompts_of(fact)]


def test_what_turned_is_what_scoring_each_revision_gives(session: Session, known: list[Fact]) -> None:
    session.apply(Scale((TOPS[0], ClusterId(2, 4)), 0.0))
    found = session.compare(0, 1, known)
    apart = compare_scores(*(scored(session, known, revision) for revision in (0, 1)))
    for kind, whole in (("facts", apart.facts), *apart.phrasings.items()):
        part = found.facts if kind == "facts" else found.phrasings[kind]
        assert (part.gained, part.lost, part.p) == (whole.gained, whole.lost, whole.p)
    assert found.facts.n + sum(part.n for part in found.phrasings.values()) + found.same == len(prompts(known))
    assert [(one.turn, one.fact, one.prompt) for one in found.turned] == [(one.turn, one.fact, one.prompt) for one in apart.turned]
    assert found.lost
    assert 0 < found.same < 30
    assert {block.cluster for block in found.blocks} == {TOPS[0], ClusterId(2, 4)}
    assert all(block.norm > 0 for block in found.blocks)


def test_the_other_way_round_gained_is_lost(session: Session, known: list[Fact]) -> None:
    session.apply(Prune(TOPS))
    there, back = session.compare(0, 1, known), session.compare(1, 0, known)
    assert {one.fact for one in there.lost} == {one.fact for one in back.gained}
    assert {one.fact for one in there.gained} == {one.fact for one in back.lost}
    assert (there.facts.before, there.facts.after) == (back.facts.after, back.facts.before)


def test_p_is_that_of_the_exact_binomial_test(session: Session, known: list[Fact]) -> None:
    session.apply(Prune(TOPS))
    facts = session.compare(0, 1, known).facts
    n, k = facts.gained + facts.lost, min(facts.gained, facts.lost)
    assert n > 0
    assert facts.p == pytest.approx(min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n))


def test_answers_part_at_their_first_different_token(session: Session, known: list[Fact]) -> None:
    session.apply(Prune(TOPS))
    for one in session.compare(0, 1, known).turned:
        assert one.parting is not None
        ids = [session.running.anchor.continuation(one.prompt, text) if text.strip() else [] for text in (one.before, one.after)]
        assert ids[0][: one.parting.index] == ids[1][: one.parting.index]
        assert ids[0][one.parting.index : one.parting.index + 1] != ids[1][one.parting.index : one.parting.index + 1]


def test_a_revision_and_itself_do_not_differ(session: Session) -> None:
    session.apply(Prune(TOPS))
    found = session.compare(1, 1)
    assert (found.turned, found.blocks, found.facts.gained, found.facts.lost) == ((), (), 0, 0)
    assert found.same == 30
    with pytest.raises(UserError, match="9"):
        session.compare(0, 9)


def test_banks_built_apart_are_compared_by_fact_and_not_by_block(opens: OpenSession, tmp_path: Path) -> None:
    one, other = opens(), opens(make_bank(tmp_path / "other", seed=3))
    before, after = one.score(), other.score()
    found = compare_scores(before, after)
    counted = [[row for row in scores.facts if row.phrasing == "prompt" and row.kind != "guessable"] for scores in (before, after)]
    rights = [{row.fact for row in rows if row.correct} for rows in counted]
    assert {turned.fact for turned in found.lost} == rights[0] - rights[1]
    assert {turned.fact for turned in found.gained} == rights[1] - rights[0]
    assert found.changed
    assert found.unmatched == 0
    fewer = compare_scores(before, other.score(other.facts()[:6]))
    assert fewer.unmatched > 0
    assert fewer.facts.n < found.facts.n


def test_scores_by_another_judge_are_not_comparable(session: Session) -> None:
    with pytest.raises(ValueError, match="teacher-forced"):
        compare_scores(session.score(), session.score(judge="teacher-forced"))
