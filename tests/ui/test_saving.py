"""The panel in front as a picture, and the table in it as CSV that a spreadsheet can open without running anything."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import QImage, QStandardItem, QStandardItemModel
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractItemView, QFileDialog, QPushButton, QTableView, QTreeView, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from memstudio.errors import UserError
from memstudio.ui.main_window import MainWindow
from memstudio.ui.models.csv_file import safe, write_csv
from memstudio.ui.models.grid import Grid, GridReader, header_of, rows_of
from memstudio.ui.models.roles import ExactRole
from memstudio.ui.save_studio import table_in
from memstudio.ui.saving import drawn
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


def read(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def dialog_of(window: MainWindow, qtbot: QtBot) -> QFileDialog:
    qtbot.waitUntil(lambda: bool([each for each in window.findChildren(QFileDialog) if each.isVisible()]), timeout=PATIENCE_MS)
    return next(each for each in window.findChildren(QFileDialog) if each.isVisible())


def save_by(window: MainWindow, qtbot: QtBot, action: str, file: Path) -> str:
    """Trigger an action, name the file in its dialog, and wait until the status bar says how it ended; gives the dialog's title."""
    window.actions_.by_key[action].trigger()
    dialog = dialog_of(window, qtbot)
    title = dialog.windowTitle()
    with qtbot.waitSignal(window.studio.bridge.noted, timeout=PATIENCE_MS):
        dialog.fileSelected.emit(str(file))
        dialog.close()
    return title


# --- CSV ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-", "=", "-1e5x"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-1.5", "+5", "-1e-05", "-inf", "", "gold", "a=1", "1-2", "−2.5", "'=x"])
def test_numbers_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert safe(text) == text


def test_a_file_reads_back_as_what_was_written(tmp_path: Path) -> None:
    rows = [['gold, "silver"', "two\nlines", "Zürich · 東京"], ["=1+1", "-2", ""]]
    assert write_csv(tmp_path / "a.csv", ("=head", "b", "c"), rows) == 2
    assert read(tmp_path / "a.csv") == [["'=head", "b", "c"], rows[0], ["'=1+1", "-2", ""]]
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_an_older_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("old")

    def rows() -> list[list[str]]:
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"a\.csv: cannot be written \(No space left"):
        write_csv(file, ("a",), (row for _ in range(1) for row in rows()))
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def model_of(rows: int) -> QStandardItemModel:
    made = QStandardItemModel(rows, 2)
    made.setHorizontalHeaderLabels(["name", "figure"])
    for row in range(rows):
        made.setItem(row, 0, QStandardItem(f"row {row}"))
        item = QStandardItem(f"{row / 3:.2f}")
        item.setData(row / 3, ExactRole)
        made.setItem(row, 1, item)
    return made


def test_numbers_are_written_with_all_their_digits_and_nan_as_nothing() -> None:
    model = model_of(2)
    model.item(0, 1).setData(float("nan"), ExactRole)
    assert header_of(model) == ("name", "figure")
    assert list(rows_of(model)) == [("row 0", ""), ("row 1", repr(1 / 3))]


def test_what_lies_under_a_row_follows_it() -> None:
    model = model_of(2)
    model.item(0, 0).appendRow([QStandardItem("under it"), QStandardItem("x")])
    assert [row[0] for row in rows_of(model)] == ["row 0", "under it", "row 1"]


def test_a_large_table_is_read_in_pieces_and_anew_where_it_changes(qtbot: QtBot, qapp: QWidget) -> None:
    owner, model, found = QWidget(), model_of(6000), []
    qtbot.addWidget(owner)
    reader = GridReader(model, owner)
    reader.done.connect(found.append)
    qtbot.wait(1)
    assert not found, "not in one go"
    model.removeRows(10, 5900)
    qtbot.waitUntil(lambda: bool(found), timeout=PATIENCE_MS)
    assert isinstance(found[0], Grid)
    assert len(found) == 1
    assert [row[0] for row in found[0].rows] == [f"row {row}" for row in (*range(10), *range(5910, 6000))]


def test_a_table_whose_model_goes_is_not_written(qtbot: QtBot) -> None:
    owner, model, found = QWidget(), model_of(6000), []
    qtbot.addWidget(owner)
    reader = GridReader(model, owner)
    reader.done.connect(found.append)
    with qtbot.waitSignal(reader.destroyed):
        model.deleteLater()
    assert not found


def test_the_table_with_the_keys_is_taken_else_the_largest(qtbot: QtBot) -> None:
    panel, small, large = QWidget(), QTableView(), QTableView()
    qtbot.addWidget(panel)
    column = QVBoxLayout(panel)
    for view, height in ((small, 60), (large, 300)):
        view.setModel(model_of(2))
        view.setFixedHeight(height)
        column.addWidget(view)
    panel.show()
    assert table_in(panel) is large
    small.setFocus()
    qtbot.waitUntil(small.hasFocus)
    assert table_in(panel) is small
    small.hide()
    assert table_in(panel) is large
    large.hide()
    assert table_in(panel) is None


# --- pictures -------------------------------------------------------------------------------------------------------------------


def test_a_picture_has_the_ground_of_its_window_and_an_svg_its_texts(qtbot: QtBot, tmp_path: Path) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    QVBoxLayout(widget).addWidget(QPushButton("gold · Zürich"))
    widget.resize(200, 90)
    drawn(widget, tmp_path / "a.png")()
    image = QImage(str(tmp_path / "a.png"))
    assert image.size() == widget.size() * widget.devicePixelRatioF()
    assert image.pixelColor(1, 1) == widget.palette().color(widget.palette().ColorRole.Window)
    drawn(widget, tmp_path / "a.svg")()
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<svg" in text
    assert "gold · Zürich" in text
    size = QSvgRenderer(str(tmp_path / "a.svg")).defaultSize()
    assert 0.9 < size.width() / widget.width() < 1.1, "as large as on the screen, but for how readers count dots an inch"
    for name in ("none/a.png", "none/a.svg"):
        with pytest.raises(UserError, match="cannot be written"):
            drawn(widget, tmp_path / name)()


# --- in the window --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["icicle", "table", "history", "heat"])
def test_the_panel_whose_tab_was_taken_or_that_has_the_keys_is_saved(opened: MainWindow, qtbot: QtBot, tmp_path: Path, name: str) -> None:
    dock = opened.docks[name]
    opened.docks["icicle" if name == "heat" else "heat"].raise_()
    dock.raise_()
    inside = dock.widget()
    focusable = next(
        (each for each in inside.findChildren(QWidget) if each.focusPolicy() and each.isVisibleTo(inside) and each.isEnabled()), None
    )
    if name == "history":
        assert focusable is not None
        focusable.setFocus()
    assert opened.saves.front is dock
    for kind in ("png", "svg"):
        file = tmp_path / f"{name}.{kind}"
        title = save_by(opened, qtbot, "save_view", file)
        assert title == f"Save a picture of the panel {dock.windowTitle()}"
        assert file.stat().st_size > 500
    image = QImage(str(tmp_path / f"{name}.png"))
    assert image.size() == inside.size()
    assert opened.panels.status.line.text() == f"Saved {tmp_path / f'{name}.svg'}."


def test_a_picture_that_cannot_be_written_is_a_line(opened: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    with qtbot.waitSignal(opened.studio.bridge.failed, timeout=PATIENCE_MS) as caught:
        opened.saves.save_picture_to(opened.panels.icicle, tmp_path / "none" / "a.png")
    assert caught.args is not None
    assert "cannot be written" in caught.args[0]
    with qtbot.waitSignal(opened.studio.bridge.failed, timeout=PATIENCE_MS) as caught:
        opened.saves.save_picture_to(opened.panels.icicle, tmp_path / "a.doc")
    assert caught.args is not None
    assert ".png or .svg" in caught.args[0]


def test_facts_are_written_as_they_are_filtered_with_their_state(opened: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    opened.docks["facts"].raise_()
    opened.panels.facts.text.setText("gold")
    qtbot.waitUntil(lambda: opened.panels.facts.filter.rowCount() == 1, timeout=PATIENCE_MS)
    title = save_by(opened, qtbot, "save_table", tmp_path / "facts.csv")
    assert title.startswith("Save the table of the panel ")
    header, row = read(tmp_path / "facts.csv")
    assert header[:3] == ["State", "Prompt", "Expected"]
    assert row[:3] == ["not scored", "The atomic number of gold is", "79"]
    assert opened.panels.status.line.text() == f"{tmp_path / 'facts.csv'}: 1 row written."


def test_a_scan_is_written_with_every_digit(opened: MainWindow, settle: Act, qtbot: QtBot, tmp_path: Path) -> None:
    opened.scan.answer.setText("4")
    settle(opened.scan_fact)
    save_by(opened, qtbot, "save_table", tmp_path / "scan.csv")
    header, *rows = read(tmp_path / "scan.csv")
    assert header == ["Path to", "Label", "p", "log p", "note"]
    assert len(rows) == 27
    assert max(len(row[3]) for row in rows) > 10
    assert [row[0] for row in rows] == [opened.scan.list.topLevelItem(at).text(0) for at in range(27)]


def test_the_history_is_written_newest_first_with_its_times(opened: MainWindow, settle: Act, qtbot: QtBot, tmp_path: Path) -> None:
    from memstudio.bank.values import ClusterId

    settle(lambda: opened.prune(ClusterId(3, 5)))
    opened.panels.history.findChild(QAbstractItemView).setFocus()
    save_by(opened, qtbot, "save_table", tmp_path / "history.csv")
    header, first, last = read(tmp_path / "history.csv")
    assert header == ["Rev", "What", "Blocks", "When"]
    assert (first[0], last[0], last[1]) == ("1", "0", "as shipped")
    assert first[3].endswith("+00:00")


def test_of_tree_and_table_every_cluster_is_written(opened: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    for name, go in (("table", opened.docks["table"].raise_), ("bank", opened.panels.tree.view.setFocus)):
        go()
        save_by(opened, qtbot, "save_table", tmp_path / f"{name}.csv")
        assert len(read(tmp_path / f"{name}.csv")) == 40


def test_a_panel_without_a_table_says_so(opened: MainWindow, qtbot: QtBot) -> None:
    opened.docks["icicle"].raise_()
    with qtbot.waitSignal(opened.studio.bridge.failed, timeout=PATIENCE_MS) as caught:
        opened.save_table()
    assert caught.args == ["the panel Icicle shows no table: click the table that is to be saved first"]


def test_every_table_of_every_panel_can_be_read(opened: MainWindow, settle: Act) -> None:
    settle(opened.run_prompt)
    read_ = 0
    for dock in opened.docks.values():
        for view in dock.findChildren(QAbstractItemView):
            model = view.model()
            if isinstance(view, QTableView | QTreeView) and isinstance(model, QAbstractItemModel):
                header = header_of(model)
                assert all(header)
                assert all(len(row) == len(header) for row in rows_of(model))
                read_ += 1
    assert read_ >= 5
    assert Qt.ItemDataRole.UserRole <= ExactRole
