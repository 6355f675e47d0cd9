"""Pruned here is not forgotten everywhere: the receipt of a prune names the other paths that still answer."""

import math

import pytest

from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.facts.receipt import present
from memstudio.session import Session

PROMPT, EXPECTED = "The atomic number of gold is", "79"


@pytest.fixture
def own(session: Session, monkeypatch: pytest.MonkeyPatch) -> ClusterId:
    """The block at the end of a fact's route; the tiny bank is not trained, so every fact passes for one that is answered."""
    monkeypatch.setattr("memstudio.session.elsewhere.LIKELY", 1e-30)
    return session.routes([PROMPT])[0][-1]


def test_the_paths_that_still_answer_are_those_of_a_scan_afterwards(session: Session, own: ClusterId) -> None:
    plan = session.plan(Prune((own,)), measure=True)
    found = plan.receipt["elsewhere"]
    assert found["of_paths"] == found["paths"] == 27
    row = next(row for row in found["known"] if row["prompt"] == PROMPT)
    before = session.scan(PROMPT, EXPECTED)
    session.apply(plan)
    after = session.scan(PROMPT, EXPECTED)
    route = session.bank.tree.route_to(own)
    assert row["before"] == pytest.approx(math.exp(before.routed), rel=1e-3)
    assert row["after"] == pytest.approx(math.exp(after.values[2][own.index]), rel=1e-3)
    assert before.route.clusters == route
    wanted = [(str(end), math.exp(value)) for end, value in after.best() if end != own]
    assert row["count"] == len(wanted) == 26
    assert [(each["at"], pytest.approx(each["p"], rel=1e-3)) for each in row["paths"]] == wanted[:5]


def test_people_are_told_how_many_facts_and_where(session: Session, own: ClusterId) -> None:
    receipt = session.plan(Prune((own,)), measure=True).receipt
    asked, of = receipt["elsewhere"]["asked"], receipt["elsewhere"]["of"]
    assert f"still known on other paths: {asked} of {asked} facts asked (of {of})" in present(receipt)
    assert any(PROMPT in line and "of 27 other paths, likeliest on" in line for line in present(receipt))


def test_facts_that_were_not_answered_before_are_not_asked_about(session: Session) -> None:
    own = session.routes([PROMPT])[0][-1]
    found = session.plan(Prune((own,)), measure=True).receipt["elsewhere"]
    assert found["asked"] == 0
    assert found["known"] == []


def test_an_edit_that_takes_no_block_out_is_not_asked_for_it(session: Session) -> None:
    receipt = session.plan(Scale((ClusterId(3, 4),), 0.5), measure=True).receipt
    assert "elsewhere" not in receipt


@pytest.mark.parametrize("rows", [None, 3, [3], [{"count": 2}], {"known": 1}, {"known": [{"count": 1, "paths": [{"p": "x"}]}]}])
def test_a_receipt_from_anybody_is_not_believed_blindly(rows: object) -> None:
    assert present({"measured": True, "elsewhere": rows}) is not None
