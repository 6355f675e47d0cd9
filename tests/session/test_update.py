"""Changing facts on a real, if tiny, model: answers change, what lives beside them is held, nothing else is written."""

import dataclasses
from pathlib import Path

import pytest
import torch

from memstudio.bank.values import ClusterId
from memstudio.editing.lessons import components, make_held, make_lessons
from memstudio.editing.reach import deepest_block, reached, residents, shared
from memstudio.editing.update import Update
from memstudio.errors import Refused, UserError
from memstudio.facts.gate import Limits
from memstudio.facts.values import Fact
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session
from tests.session.conftest import OpenSession

PROMPT = "The atomic number of gold is"


@pytest.fixture
def gold(session: Session) -> Fact:
    """A request: gold's number becomes 13."""
    return session.request(PROMPT, "13").fact


@pytest.mark.parametrize("method", ["tuned", "closed-form"])
def test_an_update_is_answered_by_free_generation_and_undo_takes_it_back(session: Session, gold: Fact, method: str) -> None:
    before = {text: session.run(text).text for text in (PROMPT, "The atomic number of iron is")}
    revision = session.apply(Update((gold,), method=method), measure=True)  # type: ignore[arg-type]
    assert session.run(PROMPT).text.strip().startswith("13.")
    assert revision.receipt["reliability"] == 1.0
    assert revision.receipt["outside_identical"] == 1.0
    assert revision.receipt["proportions"]["outside_identical"]["n"] > 0
    assert revision.receipt["edit"]["verb"] == "update"
    session.undo()
    assert {text: session.run(text).text for text in before} == before


def test_only_blocks_on_the_routes_of_the_phrasings_change(session: Session, gold: Fact) -> None:
    plan = session.plan(Update((gold,)))
    routes = session.routes([gold.prompt, *gold.phrasings])
    assert {change.cluster for change in plan.changes} <= set(reached(session.bank, {}, routes))
    assert session.head == 0
    assert session.run(PROMPT).text == session.run(PROMPT).text


def test_a_route_without_a_written_block_keeps_its_logits_bit_for_bit(session: Session, gold: Fact) -> None:
    plan = session.plan(Update((gold,)))
    written = {change.cluster for change in plan.changes}
    leaf = next(ClusterId(3, index) for index in range(27) if not written & set(session.bank.tree.route_to(ClusterId(3, index))))
    route = session.bank.tree.route_to(leaf)
    before = session.logits(PROMPT, route=route)
    session.apply(plan)
    assert torch.equal(session.logits(PROMPT, route=route), before)


def test_the_same_update_twice_gives_the_same_block(opens: OpenSession, gold: Fact) -> None:
    plans = [opens().plan(Update((gold,))) for _ in range(2)]
    assert plans[0].changes == plans[1].changes


def test_an_update_that_is_there_already_is_refused(session: Session, gold: Fact) -> None:
    session.apply(Update((gold,)))
    with pytest.raises(UserError, match="already"):
        session.plan(Update((gold,)))


def test_a_batch_writes_one_revision(session: Session) -> None:
    facts = tuple(session.request(f"The atomic number of {name} is", "7").fact for name in ("gold", "iron"))
    revision = session.apply(Update(facts))
    assert revision.title == "update 2 facts"
    assert [found.id for found in session.log()] == [0, 1]
    for fact in facts:
        assert session.run(fact.prompt).text.strip().startswith("7.")


def test_a_cancelled_batch_leaves_the_study_as_it_was(session: Session, gold: Fact) -> None:
    job = Job("update")
    job.cancel()
    with pytest.raises(Cancelled):
        session.apply(Update((gold,)), job=job)
    assert (session.head, session.overlay) == (0, {})


def test_the_gate_stops_with_the_numbers_unless_a_reason_is_given(session: Session, gold: Fact) -> None:
    limits = Limits(generalization=1.0, asked=frozenset({"generalization"}))
    fact = dataclasses.replace(gold, held_out=())
    with pytest.raises(Refused, match="generalization"):
        session.apply(Update((fact,)), limits=limits)
    assert session.head == 0
    revision = session.apply(Update((fact,)), limits=limits, reason="a trial")
    assert revision.receipt["gate"]["reason"] == "a trial"
    assert revision.receipt["gate"]["broken"]


@pytest.mark.parametrize("target", ["", " ", "\u200b", "\n"])
def test_a_target_that_cannot_be_said_is_refused(session: Session, gold: Fact, target: str) -> None:
    with pytest.raises(UserError, match="the new answer is empty"):
        session.plan(Update((dataclasses.replace(gold, target=target),)))
    assert session.head == 0


def test_two_targets_for_one_prompt_are_refused(session: Session, gold: Fact) -> None:
    with pytest.raises(UserError, match="two new answers"):
        session.plan(Update((gold, dataclasses.replace(gold, id="other", target="14"))))


def test_a_fact_whose_route_has_no_block_is_refused(session: Session, gold: Fact) -> None:
    from memstudio.editing.prune import Prune

    routes = session.routes([gold.prompt, *gold.phrasings])
    session.apply(Prune(tuple({path[0] for path in routes})))
    with pytest.raises(UserError, match="no block"):
        session.plan(Update((gold,)))


def test_a_block_off_the_routes_is_refused(session: Session, gold: Fact) -> None:
    on = {cluster for path in session.routes([gold.prompt, *gold.phrasings]) for cluster in path}
    off = next(ClusterId(3, index) for index in range(27) if ClusterId(3, index) not in on)
    with pytest.raises(UserError, match="no phrasing"):
        session.plan(Update((gold,), blocks=(off,)))


def test_a_prompt_of_the_bank_brings_its_phrasings_and_another_is_drafted(session: Session) -> None:
    known = session.request(PROMPT, "13")
    assert {drafted.source for drafted in known.drafted} == {"the bank's facts"}
    drafted = session.request("The weight of gold is", "13")
    assert len(drafted.drafted) >= 5
    assert len({each.text for each in drafted.drafted}) == len(drafted.drafted)
    assert len(drafted.routes) == 1 + len(drafted.drafted)
    own = session.request("The weight of gold is", "13", phrasings=["How heavy is gold?"])
    assert [each.source for each in own.drafted] == ["given"]


def test_reached_is_every_deepest_block_and_shared_the_deepest_in_common(session: Session) -> None:
    bank = session.bank
    one, other = bank.tree.route_to(ClusterId(3, 0)), bank.tree.route_to(ClusterId(3, 1))
    assert reached(bank, {}, [one, other]) == (ClusterId(3, 0), ClusterId(3, 1))
    assert shared(bank, {}, [one, other]) == ClusterId(2, 0)
    assert shared(bank, {}, [one, bank.tree.route_to(ClusterId(3, 26))]) is None
    assert deepest_block(bank, {}, ()) is None


def test_held_prompts_answer_as_they_do_now(session: Session, gold: Fact) -> None:
    desk = session.desk()
    routes = {gold.id: session.routes([gold.prompt, *gold.phrasings])}
    blocks = reached(session.bank, {}, routes[gold.id])
    living = list(residents(session.facts(), session.routes, blocks, {gold.id}))
    held = make_held(desk, living, blocks)
    anchor = session.running.anchor
    for lesson in held[:6]:
        if len(lesson.prompt) > 1 and anchor.decode(list(lesson.prompt)) in {resident.text for resident in living}:
            text = anchor.decode(list(lesson.prompt))
            tokens = [token.id for token in session.run(text).tokens][: len(lesson.answer)]
            assert tuple(tokens)[: len(lesson.answer) - 1] == lesson.answer[: len(tokens)][: len(lesson.answer) - 1]
    lessons = make_lessons(desk, [gold], routes)
    assert sorted(block for part in components(blocks, [*lessons, *held]) for block in part) == sorted(blocks)


def test_a_plan_of_another_head_is_refused(session: Session, gold: Fact, tmp_path: Path) -> None:
    from memstudio.editing.prune import Prune

    plan = session.plan(Update((gold,)))
    session.apply(Prune((ClusterId(3, 26),)))
    with pytest.raises(UserError, match="plan it again"):
        session.apply(plan)
