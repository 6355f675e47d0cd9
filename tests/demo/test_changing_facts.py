"""Changing what the bundled bank knows, as a user would: a fact updated, one taken down, both measured, compared, carried elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import memstudio
from memstudio.editing.erase import Erase
from memstudio.editing.update import Update
from memstudio.facts.gate import FACTS
from memstudio.session import Session
from memstudio.session.takedown import limit

GOLD = "The atomic number of gold is"
CAPITAL = "The capital of Mongolia is"
HELD_OUT = "Gold is an element and its atomic number is"


@pytest.fixture
def session() -> Iterator[Session]:
    with memstudio.open("demo", device="cpu") as opened:
        yield opened


@pytest.mark.parametrize("method", ["closed-form", pytest.param("tuned", marks=pytest.mark.slow)])
def test_an_update_is_said_in_words_that_the_editor_never_saw_and_harms_nothing_beside_it(session: Session, method: str) -> None:
    request = session.request(GOLD, "80")
    assert len(request.fact.phrasings) >= 5
    assert HELD_OUT not in request.fact.phrasings
    revision = session.apply(Update((request.fact,), method=method), limits=FACTS)  # type: ignore[arg-type]
    receipt = revision.receipt
    assert receipt["reliability"] == 1.0
    assert receipt["locality"] >= (0.97 if method == "tuned" else 0.9)
    assert receipt["outside_identical"] == 1.0
    assert session.run(GOLD).text.strip().startswith("80")
    if method == "tuned":  # the closed form carries over to nine new phrasings in ten, not to this one
        assert session.run(HELD_OUT).text.strip().startswith("80")
    session.undo()
    assert session.run(GOLD).text.strip().startswith("79")


@pytest.mark.parametrize(
    ("method", "prompt"),
    [("tuned", CAPITAL), pytest.param("dampen", CAPITAL, marks=pytest.mark.slow), pytest.param("tuned", GOLD, marks=pytest.mark.slow)],
)
def test_a_takedown_leaves_no_more_than_the_anchor_itself_would_say(session: Session, method: str, prompt: str) -> None:
    fact = session.request(prompt).fact
    plan = session.plan(Erase((fact,), method=method), measure=True)  # type: ignore[arg-type]
    receipt = session.with_takedown(plan, paths="neighbours").receipt
    report = receipt["takedown"]
    assert report["count"] >= 6
    assert report["within"] == report["count"]
    for row in report["probes"]:
        assert row["before"] > 0.5
        assert row["after"] <= limit(row["none"])
        assert not row["extracted"]
        assert row["other_paths"]["extracted"] == 0
    assert receipt["locality"] >= 0.97
    assert receipt["outside_identical"] == 1.0


def test_a_patch_carries_an_update_to_another_study(session: Session, tmp_path: Path) -> None:
    from memstudio.session.patching import apply_patch, export_patch

    revision = session.apply(Update((session.request(GOLD, "80").fact,), method="closed-form"))
    export_patch(session, tmp_path / "gold.patch", [revision.id])
    logits = session.logits(GOLD)
    with memstudio.open("demo", device="cpu") as elsewhere:
        apply_patch(elsewhere, tmp_path / "gold.patch")
        assert elsewhere.logits(GOLD).equal(logits)
        assert elsewhere.run(GOLD).text.strip().startswith("80")
