"""What a selection holds, whatever view it was made in."""

import numpy as np

from memstudio.bank.values import ClusterId
from memstudio.ui.selection import Chosen, choose, join, together

SIZES = (2, 4, 8)


def test_one_cluster_is_current_without_being_named_so() -> None:
    chosen = choose(SIZES, [ClusterId(2, 3)])
    assert chosen.current == ClusterId(2, 3)
    assert chosen.count == 1
    assert ClusterId(2, 3) in chosen
    assert ClusterId(2, 2) not in chosen


def test_the_current_one_is_always_selected() -> None:
    assert ClusterId(1, 0) in choose(SIZES, [ClusterId(2, 3)], ClusterId(1, 0))


def test_a_selection_of_no_bank_holds_nothing() -> None:
    assert Chosen().count == 0
    assert ClusterId(1, 0) not in Chosen()
    assert Chosen().tops() == ()


def test_a_click_with_ctrl_takes_in_and_takes_out() -> None:
    two = join(choose(SIZES, [ClusterId(2, 3)]), ClusterId(3, 1))
    assert two.clusters() == (ClusterId(2, 3), ClusterId(3, 1))
    assert two.current == ClusterId(3, 1)
    one = join(two, ClusterId(3, 1))
    assert one.clusters() == (ClusterId(2, 3),)
    assert one.current is None
    assert join(two, ClusterId(2, 3)).current == ClusterId(3, 1)


def test_what_was_selected_before_stays_as_it_was() -> None:
    before = choose(SIZES, [ClusterId(2, 3)])
    join(before, ClusterId(3, 1))
    together(before, [np.ones(size, bool) for size in SIZES])
    assert before.count == 1


def test_an_edit_of_subtrees_names_each_subtree_once() -> None:
    chosen = choose(SIZES, [ClusterId(1, 0), ClusterId(2, 1), ClusterId(2, 2), ClusterId(3, 0), ClusterId(3, 5), ClusterId(3, 6)])
    assert chosen.tops() == (ClusterId(1, 0), ClusterId(2, 2), ClusterId(3, 6))


def test_selections_are_equal_where_they_hold_the_same() -> None:
    assert choose(SIZES, [ClusterId(2, 3)]) == choose(SIZES, [ClusterId(2, 3)])
    assert choose(SIZES, [ClusterId(2, 3)]) != choose(SIZES, [ClusterId(2, 2)])
    assert choose(SIZES, [ClusterId(2, 3)]) != choose((2, 4), [ClusterId(2, 3)])
