"""The table by itself: selecting all of a large bank, filters by mouse and keys, labels for the rows in sight only."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, ClusterId
from memstudio.session.findings import Finding, Findings
from memstudio.ui.models.clusters_columns import FIGURES, Column
from memstudio.ui.models.roles import SelectedRole
from memstudio.ui.panels.table_panel import TablePanel
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, LevelView, NodeView
from memstudio.ui.theme import Theme

CTRL, SHIFT, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SIZES = (16, 256, 4096, 65536)
ALL = sum(SIZES)
SLOW = 0.5  # seconds of this thread's own work, whatever else the machine does; what was mended took 1 to 3, and takes milliseconds now


def large_bank() -> BankView:
    return BankView("large", Path("large"), tuple(LevelView(at, 16, np.ones(n, np.int64), 1000) for at, n in enumerate(SIZES, 1)), "zero")


def shades(title: str = "effect") -> Shades:
    rng = np.random.default_rng(0)
    return Shades(title, "nats", "causal", tuple(rng.standard_normal(size).astype(np.float32) for size in SIZES), True)


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Iterator[TablePanel]:
    made = TablePanel(theme)
    qtbot.addWidget(made)
    made.resize(900, 400)
    made.show_bank(large_bank(), {})
    made.show()
    yield made
    made.close()


@pytest.fixture
def chosen(panel: TablePanel) -> list[Chosen]:
    got: list[Chosen] = []
    panel.chosen.connect(got.append)
    panel.chosen.connect(panel.show_chosen)  # as the window does
    return got


def click(panel: TablePanel, row: int, held: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT) -> None:
    QTest.mouseClick(panel.view.viewport(), button, held, panel.view.visualRect(panel.model.index(row, 0)).center())


def ids(chosen: Chosen) -> list[str]:
    return [str(cluster) for cluster in chosen.clusters()]


def shown(panel: TablePanel, count: int = 5) -> list[str]:
    return [str(panel.model.index(row, 0).data()) for row in range(min(count, panel.model.rowCount()))]


def say(panel: TablePanel, qtbot: QtBot, text: str) -> None:
    """Write into the text filter, and wait for the pause after it."""
    with qtbot.waitSignal(panel.searched, timeout=10_000):
        panel.filter.text.setText(text)


def quickest(act: object, times: int = 3) -> float:
    """Seconds of work of the quickest of some calls: a busy machine is no failure."""
    took = []
    for _ in range(times):
        start = time.thread_time()
        act()  # type: ignore[operator]
        took.append(time.thread_time() - start)
    return min(took)


def test_all_of_a_large_bank_is_selected_and_shown_at_once_in_any_order(panel: TablePanel, chosen: list[Chosen]) -> None:
    leaves = Chosen((*(np.zeros(size, bool) for size in SIZES[:3]), np.ones(65536, bool)), ClusterId(4, 9))
    half = Chosen(tuple(np.arange(size) % 2 == 0 for size in SIZES), ClusterId(4, 10))
    both = iter([leaves, half] * 3)
    panel.view.setFocus()
    panel.show_shades(shades())
    for column in (Column.CLUSTER, FIGURES):
        panel.view.sortByColumn(column, Qt.SortOrder.DescendingOrder)
        assert quickest(lambda: QTest.keyClick(panel.view, Qt.Key.Key_A, CTRL)) < SLOW
        assert chosen[-1].count == ALL
        assert quickest(lambda: panel.show_chosen(next(both))) < SLOW
    assert panel.count.text() == f"{ALL:,} of {ALL:,} clusters · 34,952 selected"


def test_sorting_and_filtering_a_large_bank_take_no_time(panel: TablePanel, qtbot: QtBot) -> None:
    panel.show_shades(shades())
    orders = [Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder]
    for column in range(panel.model.columnCount()):
        assert quickest(lambda column=column: panel.view.sortByColumn(column, orders[column % 2])) < SLOW
    assert quickest(lambda: panel.filter.level.setCurrentIndex((panel.filter.level.currentIndex() + 1) % 5)) < SLOW
    assert quickest(lambda: panel.show_overlay({ClusterId(4, at): PRUNED for at in range(0, 65536, 2)}), 1) < 4 * SLOW


def test_it_passes_qts_own_model_tester_with_the_view_on_it(panel: TablePanel, chosen: list[Chosen]) -> None:
    levels = (LevelView(1, 3, np.array([1, 0, 2]), 10), LevelView(2, 2, np.array([1, 1, 0, 0, 3, 4]), 10))
    panel.show_bank(BankView("small", Path("small"), levels, "zero"), {})
    tester = QAbstractItemModelTester(panel.model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    click(panel, 2)
    click(panel, 4, SHIFT)
    figures = tuple(np.arange(level.clusters, dtype=np.float32) for level in levels)
    panel.show_shades(Shades("effect", "nats", "causal", figures))
    panel.view.sortByColumn(FIGURES, Qt.SortOrder.DescendingOrder)
    panel.filter.level.setCurrentIndex(2)
    panel.filter.state.setCurrentIndex(2)
    panel.filter.reset()
    panel.show_figures((Shades("use", "runs", "counted", figures),))
    panel.show_shades(None)
    assert ids(panel.selection.now) == ["2/0", "2/1", "2/4"]
    tester.deleteLater()


def test_clicks_select_as_in_any_table_and_sorting_keeps_what_is_selected(panel: TablePanel, chosen: list[Chosen]) -> None:
    click(panel, 0)
    click(panel, 2, CTRL)
    click(panel, 4, SHIFT)
    assert ids(chosen[-1]) == ["1/0", "1/2", "1/3", "1/4"]
    assert chosen[-1].current == ClusterId(1, 4)
    said = len(chosen)
    panel.view.sortByColumn(Column.CLUSTER, Qt.SortOrder.DescendingOrder)
    rows = {panel.model.cluster(index) for index in panel.view.selectionModel().selectedRows()}
    assert rows == {ClusterId(1, at) for at in (0, 2, 3, 4)}
    assert panel.model.cluster(panel.view.currentIndex()) == ClusterId(1, 4)
    assert len(chosen) == said


def test_ctrl_a_takes_what_the_filter_leaves_and_a_click_drops_what_it_hides(panel: TablePanel, chosen: list[Chosen]) -> None:
    panel.filter.level.setCurrentIndex(2)
    panel.view.setFocus()
    QTest.keyClick(panel.view, Qt.Key.Key_A, CTRL)
    assert [int(mask.sum()) for mask in chosen[-1].masks] == [0, 256, 0, 0]
    panel.filter.level.setCurrentIndex(1)
    assert panel.count.text() == f"16 of {ALL:,} clusters · 256 selected"
    click(panel, 3)
    assert ids(chosen[-1]) == ["1/3"]


def test_the_right_button_keeps_a_selection_of_many_pieces(panel: TablePanel, chosen: list[Chosen]) -> None:
    panel.show_chosen(Chosen(tuple(np.arange(size) % 2 == 0 for size in SIZES)))
    assert panel.view.selectionModel().selection().count() == 0  # too many pieces for Qt to be told of
    assert panel.model.index(2, 0).data(SelectedRole)
    click(panel, 2, button=RIGHT)
    assert not chosen
    click(panel, 2, CTRL)
    assert chosen[-1].count == ALL // 2 - 1


def test_what_was_selected_elsewhere_is_scrolled_to_and_not_said_again(panel: TablePanel, chosen: list[Chosen]) -> None:
    panel.show_chosen(choose(SIZES, [ClusterId(4, 60_000)]))
    assert not chosen
    assert panel.model.cluster(panel.view.currentIndex()) == ClusterId(4, 60_000)
    assert panel.view.viewport().rect().intersects(panel.view.visualRect(panel.view.currentIndex()))


def test_labels_are_asked_for_the_rows_in_sight_and_once(panel: TablePanel, qtbot: QtBot) -> None:
    asked: list[frozenset[ClusterId]] = []
    panel.wanted.connect(asked.append)
    qtbot.waitUntil(lambda: bool(asked), timeout=10_000)
    first = asked[0]
    assert ClusterId(1, 0) in first
    assert len(first) < 30
    panel.show_nodes({cluster: NodeView("metals", True) for cluster in first})
    assert panel.model.index(0, Column.LABEL).data() == "metals"
    panel.view.scrollToBottom()
    qtbot.waitUntil(lambda: len(asked) > 1, timeout=10_000)
    assert ClusterId(4, 65535) in asked[-1]
    assert not asked[-1] & first


def test_a_text_is_an_id_at_once_and_a_label_when_the_search_has_answered(panel: TablePanel, qtbot: QtBot) -> None:
    say(panel, qtbot, "3/40")
    assert shown(panel, 3) == ["3/40", "3/400", "3/401"]
    say(panel, qtbot, "gold")
    assert panel.model.filter.text == "3/40"  # until the answer is here
    panel.show_found(Findings("silver", (Finding("label", ClusterId(1, 1), "silver"),)))
    assert panel.model.filter.text == "3/40"
    panel.show_found(Findings("gold", (Finding("label", ClusterId(4, 7), "gold"), Finding("document", ClusterId(4, 8), "gold"))))
    assert shown(panel) == ["4/7"]
    assert "1 found" in panel.note.text()
    say(panel, qtbot, "lead")
    panel.show_found(Findings("lead", ()))
    assert panel.count.text() == f"0 of {ALL:,} clusters · 0 selected"
    assert not panel.view.isVisibleTo(panel)
    panel.filter.reset()
    assert panel.model.rowCount() == ALL
    assert panel.view.isVisibleTo(panel)


def test_the_measured_ones_and_a_minimum_can_be_asked_for_once_there_is_a_measure(panel: TablePanel, qtbot: QtBot) -> None:
    assert not panel.filter.measured.isEnabled()
    values = tuple(np.full(size, np.nan, np.float32) for size in SIZES)
    values[3][[3, 5]] = [-2.0, 1.0]
    panel.show_shades(Shades("effect", "nats", "causal", values, True))
    assert panel.filter.measured.isEnabled()
    panel.filter.measured.click()
    assert shown(panel) == ["4/3", "4/5"]
    with qtbot.waitSignal(panel.filter.changed, timeout=10_000):
        QTest.keyClicks(panel.filter.least, "1.5")
    assert shown(panel) == ["4/3"]


def test_a_column_that_goes_takes_its_order_with_it(panel: TablePanel) -> None:
    panel.show_shades(shades())
    panel.view.sortByColumn(FIGURES, Qt.SortOrder.DescendingOrder)
    panel.show_shades(None)
    assert panel.view.horizontalHeader().sortIndicatorSection() == Column.CLUSTER
    assert shown(panel, 2) == ["1/0", "1/1"]


def test_the_rows_shown_are_saved_when_that_is_asked_for(panel: TablePanel, qtbot: QtBot, tmp_path: Path) -> None:
    panel.filter.level.setCurrentIndex(1)
    with qtbot.waitSignal(panel.save_wanted):
        panel.save_button.click()
    assert panel.write(tmp_path / "level.csv") == 16
    assert len((tmp_path / "level.csv").read_text(encoding="utf-8").splitlines()) == 17


@pytest.mark.parametrize("tone", ["light", "dark"])
def test_it_is_painted_with_and_without_a_bank_wide_and_narrow(panel: TablePanel, theme: Theme, tone: str) -> None:
    theme.choose("dark" if tone == "dark" else "light")
    panel.show_overlay({ClusterId(1, 1): PRUNED})
    panel.show_hidden(frozenset({ClusterId(1, 2)}), frozenset({ClusterId(1, 3)}))
    panel.show_route((ClusterId(1, 4),))
    values = tuple(np.resize(np.array([np.nan, np.inf, -1.0], np.float32), size) for size in SIZES)
    panel.show_shades(Shades("effect", "nats", "causal", values))
    for width in (900, 320):
        panel.resize(width, 300)
        assert not panel.grab().isNull()
    panel.show_bank(None, {})
    assert panel.empty.isVisibleTo(panel)
    assert not panel.grab().isNull()


def test_painting_does_not_ask_about_every_selected_row(panel: TablePanel) -> None:
    start = time.thread_time()
    panel.show_chosen(Chosen(tuple(np.ones(size, bool) for size in SIZES)))
    panel.grab()
    assert time.thread_time() - start < 4 * SLOW
