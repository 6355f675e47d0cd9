"""What lies beneath a cluster: the strongest measure, and how much of it is selected."""

import numpy as np

from memstudio.bank.values import ClusterId
from memstudio.ui.models.measure_texts import figure_text
from memstudio.ui.models.places import beneath, fits, peaks
from memstudio.ui.selection import choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import LevelView
from tests.ui.fabricated import bank_view

NAN = float("nan")


def test_the_strongest_beneath_keeps_its_sign_and_what_was_not_measured_hides_nothing() -> None:
    levels = ([NAN, 100.0], [1.0, NAN, NAN, NAN], [0.5, NAN, -7.0, 2.0, NAN, NAN, NAN, NAN])
    shades = Shades("effect", "", "causal", tuple(np.array(level, np.float32) for level in levels), True)
    found = peaks(shades, bank_view(([1] * 2, [1] * 4, [1] * 8)).levels)
    assert np.array_equal(found[0], np.array([-7.0, NAN], np.float32), equal_nan=True)
    assert np.array_equal(found[1], np.array([0.5, -7.0, NAN, NAN], np.float32), equal_nan=True)
    assert np.isnan(found[2]).all()


def test_a_level_without_clusters_has_nothing_beneath() -> None:
    none = np.zeros(0, np.int64)
    levels = (LevelView(1, 1, none, 0), LevelView(2, 1, none, 0))
    found = peaks(Shades("effect", "", "causal", (np.zeros(0, np.float32), np.zeros(0, np.float32))), levels)
    assert [each.size for each in found] == [0, 0]


def test_what_is_selected_beneath_is_counted_without_the_cluster_itself() -> None:
    chosen = choose((2, 4, 8), [ClusterId(1, 0), ClusterId(2, 1), ClusterId(3, 0), ClusterId(3, 3)])
    assert [each.tolist() for each in beneath(chosen.masks)] == [[3, 0], [1, 1, 0, 0], [0] * 8]
    assert fits(chosen.masks, (2, 4, 8))
    assert not fits(chosen.masks, (2, 4))


def test_figures_have_a_true_minus_and_say_when_there_is_none() -> None:
    texts = [figure_text(value) for value in (None, 0.0, 3.0, -1.2, 12345.6, 0.00012)]
    assert texts == ["–", "0", "3", "−1.200", "12,346", "0.0001200"]
    assert figure_text(2.5, signed=True) == "+2.500"
    assert figure_text(float("-inf")) == "−∞"
