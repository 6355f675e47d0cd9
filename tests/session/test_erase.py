"""Taking facts and documents out of a real, if tiny, bank: what is left is measured, beside none and beside the gold standard."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from memstudio.bank.values import ClusterId
from memstudio.editing import gold as gold_standard
from memstudio.editing.erase import Erase, all_facts, neighbours
from memstudio.editing.prune import Prune
from memstudio.editing.update import Update
from memstudio.errors import Refused, UserError
from memstudio.facts.gate import FACTS
from memstudio.facts.values import Fact
from memstudio.session import Session, open_session
from memstudio.session.takedown import limit
from tests.session.conftest import OpenSession
from tests.standin import use_tiny_encoder

PROMPT = "The atomic number of gold is"


@pytest.fixture(scope="module")
def taught(tiny_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fact]:
    """A study that was taught a fact, since the tiny bank is not trained; shared, so copy it."""
    folder = tmp_path_factory.mktemp("taught") / "study"
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_encoder(patch)
        with open_session(tiny_bank, study=folder, device="cpu") as session:
            fact = session.request(PROMPT, "13").fact
            session.apply(Update((fact,)))
    return folder, fact


@pytest.fixture
def session(opens: OpenSession, study: Path, taught: tuple[Path, Fact]) -> Session:
    shutil.copytree(taught[0], study)
    return opens(study=study)


@pytest.fixture
def known(taught: tuple[Path, Fact]) -> Fact:
    """A fact that the study's blocks really hold."""
    return dataclasses.replace(taught[1], expected="13", target="")


def test_dampening_lowers_the_answers_or_says_that_it_could_not(session: Session, known: Fact) -> None:
    plan = session.with_takedown(session.plan(Erase((known,), method="dampen")), paths="routed")
    report = plan.receipt["takedown"]
    assert all(row["after"] < row["before"] for row in report["probes"])
    assert report["within"] == report["count"] or any("probes gone" in note for note in plan.notes)


def test_an_erased_answer_is_hardly_likelier_than_without_memory(session: Session, known: Fact) -> None:
    plan = session.with_takedown(session.plan(Erase((known,)), measure=True), paths="all")
    report = plan.receipt["takedown"]
    assert report["count"] == 1 + len(known.phrasings) + len(known.held_out)
    assert report["within"] == report["count"]
    for row in report["probes"]:
        assert row["before"] > 0.3
        assert row["after"] <= limit(row["none"])
        assert row["extracted_before"]
        assert not row["extracted"]
        assert row["gold"] == "not measured"
        assert row["other_paths"]["count"] == 26
    session.apply(plan)
    assert not session.run(PROMPT).text.strip().startswith("13.")


def test_the_reported_probability_is_that_of_the_reference_path(session: Session, known: Fact) -> None:
    plan = session.with_takedown(session.plan(Erase((known,), method="dampen")), paths="routed")
    row = next(row for row in plan.receipt["takedown"]["probes"] if row["prompt"] == PROMPT)
    session.apply(plan)
    anchor = session.running.anchor
    start, answer = anchor.encode(PROMPT), anchor.continuation(PROMPT, "13")
    logprobs = session.logits(PROMPT + " 13", key=PROMPT).log_softmax(-1)
    wanted = torch.stack([logprobs[len(start) - 1 + place, token] for place, token in enumerate(answer)]).sum().exp()
    assert row["after"] == pytest.approx(float(wanted), rel=1e-3)
    assert row["other_paths"] == "not measured"


def test_the_gold_standard_never_met_the_fact(session: Session, known: Fact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gold_standard, "STEPS", 150)
    plan = session.with_takedown(session.plan(Erase((known,), method="dampen", where="reached")), paths="routed", gold=True)
    gold = plan.receipt["takedown"]["gold"]
    assert gold["steps"] == 150
    assert gold["learnt"] > 0.5 or gold["prompts"] == 0
    assert all(row["gold"] < row["before"] for row in plan.receipt["takedown"]["probes"])


def test_every_block_on_the_routes_is_written_unless_others_are_named(session: Session, known: Fact) -> None:
    path = session.routes([PROMPT])[0]
    assert {change.cluster for change in session.plan(Erase((known,), method="dampen")).changes} <= {
        cluster for route in session.routes([PROMPT, *known.phrasings, *known.held_out]) for cluster in route
    }
    only = session.plan(Erase((known,), method="dampen", blocks=(path[-1],)))
    assert [change.cluster for change in only.changes] == [path[-1]]


def test_the_title_names_no_answer_and_what_was_taken_down_is_kept_by_id(session: Session, known: Fact) -> None:
    revision = session.apply(Erase((known,), method="dampen"))
    assert "13" not in revision.title
    assert PROMPT not in revision.title
    assert revision.receipt["figures"]["taken_down"] == {"facts": [known.id], "documents": []}


def test_a_document_brings_the_facts_that_stand_in_it(session: Session) -> None:
    document = next(
        exemplar.document for leaf in range(27) for exemplar in session.bank.documents_of(ClusterId(3, leaf)) if "gold" in exemplar.text
    )
    text, path = session.bank.document(document) or ("", ())
    found = all_facts(Erase(documents=(document,)), session.bank, session.facts())
    assert found
    assert all(fact.subject in text.casefold() and fact.expected.casefold() in text.casefold() for fact in found)
    plan = session.plan(Erase(documents=(document,), method="dampen"), measure=True)
    asked = {answer["fact"] for answer in plan.receipt["answers"]}
    assert asked == {fact.id for fact in found}
    assert not asked & {row["fact"] for row in plan.receipt["changed"]}
    assert set(path) & {change.cluster for change in plan.changes}


def test_neighbours_are_the_other_leaves_of_the_same_parent_nearest_first(session: Session) -> None:
    path = session.bank.tree.route_to(ClusterId(3, 4))
    found = neighbours(session.bank, path)
    assert {route[-1] for route in found} == set(session.bank.tree.siblings(path[-1]))
    assert all(route[:-1] == path[:-1] for route in found)
    assert neighbours(session.bank, path, 1) == found[:1]


@pytest.mark.parametrize(
    ("edit", "said"),
    [(Erase(), "name a fact"), (Erase(documents=("no such",)), "no such"), (Erase(documents=("../x",)), "trained on none")],
)
def test_what_is_not_there_cannot_be_erased(session: Session, edit: Erase, said: str) -> None:
    with pytest.raises(UserError, match=said):
        session.plan(edit)


def test_a_fact_whose_blocks_are_all_pruned_is_refused(session: Session, known: Fact) -> None:
    session.apply(Prune(tuple({path[0] for path in session.routes([PROMPT, *known.phrasings, *known.held_out])})))
    with pytest.raises(UserError, match="no block"):
        session.plan(Erase((known,)))


def test_a_takedown_that_leaves_too_much_is_stopped_by_the_gate(session: Session, known: Fact) -> None:
    head = session.head
    plan = session.with_takedown(session.plan(Erase((known,), method="dampen"), measure=True), paths="routed")
    report = {**plan.receipt["takedown"], "within": 1}
    left = dataclasses.replace(plan, receipt={**plan.receipt, "takedown": report})
    with pytest.raises(Refused, match=f"1 of {report['count']} answers"):
        session.apply(left, limits=FACTS)
    assert session.head == head
    gate = session.apply(left, limits=FACTS, reason="a start").receipt["gate"]
    assert gate["reason"] == "a start"
    assert not gate["ok"]
