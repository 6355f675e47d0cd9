"""The icicle's geometry against plain loops, and what lies under a pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from memstudio.bank.values import ClusterId
from memstudio.ui.plots.icicle_layout import Layout, columns, lay_out, wide
from memstudio.ui.snapshots import LevelView


def levels(documents: list[list[int]], branching: tuple[int, ...], block_bytes: tuple[int, ...] = (4, 2, 1)) -> tuple[LevelView, ...]:
    return tuple(
        LevelView(at, k, np.array(own, np.int64), size)
        for at, (own, k, size) in enumerate(zip(documents, branching, block_bytes, strict=False), 1)
    )


TREE = levels([[6, 0, 4], [2, 4, 0, 0, 1, 3]], (3, 2))


def test_documents_share_the_parents_width_and_absent_clusters_have_none() -> None:
    made = lay_out(TREE, "documents")
    assert made.span(ClusterId(1, 0)) == (0.0, pytest.approx(0.6))
    assert made.span(ClusterId(1, 1)) == (pytest.approx(0.6), pytest.approx(0.6))
    assert made.span(ClusterId(2, 0)) == (0.0, pytest.approx(0.2))
    assert made.span(ClusterId(2, 1)) == (pytest.approx(0.2), pytest.approx(0.6))
    assert made.span(ClusterId(2, 5)) == (pytest.approx(0.7), pytest.approx(1.0))


def test_parameters_are_those_of_the_subtree() -> None:
    made = lay_out(levels([[1, 1], [1, 1, 1, 0]], (2, 2), (4, 2)), "parameters")
    assert made.span(ClusterId(1, 0)) == (0.0, pytest.approx(8 / 14))
    assert made.span(ClusterId(2, 0)) == (0.0, pytest.approx(4 / 14))
    assert made.span(ClusterId(2, 2)) == (pytest.approx(8 / 14), pytest.approx(1.0))
    assert made.span(ClusterId(2, 3)) == (pytest.approx(1.0), pytest.approx(1.0))


def test_use_has_room_for_what_was_used_and_is_even_where_nothing_was() -> None:
    use = [np.array([3, np.nan, 1], np.float32), np.array([np.nan] * 6, np.float32)]
    made = lay_out(TREE, "use", use)
    assert made.span(ClusterId(1, 0)) == (0.0, pytest.approx(0.75))
    assert made.span(ClusterId(2, 0)) == (0.0, pytest.approx(0.375))
    assert made.span(ClusterId(2, 1)) == (pytest.approx(0.375), pytest.approx(0.75))


@pytest.mark.parametrize("sizes", [((1,), (1,)), ((1, 1), (1, 1)), ((4,), (4,))])
def test_one_level_and_one_cluster_fill_the_width(sizes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    made = lay_out(levels([[2] * size for size in sizes[0]], sizes[1], (0, 0, 0)), "documents")
    assert made.starts[-1][0] == 0.0
    assert made.ends[-1][-1] == pytest.approx(1.0)
    assert lay_out(levels([[2] * size for size in sizes[0]], sizes[1], (0, 0, 0)), "parameters").ends[-1][-1] == pytest.approx(1.0)


def test_the_cluster_over_a_place_is_found() -> None:
    made = lay_out(TREE, "documents")
    assert made.at(1, 0.1) == ClusterId(1, 0)
    assert made.at(1, 0.61) == ClusterId(1, 2)
    assert made.at(2, 0.3) == ClusterId(2, 1)
    assert made.at(2, 1.5) is None


def cells(widths: list[float]) -> Layout:
    ends = np.cumsum(widths) / max(sum(widths), 1e-9)
    return Layout((np.concatenate([[0.0], ends[:-1]]),), (ends,))


@given(
    widths=some.lists(some.sampled_from([0.0, 0.01, 1.0, 5.0]), min_size=1, max_size=40).filter(any),
    view=some.tuples(some.floats(0, 0.9), some.floats(0.05, 1.0)),
    pixels=some.integers(1, 30),
    signed=some.booleans(),
    seed=some.integers(0, 99),
)
def test_a_column_has_the_largest_value_beneath_it(
    widths: list[float], view: tuple[float, float], pixels: int, signed: bool, seed: int
) -> None:
    layout = cells(widths)
    starts, ends = layout.starts[0], layout.ends[0]
    left, right = view[0], view[0] + view[1]
    rng = np.random.default_rng(seed)
    values = rng.normal(size=len(widths)).astype(np.float32)
    values[rng.random(len(widths)) < 0.3] = np.nan
    under = columns(starts, ends, left, right, pixels)
    found = under.largest(values, signed=signed)
    marks = rng.random(len(widths)) < 0.4
    marked = under.any(marks)
    edges = left + (right - left) * np.arange(pixels + 1) / pixels
    for at in range(pixels):
        beneath = [i for i in range(len(widths)) if ends[i] > edges[at] and starts[i] < edges[at + 1] and under.first[at] <= i]
        beneath = [i for i in beneath if not np.isnan(values[i])]
        if not beneath:
            assert np.isnan(found[at])
        elif signed:
            assert abs(found[at]) == pytest.approx(max(abs(values[i]) for i in beneath))
            assert found[at] in [values[i] for i in beneath]
        else:
            assert found[at] == max(values[i] for i in beneath)
        assert marked[at] == any(marks[i] for i in range(under.first[at], under.last[at] + 1))


def test_an_infinite_measure_is_the_largest() -> None:
    layout = cells([1.0, 1.0])
    under = columns(layout.starts[0], layout.ends[0], 0.0, 1.0, 1)
    assert under.largest(np.array([np.inf, 3.0], np.float32), signed=False)[0] == np.inf
    assert under.largest(np.array([-np.inf, 3.0], np.float32), signed=True)[0] == -np.inf


def test_wide_clusters_in_view_are_found() -> None:
    layout = cells([1.0, 0.01, 2.0, 0.0, 3.0])
    assert wide(layout.starts[0], layout.ends[0], 0.0, 1.0, 0.1).tolist() == [0, 2, 4]
    assert wide(layout.starts[0], layout.ends[0], 0.4, 1.0, 0.1).tolist() == [2, 4]
