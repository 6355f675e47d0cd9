"""A receipt counts what was measured, names what was not, and is shown to people whoever wrote it."""

import pytest

from memstudio.facts.receipt import LISTED, Difference, Measured, make_receipt, present
from memstudio.facts.statistics import Proportion, proportion


def row(role: str, before: str, after: str, *, old: str = "79", wanted: str = "80", reached: bool = True, alone: str = "") -> Measured:
    return Measured("gold", role, "Gold is", before, after, old, ("seventy-nine",), wanted, reached, alone)  # type: ignore[arg-type]


def receipt(*rows: Measured, residents: int = 0) -> dict[str, object]:
    return make_receipt(rows, proportion([True]), [Difference("3/1", "a", "b", 1.5)], residents, 0, {"edit": 1.0, "receipt": 2.0})


def test_generalization_counts_only_what_was_right_before_and_reached_apart() -> None:
    found = receipt(
        row("taught", " 79.", " 80."),
        row("withheld", " 79.", " 80."),
        row("withheld", " seventy-nine.", " 79.", reached=False),
        row("withheld", " 12.", " 80."),
    )
    assert found["reliability"] == 1.0
    assert found["generalization"] == 0.5
    assert found["generalization_reached"] == 1.0
    assert found["locality"] == found["portability"] == "not measured"


def test_an_erased_answer_may_be_what_the_anchor_says_by_itself() -> None:
    assert receipt(row("taught", "79", "79", wanted=""))["reliability"] == 0.0
    assert receipt(row("taught", "79", "79", wanted="", alone="79"))["reliability"] == 1.0
    assert receipt(row("taught", "79", "12", wanted=""))["reliability"] == 1.0


def test_an_answer_stays_whatever_follows_its_first_mark_and_its_case() -> None:
    found = receipt(row("resident", " Paris. And", " paris. Or"), row("resident", "Rome", "Oslo"), residents=2)
    assert found["locality"] == 0.5
    assert found["changed_count"] == 1
    assert "sample" not in str(found["protocol"])
    assert "sample of 2 of 9" in str(receipt(row("resident", "a", "a"), row("resident", "a", "a"), residents=9)["protocol"])


def test_lists_are_bounded_and_counts_are_not() -> None:
    found = receipt(*[row("resident", "a", "b") for _ in range(LISTED + 9)])
    assert found["changed_count"] == LISTED + 9
    assert len(found["changed"]) == LISTED  # type: ignore[arg-type]


def test_a_share_is_shown_with_its_count_and_interval() -> None:
    lines = present(receipt(row("taught", "79", "80"), row("resident", "a", "b"), row("resident", "a", "a")))
    low, high = Proportion(1, 2).low, Proportion(1, 2).high
    assert f"locality 1 of 2 (0.500, 95% {low:.3f} to {high:.3f})" in lines
    assert "generalization not measured" in lines
    assert "co-resident answers that changed: 1" in lines
    assert present({}) == ["not measured"]


@pytest.mark.parametrize(
    "counts", [None, [], {"locality": 3}, {"locality": {}}, {"locality": {"k": "x", "n": 1}}, {"locality": {"k": 9, "n": 1}}]
)
def test_a_receipt_of_anybody_s_is_shown_without_harm(counts: object) -> None:
    lines = present({"measured": True, "locality": 0.5, "proportions": counts, "changed": 3, "seconds": [], "gate": {"broken": "x"}})
    assert any(line.startswith("locality not ") for line in lines)
