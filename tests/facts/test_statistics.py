"""Intervals and tests against scipy where it is, and against numbers worked out elsewhere."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memstudio.facts.statistics import Paired, Proportion, paired, proportion

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (score)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_newcombe_s_table(k: int, n: int, low: float, high: float) -> None:
    found = Proportion(k, n)
    assert found.share == k / n
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)


@given(COUNTS)
def test_the_interval_is_that_of_scipy(counts: tuple[int, int]) -> None:
    stats = pytest.importorskip("scipy.stats")
    k, n = counts
    wanted = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert Proportion(k, n).low == pytest.approx(wanted.low, abs=1e-12)
    assert Proportion(k, n).high == pytest.approx(wanted.high, abs=1e-12)


@given(COUNTS)
def test_the_interval_holds_the_share_and_lies_within_0_and_1(counts: tuple[int, int]) -> None:
    found = Proportion(*counts)
    assert found.low is not None
    assert found.share is not None
    assert found.high is not None
    assert 0 <= found.low <= found.share <= found.high <= 1
    assert found.low < found.high


def test_all_and_none_reach_the_ends_exactly() -> None:
    assert Proportion(0, 7).low == 0.0
    assert Proportion(7, 7).high == 1.0


def test_nothing_counted_is_not_measured_and_never_zero() -> None:
    nothing = Proportion(0, 0)
    assert (nothing.share, nothing.low, nothing.high) == (None, None, None)
    assert Paired(0, 0, 0, 0).p is None


@pytest.mark.parametrize(("k", "n"), [(-1, 2), (3, 2), (1, 0)])
def test_counts_that_cannot_be_are_a_bug(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        Proportion(k, n)


def test_what_is_right_is_counted() -> None:
    assert proportion([True, False, True]) == Proportion(2, 3)
    assert paired([(True, False), (False, True), (False, True), (True, True), (False, False)]) == Paired(2, 1, 1, 1)


def test_shares_before_and_after_are_over_the_same_prompts() -> None:
    found = Paired(gained=3, lost=1, kept_right=4, kept_wrong=2)
    assert (found.before, found.after) == (Proportion(5, 10), Proportion(7, 10))


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 1, 1.0), (0, 1, 1.0), (0, 5, 0.0625), (5, 0, 0.0625), (0, 10, 2 / 1024), (1, 9, 22 / 1024), (2, 8, 112 / 1024)],
)
def test_mcnemar_is_the_binomial_s_smaller_tail_twice(gained: int, lost: int, p: float) -> None:
    assert Paired(gained, lost, 100, 100).p == pytest.approx(p, rel=1e-12)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_is_scipy_s_binomial_test(gained: int, lost: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    wanted = stats.binomtest(min(gained, lost), gained + lost).pvalue if gained + lost else 1.0
    assert Paired(gained, lost, 1, 0).p == pytest.approx(wanted, rel=1e-8, abs=1e-300)


def test_mcnemar_of_very_many_pairs_neither_overflows_nor_fails() -> None:
    p = Paired(200_000, 100_000, 0, 0).p
    assert p is not None
    assert p == 0.0 or math.isfinite(p)
