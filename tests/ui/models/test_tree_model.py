"""The tree model computes what it shows, a page at a time."""

import numpy as np
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, BlockState, ClusterId
from memstudio.ui.models.roles import ActivityRole, InsideRole, MeasureRole, OnRouteRole, PeakRole, SelectedRole
from memstudio.ui.models.tree_model import PAGE, ROOT, Column, TreeModel
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import NodeView
from tests.ui.fabricated import bank_view

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


def shown(model: TreeModel, parent: QModelIndex = ROOT) -> list[ClusterId | None]:
    return [model.cluster(model.index(row, 0, parent)) for row in range(model.rowCount(parent))]


def test_it_passes_qts_own_model_tester_while_everything_changes(qapp: QApplication) -> None:
    model = TreeModel()
    model.show_bank(bank_view(), {})
    tester = QAbstractItemModelTester(model, FATAL)  # it fetches all there is by itself, so not within a reset
    model.fetchMore(model.index_of(ClusterId(1, 0)))
    model.take_nodes({ClusterId(1, 0): NodeView("metals", True), ClusterId(2, 1): NodeView("noble", False)})
    model.show_overlay({ClusterId(2, 0): PRUNED})
    model.show_route((ClusterId(1, 0), ClusterId(2, 1)))
    model.show_activity({ClusterId(1, 0): 0.5})
    model.show_hidden(frozenset({ClusterId(1, 2)}), frozenset({ClusterId(2, 0)}))
    model.show_bank(None, {})
    assert model.rowCount() == 0
    tester.deleteLater()
    model.deleteLater()


def test_absent_clusters_are_not_there_and_children_stand_under_their_parent(qapp: QApplication) -> None:
    model = TreeModel()
    model.show_bank(bank_view(), {})
    assert shown(model) == [ClusterId(1, 0), ClusterId(1, 2)]
    first = model.index_of(ClusterId(1, 0))
    assert model.rowCount(first) == 0
    assert model.canFetchMore(first)
    model.fetchMore(first)
    assert shown(model, first) == [ClusterId(2, 0), ClusterId(2, 1)]
    assert model.parent(model.index(1, 3, first)) == first
    assert not model.index_of(ClusterId(2, 2)).isValid()
    model.deleteLater()


def test_a_wide_level_comes_a_page_at_a_time_and_labels_are_asked_for_once(qtbot: QtBot) -> None:
    model = TreeModel()
    wanted: list[frozenset[ClusterId]] = []
    model.wanted.connect(wanted.append)
    model.show_bank(bank_view(([1] * 1000,)), {})
    assert model.rowCount() == PAGE
    assert model.index_of(ClusterId(1, 450)).row() == 450
    assert model.rowCount() == 3 * PAGE
    asked = [cluster for group in wanted for cluster in group]
    assert len(asked) == len(set(asked)) == 3 * PAGE
    model.deleteLater()


def test_nothing_grows_with_a_bank_of_millions_of_clusters(qapp: QApplication) -> None:
    documents = np.ones(2_000_000, dtype=np.int64).tolist()
    model = TreeModel()
    model.show_bank(bank_view(([1, 1], documents)), {})
    index = model.index_of(ClusterId(2, 1_000_000))
    assert model.cluster(index) == ClusterId(2, 1_000_000)
    assert model.rowCount(index.parent()) == PAGE
    model.deleteLater()


def test_states_have_their_own_words_and_activity_that_was_not_measured_is_empty(qapp: QApplication) -> None:
    model = TreeModel()
    edited = {ClusterId(1, 0): PRUNED, ClusterId(2, 0): BlockState("ab" * 32), ClusterId(2, 1): BlockState("base", 0.5)}
    model.show_bank(bank_view(), edited)
    words = [model.state_word(cluster) for cluster in (ClusterId(1, 0), ClusterId(2, 0), ClusterId(2, 1), ClusterId(1, 2))]
    assert words == ["pruned", "edited", "× 0.5", "shipped"]
    model.show_hidden(frozenset({ClusterId(1, 2)}), frozenset())
    assert model.state_word(ClusterId(1, 2)) == "hidden"
    model.show_route((ClusterId(1, 0),))
    index = model.index_of(ClusterId(1, 0), Column.MEASURE)
    assert index.data(OnRouteRole) is True
    assert index.data(ActivityRole) is None
    assert index.data(Qt.ItemDataRole.DisplayRole) == ""
    model.deleteLater()


def effect(*, fine: tuple[float, ...] = (0.5, -3.0, 9.0, float("nan"), 9.0, 9.0, 9.0, 9.0, 2.0)) -> Shades:
    coarse = np.array([float("nan"), 9.0, 1.0], np.float32)
    return Shades("effect", "Δ log-probability", "causal", (coarse, np.array(fine, np.float32)), True)


def test_a_measure_takes_the_place_of_the_activity_and_gives_it_back(qapp: QApplication) -> None:
    model = TreeModel()
    model.show_bank(bank_view(), {})
    model.show_activity({ClusterId(1, 0): 0.5})
    model.show_shades(effect())
    first, last = model.index_of(ClusterId(1, 0), Column.MEASURE), model.index_of(ClusterId(1, 2), Column.MEASURE)
    assert model.headerData(Column.MEASURE, Qt.Orientation.Horizontal) == "Effect"
    assert "Δ log-probability" in str(model.headerData(Column.MEASURE, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole))
    assert (first.data(), first.data(MeasureRole), first.data(PeakRole)) == ("–", None, -3.0)
    assert "not measured" in first.data(Qt.ItemDataRole.ToolTipRole)
    assert (last.data(), last.data(PeakRole)) == ("+1", 2.0)
    model.show_shades(None)
    assert (model.headerData(Column.MEASURE, Qt.Orientation.Horizontal), first.data()) == ("Activity", "0.50")
    model.deleteLater()


def test_a_measure_of_another_bank_is_let_go(qapp: QApplication) -> None:
    model = TreeModel()
    model.show_bank(bank_view(), {})
    model.show_shades(effect(fine=(1.0, 2.0)))
    assert model.shades is None
    model.deleteLater()


def test_a_selection_of_all_leaves_fetches_no_row_and_is_counted_where_it_is_folded_away(qapp: QApplication) -> None:
    model = TreeModel()
    model.show_bank(bank_view(([1] * 16, [1] * 65536)), {})
    chosen = choose(model.sizes, [ClusterId(1, 3)])
    model.show_chosen(Chosen((chosen.masks[0], np.ones(65536, bool)), ClusterId(1, 3)))
    assert model.rowCount(model.index_of(ClusterId(1, 0))) == 0
    index = model.index_of(ClusterId(1, 0))
    assert (index.data(SelectedRole), index.data(InsideRole)) == (False, 4096)
    assert "4,096 clusters selected inside" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert model.index_of(ClusterId(1, 3)).data(SelectedRole) is True
    assert [(each.top(), each.bottom()) for each in (model.runs(9).at(0),)] == [(3, 3)]
    model.deleteLater()


def test_far_down_a_wide_level_the_rows_come_at_once_and_labels_as_they_are_drawn(qtbot: QtBot) -> None:
    model = TreeModel()
    model.show_bank(bank_view(([1] * 20_000,)), {})
    inserted: list[int] = []
    model.rowsInserted.connect(lambda _, first, last: inserted.append(last - first + 1))
    wanted: list[frozenset[ClusterId]] = []
    model.wanted.connect(wanted.append)
    index = model.index_of(ClusterId(1, 15_000))
    assert len(inserted) == 1
    assert not wanted
    with qtbot.waitSignal(model.wanted, timeout=5000):
        index.data()
    assert wanted == [frozenset({ClusterId(1, 15_000)})]
    model.deleteLater()


def test_so_many_changed_blocks_are_drawn_again_as_one_stretch(qapp: QApplication) -> None:
    model = TreeModel()
    model.show_bank(bank_view(([1] * 2000,)), {})
    drawn: list[int] = []
    model.dataChanged.connect(lambda first, last: drawn.append(last.row() - first.row() + 1))
    model.show_overlay({ClusterId(1, at): PRUNED for at in range(2000)})
    assert drawn == [PAGE]
    model.deleteLater()
