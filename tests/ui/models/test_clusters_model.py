"""The table of clusters: every present cluster once, sorted and filtered by what was asked, and written as it is shown."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication

from memstudio.bank.values import PRUNED, BlockState, ClusterId
from memstudio.errors import UserError
from memstudio.ui.models.cluster_rows import ClusterRows
from memstudio.ui.models.clusters_columns import FIGURES, Column
from memstudio.ui.models.clusters_model import ClustersModel
from memstudio.ui.models.clusters_sheet import write_sheet
from memstudio.ui.models.clusters_state import Filter
from memstudio.ui.models.roles import MeasureRole, SelectedRole
from memstudio.ui.selection import choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, LevelView, NodeView
from tests.ui.fabricated import bank_view

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal
DOWN, UP = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder
NAN = float("nan")
SIZES = (3, 9)
PRESENT = ["1/0", "1/2", "2/0", "2/1", "2/3", "2/8"]


def shades(
    title: str = "effect", fine: tuple[float, ...] = (0.1, -3.0, 9.0, NAN, 9.0, 9.0, 9.0, 9.0, 2.0), *, signed: bool = True
) -> Shades:
    coarse = np.array([NAN, 9.0, 1.0], np.float32)
    return Shades(title, "Δ log-probability", "causal", (coarse, np.array(fine, np.float32)), signed)


def shown(model: ClustersModel) -> list[str]:
    return [str(model.index(row, Column.CLUSTER).data()) for row in range(model.rowCount())]


def sorted_by(model: ClustersModel, column: int, order: Qt.SortOrder) -> list[str]:
    model.sort(column, order)
    return shown(model)


def made(overlay: dict[ClusterId, BlockState] | None = None) -> ClustersModel:
    model = ClustersModel()
    model.show_bank(bank_view(), overlay or {})
    return model


def test_it_passes_qts_own_model_tester_while_everything_changes(qapp: QApplication) -> None:
    model = ClustersModel()
    tester = QAbstractItemModelTester(model, FATAL)
    model.show_bank(bank_view(), {})
    kept = QPersistentModelIndex(model.index(5, 1))
    model.take_nodes({ClusterId(1, 0): NodeView("metals", True), ClusterId(2, 1): NodeView("noble", False)})
    model.show_overlay({ClusterId(2, 0): PRUNED})
    model.show_hidden(frozenset({ClusterId(1, 2)}), frozenset())
    model.show_route((ClusterId(1, 0), ClusterId(2, 1)))
    model.show_figures((shades("use"), shades("scan")))
    model.show_shades(shades())
    for column in range(model.columnCount()):
        model.sort(column, DOWN)
        model.sort(column, UP)
    assert model.cluster(QModelIndex(kept)) == ClusterId(2, 8)  # through every sort
    for wanted in (Filter(level=2), Filter(text="2/"), Filter(measured=True), Filter(level=3), Filter()):
        model.choose(wanted)
    model.show_figures(())
    model.show_shades(None)
    model.show_bank(None, {})
    assert model.rowCount() == 0
    tester.deleteLater()
    model.deleteLater()


def test_every_cluster_with_documents_is_a_row_and_absent_ones_are_not(qapp: QApplication) -> None:
    model = made()
    assert shown(model) == PRESENT
    assert [model.index(row, Column.DOCUMENTS).data() for row in range(6)] == ["5", "7", "1", "2", "3", "4"]
    model.deleteLater()


def test_sorting_is_stable_and_what_was_not_measured_comes_last_either_way(qapp: QApplication) -> None:
    model = made()
    model.show_shades(shades())
    assert sorted_by(model, FIGURES, DOWN) == ["2/8", "1/2", "2/0", "2/1", "1/0", "2/3"]
    assert sorted_by(model, FIGURES, UP) == ["2/1", "2/0", "1/2", "2/8", "1/0", "2/3"]
    assert sorted_by(model, Column.DOCUMENTS, DOWN) == ["1/2", "1/0", "2/8", "2/3", "2/1", "2/0"]
    assert sorted_by(model, Column.LEVEL, DOWN) == ["2/0", "2/1", "2/3", "2/8", "1/0", "1/2"]
    assert sorted_by(model, Column.CLUSTER, DOWN) == PRESENT[::-1]
    assert sorted_by(model, -1, UP) == PRESENT
    model.deleteLater()


def test_labels_that_were_not_read_come_last_and_empty_ones_say_so(qapp: QApplication) -> None:
    model = made()
    model.take_nodes(
        {ClusterId(2, 3): NodeView("alloys", True), ClusterId(1, 0): NodeView("Zinc", True), ClusterId(1, 2): NodeView("", True)}
    )
    assert sorted_by(model, Column.LABEL, UP)[:2] == ["2/3", "1/0"]
    assert sorted_by(model, Column.LABEL, DOWN)[:2] == ["1/0", "2/3"]
    texts = {str(model.index(row, 0).data()): model.index(row, Column.LABEL).data() for row in range(6)}
    assert (texts["1/2"], texts["2/0"]) == ("no label", "…")
    assert model.unlabelled(0, 5) == {ClusterId(2, 0), ClusterId(2, 1), ClusterId(2, 8)}
    model.deleteLater()


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (Filter(level=1), ["1/0", "1/2"]),
        (Filter(text="2/"), ["2/0", "2/1", "2/3", "2/8"]),
        (Filter(text="3", found=frozenset({ClusterId(1, 2), ClusterId(2, 2)})), ["1/2", "2/3"]),
        (Filter(text="no such label"), []),
        (Filter(state="changed"), ["1/2", "2/0", "2/1"]),
        (Filter(state="pruned"), ["2/0"]),
        (Filter(state="hidden"), ["1/0"]),
        (Filter(state="muted"), ["2/8"]),
        (Filter(measured=True), ["1/2", "2/0", "2/1", "2/8"]),
        (Filter(least=2.0), ["2/1", "2/8"]),
        (Filter(level=2, least=2.5), ["2/1"]),
    ],
)
def test_a_filter_leaves_what_it_names(qapp: QApplication, wanted: Filter, left: list[str]) -> None:
    model = made({ClusterId(2, 0): PRUNED, ClusterId(2, 1): BlockState("ab" * 32), ClusterId(1, 2): BlockState("base", 0.5)})
    model.show_hidden(frozenset({ClusterId(1, 0)}), frozenset({ClusterId(2, 8)}))
    model.show_shades(shades())
    model.choose(wanted)
    assert shown(model) == left
    model.choose(Filter())
    assert shown(model) == PRESENT
    model.deleteLater()


def test_an_id_that_is_begun_names_those_that_begin_so() -> None:
    rows = ClusterRows((LevelView(1, 200, np.ones(200, np.int64), 1), LevelView(2, 2, np.ones(400, np.int64), 1)))
    named = rows.named("2/13")
    assert [str(rows.cluster(at)) for at in np.flatnonzero(named)] == ["2/13", *(f"2/{at}" for at in range(130, 140))]
    assert rows.named("7").sum() == 2 * 11
    assert not rows.named("013").any()
    assert rows.named("0").sum() == 2
    assert not rows.named("gold").any()


def test_a_minimum_goes_by_the_value_itself_where_the_measure_has_no_sign(qapp: QApplication) -> None:
    model = made()
    model.show_shades(shades(signed=False))
    model.choose(Filter(least=0.5))
    assert shown(model) == ["1/2", "2/8"]
    model.deleteLater()


def test_rows_sorted_by_a_measure_follow_it_while_it_runs(qapp: QApplication) -> None:
    model = made()
    model.show_shades(shades())
    model.sort(FIGURES, DOWN)
    later = shades(fine=(50.0, -3.0, 9.0, 60.0, 9.0, 9.0, 9.0, 9.0, 2.0))
    model.show_shades(later)
    assert shown(model)[:2] == ["2/3", "2/0"]
    assert model.sorted_by == (FIGURES, DOWN)
    model.show_shades(None)
    assert shown(model) == PRESENT
    assert model.sorted_by == (Column.CLUSTER, UP)
    model.deleteLater()


def test_each_measure_has_one_column_that_stays_where_it_is(qapp: QApplication) -> None:
    model = made()
    model.show_figures((shades("use"), shades("scan")))
    model.show_shades(shades("scan"))
    titles = [model.headerData(at, Qt.Orientation.Horizontal) for at in range(FIGURES, model.columnCount())]
    assert titles == ["Use", "Scan"]
    model.show_shades(shades("effect"))
    assert model.columnCount() == FIGURES + 3
    assert model.index(0, FIGURES).data() == "–"
    assert model.index(0, FIGURES).data(MeasureRole) is None
    assert model.index(3, FIGURES).data() == "−3"
    model.deleteLater()


def test_a_measure_or_a_selection_of_another_bank_is_let_go(qapp: QApplication) -> None:
    model = made()
    model.show_shades(Shades("other", "", "stored", (np.ones(2, np.float32),)))
    assert model.columnCount() == FIGURES
    model.show_chosen(choose((4, 4), [ClusterId(1, 3)]))
    assert not any(model.index(row, 0).data(SelectedRole) for row in range(6))
    model.deleteLater()


def test_a_level_without_width_holds_no_blocks(qapp: QApplication) -> None:
    model = ClustersModel()
    model.show_bank(BankView("thin", Path("thin"), (LevelView(1, 2, np.array([3, 4]), 0),), "zero"), {})
    assert [model.index(0, column).data() for column in (Column.SIZE, Column.STATE)] == ["0 B", "none"]
    model.deleteLater()


def test_a_selection_in_pieces_is_told_by_its_bits_and_counted_in_ranges(qapp: QApplication) -> None:
    model = made()
    model.show_chosen(choose(SIZES, [ClusterId(1, 0), ClusterId(2, 0), ClusterId(2, 1), ClusterId(2, 2)]))
    assert [model.index(row, 0).data(SelectedRole) for row in range(6)] == [True, False, True, True, False, False]
    assert [(each.top(), each.bottom()) for each in (model.runs(9).at(0), model.runs(9).at(1))] == [(0, 0), (2, 3)]
    assert model.runs(1).count() == 0
    model.deleteLater()


def test_the_file_holds_what_is_shown_in_its_order_with_every_digit(qapp: QApplication, tmp_path: Path) -> None:
    model = made({ClusterId(2, 0): PRUNED, ClusterId(1, 2): BlockState("base", 0.5)})
    model.take_nodes({ClusterId(2, 0): NodeView('gold, "silver"', True), ClusterId(2, 1): NodeView("=1+1", True)})
    model.show_route((ClusterId(2, 1),))
    model.show_shades(shades())
    model.choose(Filter(measured=True))
    model.sort(FIGURES, DOWN)
    file = tmp_path / "clusters.csv"
    assert write_sheet(model.sheet(), file) == 4
    with file.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.reader(stream))
    names = ["cluster", "label", "level", "documents", "block size (bytes)", "state", "on route (1 = yes)", "effect (Δ log-probability)"]
    assert lines[0] == names
    assert [line[0] for line in lines[1:]] == ["2/8", "1/2", "2/0", "2/1"]
    assert lines[2][5] == "× 0.5"
    assert lines[3] == ["2/0", 'gold, "silver"', "2", "1", "2000", "pruned", "0", "0.1"]
    assert lines[4][1:7] == ["'=1+1", "2", "2", "2000", "shipped", "1"]
    assert np.float32(lines[3][7]) == np.float32(0.1)
    write_sheet(model.sheet(), file, labels=(["a", "b", "c"], [f"leaf {at}" for at in range(9)]))
    assert "2/8,leaf 8," in file.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["clusters.csv"]
    model.deleteLater()


def test_what_was_not_measured_is_an_empty_cell(qapp: QApplication, tmp_path: Path) -> None:
    model = made()
    model.show_shades(shades())
    write_sheet(model.sheet(), tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",shipped,0,")
    model.deleteLater()


def test_a_file_that_cannot_be_written_is_one_line(qapp: QApplication, tmp_path: Path) -> None:
    model = made()
    with pytest.raises(UserError, match="cannot be written") as refused:
        write_sheet(model.sheet(), tmp_path / "missing" / "a.csv")
    assert "\n" not in str(refused.value)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_sheet(model.sheet(), tmp_path / "folder.csv")
    assert [each.name for each in tmp_path.iterdir()] == ["folder.csv"]
    model.deleteLater()
