"""The history table shows revisions newest first and keeps its rows when one is added."""

from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.ui.models.history_model import Column, HistoryModel
from tests.ui.fabricated import revision

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


def test_it_passes_qts_own_model_tester(qapp: QApplication) -> None:
    model = HistoryModel()
    tester = QAbstractItemModelTester(model, FATAL)
    model.show_log((revision(0, None, head=True),))
    model.show_log((revision(0, None), revision(1, 0, head=True)))
    model.show_log((revision(0, None, head=True), revision(1, 0, current=False)))
    model.show_log(())
    tester.deleteLater()
    model.deleteLater()


def test_a_new_revision_is_a_row_inserted_on_top(qtbot: QtBot) -> None:
    model = HistoryModel()
    model.show_log((revision(0, None, head=True),))
    with qtbot.waitSignal(model.rowsInserted):
        model.show_log((revision(0, None), revision(1, 0, head=True)))
    assert [model.revision(row).id for row in range(model.rowCount())] == [1, 0]
    assert model.index(1, Column.TITLE).data() == "as shipped"
    assert model.row_of(1) == 0
    model.deleteLater()
