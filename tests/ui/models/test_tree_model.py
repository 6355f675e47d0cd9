"""The tree model computes what it shows, a page at a time."""

import numpy as np
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, BlockState, ClusterId
from memstudio.ui.models.tree_model import PAGE, ROOT, ActivityRole, Column, OnRouteRole, TreeModel
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
    index = model.index_of(ClusterId(1, 0), Column.ACTIVITY)
    assert index.data(OnRouteRole) is True
    assert index.data(ActivityRole) is None
    assert index.data(Qt.ItemDataRole.DisplayRole) == ""
    model.deleteLater()
