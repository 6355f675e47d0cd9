"""Shades: the places of values on the scale, and what was not measured."""

import numpy as np
import pytest

from memstudio.bank.values import ClusterId
from memstudio.ui.scales import STEPS
from memstudio.ui.shades import Shades

NAN = float("nan")


def shades(*levels: list[float], signed: bool = False) -> Shades:
    return Shades("effect", "Δ log-probability", "causal", tuple(np.array(level, np.float32) for level in levels), signed)


def test_the_largest_magnitude_of_all_levels_is_the_end_of_the_scale() -> None:
    one = shades([1.0, NAN], [-4.0, 2.0, NAN, NAN], signed=True)
    assert one.bound == 4.0
    assert one.steps(one.values[1]).tolist() == [0, 191, -1, -1]
    assert one.steps(np.array([4.0], np.float32)).tolist() == [STEPS - 1]


def test_what_was_not_measured_is_none_and_no_place_on_the_scale() -> None:
    one = shades([NAN, 0.0])
    assert one.at(ClusterId(1, 0)) is None
    assert one.at(ClusterId(1, 1)) == 0.0
    assert one.steps(one.values[0]).tolist() == [-1, 0]
    assert one.measured == 1


@pytest.mark.parametrize("values", [[NAN, NAN], [0.0, 0.0], []])
def test_a_scale_can_be_drawn_where_nothing_stands_out(values: list[float]) -> None:
    assert shades(values).bound == 1.0


def test_an_infinite_value_takes_the_end_and_does_not_stretch_the_scale() -> None:
    one = shades([float("inf"), 2.0, float("-inf")])
    assert one.bound == 2.0
    assert one.steps(one.values[0]).tolist() == [STEPS - 1, STEPS - 1, 0]
