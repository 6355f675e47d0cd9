"""The curve in the export dialog: measured when it is asked for, the slider a point on it, saved, kept; precisions follow."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.export.curve import read_off
from memstudio.ui.export_views import MEASURE, WHAT_BECOMES
from memstudio.ui.main_window import MainWindow
from memstudio.ui.models.measure_texts import measure_line
from memstudio.ui.panels.export_curve import read_words
from memstudio.ui.panels.export_dialog import ExportDialog
from memstudio.ui.snapshots import Wish
from tests.session.test_exporting import without_facts
from tests.tiny import make_bank
from tests.ui.conftest import PATIENCE_MS
from tests.ui.test_export import SIZES, dialog, looked

Act = Callable[[Callable[[], object]], None]
__all__ = ["dialog"]


@pytest.fixture
def measured(dialog: ExportDialog, opened: MainWindow, settle: Act, qtbot: QtBot) -> ExportDialog:
    """The dialog with the curve of what is at hand."""
    qtbot.waitUntil(lambda: opened.studio.bridge.resting, timeout=PATIENCE_MS)
    settle(dialog.curve.measure_button.click)
    assert dialog.curve.curve is not None, dialog.curve.line.text()
    return dialog


def test_before_it_is_measured_the_slider_works_and_the_time_is_offered(opened: MainWindow, dialog: ExportDialog, qtbot: QtBot) -> None:
    curve = dialog.curve
    qtbot.waitUntil(lambda: "Not measured yet" in curve.line.text(), timeout=PATIENCE_MS)
    assert "Takes " in curve.line.text()
    assert "an estimate" in curve.line.text()
    assert curve.measure_button.isVisible()
    assert not curve.picture_button.isVisible()
    assert "Takes " in dialog.figures.time.text()
    assert "/s" in dialog.figures.time.text()
    looked(qtbot, dialog, lambda: dialog.fields.slider.setValue(700))
    assert curve.read.text() == ""
    dialog.close()


def test_the_slider_moves_the_point_and_a_click_the_slider(opened: MainWindow, measured: ExportDialog, qtbot: QtBot) -> None:
    dialog, curve = measured, measured.curve
    assert curve.curve is not None
    assert dialog._found is not None
    own = curve.curve.series[0]
    for percent in (50.0, 60.0, 100.0):
        looked(qtbot, dialog, lambda percent=percent: dialog.fields.percent.setValue(percent))
        found = read_off(curve.curve.of(own), dialog._found.plan.share(percent / 100))
        assert found is not None
        assert curve.read.text() == read_words(found)
        assert ("read between the budgets of 50.0% and 75.0%" in curve.read.text()) == (percent == 60.0)
        [line, ring] = curve.plot._mark
        assert ring.getData()[0][0] == line.value() == found.bytes
    assert f"measure_curve(session, ({own.rank_by!r},), ({own.fallback!r},))" in opened.log.script
    assert f"Asked {curve.curve.scored_on:,} of the bank's facts" in curve.line.text()
    looked(qtbot, dialog, lambda: curve.plot.clicked.emit(0.4 * curve.curve.bank_bytes))
    assert dialog.fields.percent.value() == 40.0
    assert dialog.fields.slider.value() == 400
    dialog.close()


def test_a_curve_is_kept_and_another_series_is_drawn_beside_it(measured: ExportDialog, settle: Act, qtbot: QtBot) -> None:
    dialog, curve = measured, measured.curve
    box = dialog.fields.fallback
    before = box.currentIndex()
    box.setCurrentIndex(1 - before)
    settle(lambda: box.activated.emit(1 - before))
    assert curve.curve is None
    assert "Not measured yet" in curve.line.text()
    settle(curve.measure_button.click)
    assert curve.curve is not None
    assert len(curve.curve.series) == 2
    assert "grey: the frontier" in curve.line.text()
    other = curve.curve.series[0]
    assert curve.line.text().endswith(f"dashed: {other}.")
    box.setCurrentIndex(before)
    settle(lambda: box.activated.emit(before))
    assert curve.curve is not None, "known already"
    assert f"dashed: {curve.curve.series[1]}" in curve.line.text()
    assert len(curve.curve.series) == 2
    dialog.close()


def test_measuring_is_cancelled_and_an_edit_ends_it(opened: MainWindow, dialog: ExportDialog, settle: Act, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: opened.studio.bridge.resting, timeout=PATIENCE_MS)

    def stop() -> None:
        dialog.curve.measure_button.click()
        assert dialog.curve.measure_button.text() == "Stop measuring"
        dialog.curve.measure_button.click()

    settle(stop)
    assert dialog.curve.curve is None
    assert "cancelled" in dialog.curve.line.text()
    assert dialog.curve.measure_button.text() == "Measure the curve"
    with qtbot.waitSignal(
        dialog.looked_at, timeout=PATIENCE_MS, check_params_cb=lambda found: found is not None and found[0].plan.revision == 1
    ):
        dialog.curve.measure_button.click()
        opened.prune(ClusterId(1, 0))
    assert dialog.curve.curve is None, "it was of what stood before"
    dialog.close()
    qtbot.waitUntil(lambda: opened.studio.bridge.resting, timeout=PATIENCE_MS)


def test_picture_and_points_are_saved(opened: MainWindow, measured: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    curve = measured.curve
    assert curve.curve is not None
    for button, name in ((curve.picture_button, "curve.png"), (curve.picture_button, "curve.svg"), (curve.table_button, "curve.csv")):
        button.click()
        chooser = next(each for each in measured.findChildren(QFileDialog) if each.isVisible())
        with qtbot.waitSignal(opened.studio.bridge.noted, timeout=PATIENCE_MS):
            chooser.fileSelected.emit(str(tmp_path / name))
            chooser.close()
    assert QImage(str(tmp_path / "curve.png")).size() == curve.plot.size()
    assert "<svg" in (tmp_path / "curve.svg").read_text()
    with (tmp_path / "curve.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["bytes"]) for row in rows] == [point.bytes for point in (*curve.curve.points, curve.curve.whole)]
    measured.close()


def test_precisions_are_followed_by_figures_and_colours(opened: MainWindow, dialog: ExportDialog, settle: Act, qtbot: QtBot) -> None:
    box, overview = dialog.fields.precision, opened.studio.overview
    words = [box.itemData(at) for at in range(box.count())]
    assert words[0] == "bank"
    assert "int8" in words
    at = words.index("int8")
    before = dialog._kept
    assert before is not None
    box.setCurrentIndex(at)
    looked(qtbot, dialog, lambda: box.activated.emit(at))
    assert dialog._kept is not None
    assert dialog._kept.count > before.count, "more blocks fit"
    assert f"{dialog._kept.count:,} int8" in dialog.figures.folder.text()
    shades = overview.figures[MEASURE]
    assert [word for _, word in shades.words] == ["dropped", "int8"]
    assert sum(int((each == WHAT_BECOMES.index("int8")).sum()) for each in shades.values) == dialog._kept.count
    kept = ClusterId(1, int(dialog._kept.levels[0][0]))
    assert measure_line(shades, kept) == f"{MEASURE}: int8"
    assert tuple(len(each) for each in shades.values) == SIZES
    dialog.fields.out.setText(str(Path(dialog.fields.out.text()).parent / "eight"))
    settle(dialog.export_button.click)
    assert "after, of 16 prompts." in dialog.line.text()
    assert "precision='int8'" in opened.log.script
    dialog.close()


def test_a_bank_with_neither_facts_nor_probes_says_that_there_is_no_curve(window: MainWindow, settle: Act, tmp_path: Path) -> None:
    bare = without_facts(make_bank(tmp_path / "bare"))
    settle(lambda: window.open_wish(Wish(str(bare), temporary=True, device="cpu")))
    settle(window.export_bank)
    dialog = window.exports.dialog
    assert "neither facts nor probes" in dialog.curve.line.text()
    assert not dialog.curve.measure_button.isEnabled()
    assert dialog.export_button.isEnabled()
    dialog.close()
