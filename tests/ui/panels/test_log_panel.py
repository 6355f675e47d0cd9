"""The log: lines of Python as one works, what was said, bugs; copied, and saved as a script that does the same in another process."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.session.script import Deed
from memstudio.ui.main_window import MainWindow
from memstudio.ui.models.log_model import LIMIT, Line, LogFilter, LogModel
from memstudio.ui.panels.log_panel import LogPanel

Act = Callable[[Callable[[], object]], None]
AGAIN = """
import json, runpy, sys
import pytest
from tests.standin import use_tiny_encoder
use_tiny_encoder(pytest.MonkeyPatch())
session = runpy.run_path(sys.argv[1])["session"]
print(json.dumps(sorted([str(cluster), str(state)] for cluster, state in session.overlay.items())))
"""


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[LogPanel]:
    made = LogPanel()
    made.resize(380, 320)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def shown(panel: LogPanel) -> list[str]:
    model = panel.view.model()
    return [str(model.index(row, 0).data())[10:] for row in range(model.rowCount())]


def test_the_model_passes_qts_own_tester_and_lets_the_oldest_go(qtbot: QtBot) -> None:
    model = LogModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    for at in range(3):
        model.add(Line("message", f"line {at}"))
    model._lines += [Line("message", "filler")] * (LIMIT - 3)
    model.add(Line("error", "the newest"))
    assert model.rowCount() < LIMIT
    assert model.lines[-1].text == "the newest"
    assert model.lines[0].text == "filler"
    tester.deleteLater()
    model.deleteLater()


def test_the_filter_parts_python_from_messages(panel: LogPanel) -> None:
    panel.add_deed(Deed("session.undo()"))
    panel.add_message("Ready.")
    panel.add_message("no such folder", "error")
    assert shown(panel) == ["session.undo()", "Ready.", "Error: no such folder"]
    for place, lines in ((1, ["session.undo()"]), (2, ["Ready.", "Error: no such folder"]), (0, shown(panel))):
        panel.choice._group.button(place).click()
        assert shown(panel) == lines
    assert isinstance(panel.view.model(), LogFilter)


def test_selected_lines_are_copied_or_else_all_that_are_shown(panel: LogPanel, qtbot: QtBot) -> None:
    panel.add_deed(Deed("session.undo()"))
    panel.add_deed(Deed("session.redo()"))
    panel.add_message("Ready.")
    panel.choice._group.button(1).click()
    panel.copy_button.click()
    assert QGuiApplication.clipboard().text() == "session.undo()\nsession.redo()"
    panel.view.setFocus()
    panel.view.setCurrentIndex(panel.view.model().index(1, 0))
    QTest.keyClick(panel.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "session.redo()"


def test_a_bug_is_shown_in_full_whatever_the_filter(panel: LogPanel) -> None:
    panel.add_message("Ready.")
    panel.choice._group.button(1).click()
    panel.add_bug("Scoring", "Traceback\n  line 3\nZeroDivisionError: x")
    assert panel.text.isVisible()
    assert "line 3" in panel.text.toPlainText()
    assert shown(panel)[-1] == "Bug: Scoring failed: a bug in memstudio; the study is as it was before. ZeroDivisionError: x"


def test_before_anything_was_done_there_is_no_script(panel: LogPanel, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="open a bank first"):
        panel.save_script(tmp_path / "x.py")
    assert panel.script == ""
    panel.add_deed(Deed("session.undo()"))
    with pytest.raises(UserError, match="a folder that exists"):
        panel.save_script(tmp_path / "no" / "x.py")


def test_the_window_logs_what_is_done_as_it_is_done(opened: MainWindow, settle: Act) -> None:
    settle(opened.run_prompt)
    settle(lambda: opened.prune(ClusterId(2, 4)))
    settle(lambda: opened.toggle_mute(ClusterId(1, 0)))
    settle(opened.undo)
    said = [line.text for line in opened.log.model.lines if line.kind == "python"]
    assert said[0].startswith("session = memstudio.open(")
    assert "session.run('The atomic number of gold is', sampling=Sampling(12))" in said
    assert any(line.startswith("session.trace('The atomic number of gold is'") for line in said)
    edits = ["session.apply(Prune((ClusterId(2, 4),)))", "session.mute([ClusterId(1, 0)])", "session.undo()"]
    assert [line for line in said if line in edits] == edits
    assert "Ready." in [line.text for line in opened.log.model.lines if line.kind == "message"]


def test_the_saved_script_gives_the_same_answer_and_the_same_overlay_in_another_process(
    opened: MainWindow, settle: Act, tmp_path: Path
) -> None:
    settle(opened.run_prompt)
    run = opened.studio.run
    assert run is not None
    assert run.route is not None
    top = run.route.clusters[0]
    settle(lambda: opened.prune(top))
    settle(lambda: opened.studio.scale(ClusterId(1, (top.index + 1) % 3), 0.5, False))
    settle(opened.undo)
    settle(lambda: opened.studio.toggle_pin(ClusterId(3, 26)))
    settle(opened.run_prompt)
    file = tmp_path / "session.py"
    opened.log.save_script(file)
    done = subprocess.run([sys.executable, "-c", AGAIN, str(file)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    *answers, overlay = done.stdout.rstrip("\n").rsplit("\n", 1)
    assert opened.studio.run is not None
    assert opened.studio.study is not None
    assert answers[0] == f"{run.text}\n{opened.studio.run.text}"
    assert run.text != opened.studio.run.text
    assert json.loads(overlay) == sorted([str(cluster), str(state)] for cluster, state in opened.studio.study.overlay.items())
    assert len(json.loads(overlay)) == 13
