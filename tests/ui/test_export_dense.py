"""The prompt's route as an ordinary model, from the window: progress, cancel, its own check."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.dense_dialog import DenseDialog
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


@pytest.fixture
def dense(opened: MainWindow, qtbot: QtBot, tmp_path: Path) -> DenseDialog:
    """The dialog on the route of the prompt."""
    qtbot.waitUntil(lambda: bool(opened.routes.path), timeout=PATIENCE_MS)
    opened.actions_.by_key["export_dense"].trigger()
    made = opened.exports.dense
    made.out.setText(str(tmp_path / "model"))
    return made


def test_the_route_is_written_and_its_own_check_is_said(opened: MainWindow, dense: DenseDialog, settle: Act, tmp_path: Path) -> None:
    assert str(opened.routes.path[-1][0]) in dense.route.text()
    settle(dense.export_button.click)
    assert "float32 logits differ from the bank's by" in dense.line.text()
    assert (tmp_path / "model" / "config.json").is_file()
    assert "session.export_dense(Path(" in opened.log.script
    dense.close()


def test_a_cancel_leaves_nothing_behind(opened: MainWindow, dense: DenseDialog, qtbot: QtBot, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    with qtbot.waitSignal(opened.exports.bridge.rested, timeout=PATIENCE_MS):
        dense.export_button.click()
        assert dense.export_button.text() == "Cancel"
        dense.export_button.click()
    qtbot.waitUntil(lambda: opened.studio.bridge.resting, timeout=PATIENCE_MS)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert dense.line.text() == "Cancelled; nothing was left behind."
    dense.close()


def test_a_folder_with_files_in_it_is_refused_in_words(dense: DenseDialog, settle: Act, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    dense.out.setText(str(tmp_path))
    settle(dense.export_button.click)
    assert "holds files already" in dense.line.text()
    assert dense.line.property("kind") == "error"
    dense.close()


def test_without_a_route_it_is_said_what_to_do(opened: MainWindow, qtbot: QtBot) -> None:
    opened.panels.prompt.text.clear()
    qtbot.waitUntil(lambda: not opened.routes.path, timeout=PATIENCE_MS)
    opened.actions_.by_key["export_dense"].trigger()
    assert "no route yet" in opened.panels.status.line.text()
    assert not opened.exports.dense.isVisible()
