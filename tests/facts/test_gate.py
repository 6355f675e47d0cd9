"""The gate says no exactly where a limit is broken, with the numbers, and goes on only with a reason that it keeps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memstudio.errors import Refused, UserError
from memstudio.facts.gate import BLOCKS, FACTS, LONGEST_REASON, Limits, judge

SHARES = ("reliability", "generalization", "locality", "outside_identical")


def receipt(**found: Any) -> dict[str, Any]:
    return dict.fromkeys(SHARES, "not measured") | found


@pytest.mark.parametrize("name", SHARES)
def test_a_share_must_be_at_least_its_limit(name: str) -> None:
    limits = Limits(**{"outside_identical": None, "takedown": None, name: 0.9})
    assert judge(receipt(**{name: 0.9}), limits)["ok"]
    with pytest.raises(Refused, match=r"0\.899 is under 0\.9 \(899 of 1000\)") as refused:
        judge(receipt(**{name: 0.899, "proportions": {name: {"k": 899, "n": 1000}}}), limits)
    assert "Nothing was written" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_number_of_changed_answers_must_be_at_most_its_limit() -> None:
    limits = Limits(changed=2, outside_identical=None, asked=frozenset({"changed"}))
    assert judge(receipt(locality=0.5, changed_count=2), limits)["ok"]
    with pytest.raises(Refused, match="3 co-resident answers change, at most 2 may"):
        judge(receipt(locality=0.5, changed_count=3), limits)
    with pytest.raises(Refused, match="was not measured"):
        judge(receipt(changed_count=0), limits)


def test_a_takedown_must_leave_no_probe_over_its_limit() -> None:
    report = {"within": 6, "count": 7, "limit": "max(2 · p without memory, 0.02)"}
    with pytest.raises(Refused, match="6 of 7 answers are no likelier than max"):
        judge(receipt(takedown=report), FACTS)
    assert judge(receipt(takedown={**report, "within": 7}), FACTS)["ok"]
    assert judge(receipt(), FACTS)["ok"]


def test_what_was_not_measured_breaks_only_a_limit_that_a_person_set() -> None:
    usual = judge(receipt(), FACTS)
    assert usual["ok"]
    assert usual["not_measured"] == ["reliability", "locality", "outside_identical"]
    with pytest.raises(Refused, match="locality was not measured"):
        judge(receipt(), Limits(locality=0.9, asked=frozenset({"locality"})))


def test_a_reason_goes_on_and_is_kept_on_one_line() -> None:
    gate = judge(receipt(locality=0.1), FACTS, "  a legal\n order \t" + "x" * 9999)
    assert not gate["ok"]
    assert len(gate["broken"]) == 1
    assert gate["reason"].startswith("a legal order x")
    assert len(gate["reason"]) == LONGEST_REASON
    with pytest.raises(Refused):
        judge(receipt(locality=0.1), FACTS, " \n ")
    assert judge(receipt(locality=0.95), FACTS, "not needed")["reason"] == ""


def test_a_refusal_is_the_answer_no_and_not_bad_input() -> None:
    assert issubclass(Refused, UserError)
    assert BLOCKS.outside_identical == 1.0
    assert BLOCKS.locality is None


@given(
    st.fixed_dictionaries({name: st.one_of(st.just("not measured"), st.floats(0, 1)) for name in SHARES}),
    st.fixed_dictionaries({name: st.one_of(st.none(), st.floats(0, 1)) for name in SHARES}),
    st.sets(st.sampled_from(SHARES)),
)
def test_the_gate_is_open_exactly_where_no_limit_is_broken(found: dict[str, Any], wanted: dict[str, Any], asked: set[str]) -> None:
    limits = Limits(**wanted, takedown=None, asked=frozenset(asked))
    expected = all(
        limit is None or (found[name] >= limit if isinstance(found[name], float) else name not in asked) for name, limit in wanted.items()
    )
    try:
        gate = judge(found, limits)
    except Refused:
        assert not expected
        gate = judge(found, limits, "because")
        assert gate["reason"] == "because"
    assert gate["ok"] == expected
