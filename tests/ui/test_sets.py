"""Sets of prompts in the window: counted as jobs, colouring every view, dead blocks pruned at once, counts there again after opening."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.session import open_session
from memstudio.session.used import standing
from memstudio.ui.main_window import MainWindow
from memstudio.ui.models.clusters_columns import Column
from memstudio.ui.panels.use_table import DEAD, HOT, IDLE
from memstudio.ui.use_views import EFFECTS, USE
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "mine.txt"
    file.write_text("It was hot\nTell me about gold\nThe atomic number of tin is\n")
    return file


def listed(window: MainWindow) -> list[str]:
    model = window.panels.sets.table.model
    return [str(model.cluster(model.index(row, 0))) for row in range(model.rowCount())]


def test_counting_the_banks_facts_lists_the_dead_blocks_and_offers_the_measure(opened: MainWindow, settle: Act, tiny_bank: Path) -> None:
    settle(opened.panels.sets.count_button.click)
    with open_session(tiny_bank, device="cpu") as session:
        use = session.count_use().use
        dead = use.dead(standing([session.bank.held(level) for level in (1, 2, 3)], {}))
    assert listed(opened) == [str(cluster) for cluster in dead]
    assert f"{len(dead)} of 39 standing blocks: not fetched by any of {use.prompts} prompts" in opened.panels.sets.table.said.text()
    figures = opened.studio.overview.figures
    for mine, level in zip(figures[USE].values, use.fetched, strict=True):
        np.testing.assert_array_equal(mine, level)
    assert figures[USE].kind == "observed"
    assert EFFECTS not in figures
    assert opened.panels.icicle.width_box.model().index(2, 0).flags() & Qt.ItemFlag.ItemIsEnabled


def test_effects_of_a_file_are_measured_and_those_that_never_matter_are_told_from_the_unmeasured(
    opened: MainWindow, settle: Act, prompts: Path
) -> None:
    panel = opened.panels.sets
    panel.table.show_list(IDLE)
    settle(panel.count_button.click)
    assert panel.table._empty.title.text() == "No effect was measured yet"
    panel.take_file(prompts)
    settle(panel.effects_button.click)
    assert panel.note.text() == "effects on 3 of 3"
    assert panel.shown.currentText().startswith("mine.txt · 3 prompts · r0 · ")
    measured = opened.studio.overview.figures[EFFECTS]
    assert measured.kind == "causal"
    assert 3 <= measured.measured <= 9
    assert f"of {measured.measured} measured blocks stayed under 0.01" in panel.table.said.text() or listed(opened) == []
    panel.table.show_list(HOT)
    assert len(listed(opened)) == measured.measured
    opened.studio.overview.colour_by(EFFECTS)
    assert panel.table.model.state.shades is not None
    panel.shown.setCurrentIndex(0)
    assert opened.studio.overview.figures[USE].at(ClusterId(1, 0)) is not None


def test_a_prompt_that_has_to_wait_for_a_count_says_so(opened: MainWindow, settle: Act) -> None:
    def count_and_run() -> None:
        opened.panels.sets.effects_button.click()
        opened.run_prompt()
        assert "“Measuring effects”" in opened.panels.status.line.text()

    settle(count_and_run)
    assert "Answered" in opened.panels.status.line.text()


def test_all_dead_blocks_are_selected_in_all_views_and_pruned_by_one_key(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    settle(opened.find_unused)
    panel = opened.panels.sets
    assert panel.table.lists.place == DEAD
    dead = listed(opened)
    assert dead
    settle(panel.table.all_button.click)
    assert [str(cluster) for cluster in opened.studio.chosen.clusters()] == dead
    assert opened.panels.table.selection.now.count == len(dead)
    with qtbot.waitSignal(opened.studio.bridge.studied, timeout=PATIENCE_MS):
        opened.actions_.by_key["prune"].trigger()
    study = opened.studio.study
    assert study is not None
    assert {str(cluster) for cluster in study.overlay} == set(dead)
    assert listed(opened) == []
    assert panel.table._empty.title.text() == "No block is dead"
    settle(opened.undo)
    assert listed(opened) == dead


def test_rows_that_are_clicked_are_selected_elsewhere(opened: MainWindow, settle: Act) -> None:
    settle(opened.count_use)
    table = opened.panels.sets.table
    table.show_list(HOT)
    QAbstractItemModelTester(table.model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    settle(lambda: table.view.selectRow(1))
    assert opened.selected() == table.model.cluster(table.model.index(1, 0))
    settle(lambda: opened.studio.pick(ClusterId(1, 0)))
    assert table.view.rows.now.count == 1
    assert table.model.index(0, Column.LABEL).data() != "…"


def test_kept_counts_are_there_again_when_the_study_is_opened_again(opened: MainWindow, settle: Act, prompts: Path) -> None:
    panel = opened.panels.sets
    settle(panel.count_button.click)
    dead = listed(opened)
    panel.take_file(prompts)
    settle(panel.count_button.click)
    wish = opened.wish
    assert wish is not None
    settle(lambda: opened.open_wish(wish))
    assert [panel.shown.itemText(at).split(" · ")[0] for at in range(panel.shown.count())] == ["All sets", "mine.txt", "the bank's facts"]
    assert USE in opened.studio.overview.figures
    panel.shown.setCurrentIndex(2)
    assert listed(opened) == dead
    settle(panel.remove_button.click)
    assert panel.shown.count() == 2
    panel.shown.setCurrentIndex(1)
    settle(panel.remove_button.click)
    assert USE not in opened.studio.overview.figures
    assert listed(opened) == []


def test_a_run_and_its_trace_are_counted_as_they_end(opened: MainWindow, settle: Act) -> None:
    settle(opened.run_prompt)
    run = opened.studio.run
    assert run is not None
    assert run.route is not None
    panel = opened.panels.sets
    assert panel.shown.itemText(1).startswith("Single runs · 1 prompt · r0 · ")
    assert [opened.studio.overview.figures[USE].at(cluster) for cluster in run.route.clusters] == [1.0, 1.0, 1.0]


def test_a_count_is_stopped_by_its_button_and_what_was_counted_stays(opened: MainWindow, settle: Act, qtbot: QtBot, tmp_path: Path) -> None:
    panel, file = opened.panels.sets, tmp_path / "many.txt"
    file.write_text("".join(f"It was hot at {number}\n" for number in range(2000)))
    panel.take_file(file)
    with qtbot.waitSignal(opened.uses.bridge.said, timeout=PATIENCE_MS):
        panel.effects_button.click()
    assert panel.count_button.text() == "Stop"
    settle(panel.count_button.click)
    assert panel.count_button.text() == "Count"
    assert not opened.uses.counting
    assert "many.txt" in panel.shown.currentText()


def test_a_file_that_is_dropped_is_offered_and_a_bad_one_is_refused_in_a_line(opened: MainWindow, settle: Act, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": ""}\n')
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(bad))])
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    opened.panels.sets.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, button, none))
    assert opened.panels.sets.source.currentText() == "bad.jsonl"
    settle(opened.panels.sets.count_button.click)
    assert "line 1: prompt is empty" in opened.panels.sets.problem.text()
    assert "line 1: prompt is empty" in opened.panels.status.line.text()
    assert opened.panels.sets.count_button.text() == "Count"
