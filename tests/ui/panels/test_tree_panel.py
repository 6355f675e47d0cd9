"""The tree by itself: many are selected by mouse and keys, folded or not, and a search leads to a cluster or to all it found."""

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, ClusterId
from memstudio.session.findings import Finding, Findings
from memstudio.ui.models.roles import SelectedRole
from memstudio.ui.models.tree_model import Column
from memstudio.ui.panels.parts import EmptyState
from memstudio.ui.panels.shade_box import ShadeBox
from memstudio.ui.panels.tree_panel import TreePanel
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.shades import Shades
from memstudio.ui.theme import Theme
from tests.ui.fabricated import bank_view

CTRL, SHIFT, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SIZES = (4, 16)
FINDINGS = (
    Finding("token", ClusterId(2, 5), "▁gold", "layer 7, neuron 2"),
    Finding("label", ClusterId(1, 2), "gold coins"),
    Finding("document", ClusterId(2, 5), "Gold is a metal.", "document gold"),
)


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Iterator[TreePanel]:
    made = TreePanel(theme, EmptyState("No bank open", ""))
    qtbot.addWidget(made)
    made.resize(420, 420)
    made.show_bank(bank_view(([1] * 4, [1] * 16)), {})
    made.show()
    yield made
    made.close()


@pytest.fixture
def chosen(panel: TreePanel) -> list[Chosen]:
    got: list[Chosen] = []
    panel.chosen.connect(got.append)
    return got


def ids(chosen: Chosen) -> list[str]:
    return [str(cluster) for cluster in chosen.clusters()]


def click(panel: TreePanel, cluster: ClusterId, held: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT) -> None:
    at = panel.view.visualRect(panel.model.index_of(cluster)).center()
    QTest.mouseClick(panel.view.viewport(), button, held, at)


def test_a_click_selects_one_with_ctrl_one_more_and_with_shift_all_between(panel: TreePanel, chosen: list[Chosen]) -> None:
    selected: list[ClusterId | None] = []
    panel.selected.connect(selected.append)
    click(panel, ClusterId(1, 0))
    click(panel, ClusterId(1, 2), CTRL)
    assert ids(chosen[-1]) == ["1/0", "1/2"]
    assert chosen[-1].current == ClusterId(1, 2)
    click(panel, ClusterId(1, 3), SHIFT)
    assert ids(chosen[-1]) == ["1/0", "1/2", "1/3"]
    click(panel, ClusterId(1, 3), CTRL)
    assert ids(chosen[-1]) == ["1/0", "1/2"]
    assert selected == [ClusterId(1, 0), ClusterId(1, 2), ClusterId(1, 3), None]


def test_what_is_selected_in_a_folded_branch_stays_when_another_is_joined(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.show_chosen(choose(SIZES, [ClusterId(2, 9), ClusterId(2, 10)]))
    assert not chosen
    click(panel, ClusterId(1, 0), CTRL)
    assert ids(chosen[-1]) == ["1/0", "2/9", "2/10"]
    click(panel, ClusterId(1, 1))
    assert ids(chosen[-1]) == ["1/1"]


def test_the_keys_go_on_as_in_any_list(panel: TreePanel, chosen: list[Chosen]) -> None:
    click(panel, ClusterId(1, 0))
    QTest.keyClick(panel.view, Qt.Key.Key_Down, SHIFT)
    QTest.keyClick(panel.view, Qt.Key.Key_Down, SHIFT)
    assert ids(chosen[-1]) == ["1/0", "1/1", "1/2"]
    QTest.keyClick(panel.view, Qt.Key.Key_Up, SHIFT)
    assert ids(chosen[-1]) == ["1/0", "1/1"]
    QTest.keyClick(panel.view, Qt.Key.Key_Down)
    assert ids(chosen[-1]) == ["1/2"]
    QTest.keyClick(panel.view, Qt.Key.Key_A, CTRL)
    assert chosen[-1].count == 4


def test_a_drag_that_is_told_back_at_once_can_still_shrink(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.chosen.connect(panel.show_chosen)  # as the window does
    click(panel, ClusterId(1, 0))
    for _ in range(3):
        QTest.keyClick(panel.view, Qt.Key.Key_Down, SHIFT)
    QTest.keyClick(panel.view, Qt.Key.Key_Up, SHIFT)
    assert ids(chosen[-1]) == ["1/0", "1/1", "1/2"]


def test_what_was_selected_elsewhere_is_shown_its_current_one_unfolded_and_nothing_said(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.show_chosen(choose(SIZES, [ClusterId(2, 5), ClusterId(2, 13)], ClusterId(2, 5)))
    assert not chosen
    assert panel.view.isExpanded(panel.model.index_of(ClusterId(1, 1)))
    assert not panel.view.isExpanded(panel.model.index_of(ClusterId(1, 3)))
    assert panel.view.currentIndex().data(SelectedRole)
    rows = panel.view.selectionModel().selectedRows()
    assert [panel.model.cluster(index) for index in rows] == [ClusterId(2, 5)]


def test_the_right_button_leaves_a_selection_as_it_is_and_takes_what_was_not_in_it(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.show_chosen(choose(SIZES, [ClusterId(1, 0), ClusterId(1, 2)], ClusterId(1, 2)))
    click(panel, ClusterId(1, 0), button=RIGHT)
    assert not chosen
    click(panel, ClusterId(1, 3), button=RIGHT)
    assert ids(chosen[-1]) == ["1/3"]


def test_a_selection_of_another_bank_is_not_shown(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.show_chosen(choose((2, 2), [ClusterId(2, 1)]))
    assert not any(panel.model.index(row, 0).data(SelectedRole) for row in range(4))
    click(panel, ClusterId(1, 1), CTRL)
    assert ids(chosen[-1]) == ["1/1"]


@pytest.mark.parametrize("dark", ["light", "dark"])
def test_every_measure_and_state_can_be_painted_narrow_or_wide(panel: TreePanel, theme: Theme, dark: str) -> None:
    theme.choose("dark" if dark == "dark" else "light")
    values = (np.array([np.nan, np.inf, -2.0, 0.0], np.float32), np.linspace(-9, 9, 16, dtype=np.float32))
    panel.show_overlay({ClusterId(1, 1): PRUNED})
    panel.show_chosen(choose(SIZES, [ClusterId(2, 15)], ClusterId(1, 0)))
    for signed in (True, False):
        panel.show_shades(Shades("effect", "nats", "causal", values, signed))
        for width in (420, 180):
            panel.resize(width, 300)
            assert not panel.grab().isNull()
    assert panel.view.isColumnHidden(Column.SIZE)


def test_a_bar_shows_the_strongest_beneath_only_while_it_is_folded_away(panel: TreePanel) -> None:
    panel.show_shades(Shades("use", "runs", "counted", (np.zeros(4, np.float32), np.array([9.0] + [0.0] * 15, np.float32))))
    cell = panel.view.visualRect(panel.model.index_of(ClusterId(1, 0), Column.MEASURE))

    def end_of_bar() -> list[int]:
        picture = panel.view.viewport().grab(cell).toImage()
        x = picture.width() - 6
        return [picture.pixel(x, y) for y in range(picture.height())]

    folded = end_of_bar()
    panel.view.expand(panel.model.index_of(ClusterId(1, 0)))
    assert end_of_bar() != folded


def test_findings_stand_under_headings_and_the_keys_pass_these_over(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.search.setText("gold")
    panel.show_found(Findings("other", FINDINGS))
    assert panel.results.count() == 0
    panel.show_found(Findings("gold", FINDINGS, 7))
    assert [panel.results.item(row).text().split("   ")[0] for row in range(6)] == [
        "Label · 1",
        "gold coins",
        "Documents with this text · 1",
        "Gold is a metal.",
        "Blocks that promote this token · 1",
        "▁gold",
    ]
    assert panel.found.count.text() == "3 of 7 matches"
    panel.search.setFocus()
    QTest.keyClick(panel.search, Qt.Key.Key_Down)
    QTest.keyClick(panel.search, Qt.Key.Key_Down)
    QTest.keyClick(panel.search, Qt.Key.Key_Up)
    QTest.keyClick(panel.search, Qt.Key.Key_Return)
    assert chosen[-1].current == ClusterId(2, 5)
    assert panel.search.text() == ""


def test_all_that_was_found_becomes_one_selection(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.search.setText("gold")
    panel.show_found(Findings("gold", FINDINGS))
    assert panel.found.all_button.text() == "All 2 as a selection"
    QTest.mouseClick(panel.found.all_button, LEFT)
    assert ids(chosen[-1]) == ["1/2", "2/5"]
    assert not panel.results.isVisibleTo(panel)


def test_what_is_found_stands_under_its_heading_and_escape_goes_back(panel: TreePanel) -> None:
    panel.search.setFocus()
    panel.search.setText("gold")
    panel.show_found(Findings("gold", (Finding("label", ClusterId(2, 5), "gold coins"),)))
    assert panel.results.count() == 2
    assert not panel.found.all_button.isVisibleTo(panel)
    QTest.keyClick(panel.search, Qt.Key.Key_Escape)
    assert panel.view.isVisibleTo(panel)
    panel.search.setText("lead")
    panel.show_found(Findings("lead", ()))
    assert not panel.results.isVisibleTo(panel)


def test_without_a_bank_it_says_what_to_do(panel: TreePanel, chosen: list[Chosen]) -> None:
    panel.show_bank(None, {})
    panel.show_chosen(Chosen())
    panel.show_route(())
    panel.show_shades(None)
    assert not panel.search.isVisibleTo(panel)
    QTest.mouseClick(panel.view.viewport(), LEFT, NONE, QPoint(5, 5))
    assert not chosen


def test_the_box_of_measures_says_what_was_picked_by_hand_only(qtbot: QtBot) -> None:
    box = ShadeBox()
    qtbot.addWidget(box)
    picked: list[str] = []
    box.picked.connect(picked.append)
    box.show_choices(())
    assert box.isHidden()
    box.show_choices(("State", "Effect"), "Effect")
    assert (box.currentText(), picked) == ("Effect", [])
    QTest.keyClick(box, Qt.Key.Key_Up)
    assert picked == ["State"]
    box.show_choices(("State",), "Effect")
    assert box.currentIndex() == -1
    box.close()
