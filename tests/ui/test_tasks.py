"""Ten things that people come for, done with mouse and keys on the bundled bank, each in at most four actions from the start window.

docs/tasks.md tells them; `make screenshots` runs this file and keeps its pictures for the documents.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, QPoint, QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from memstudio.bank.bank import open_bank
from memstudio.paths import resources
from memstudio.ui.bridge import Bridge
from memstudio.ui.main_window import MainWindow
from memstudio.ui.preferences import Preferences
from memstudio.ui.snapshots import Wish
from tests.ui.conftest import PATIENCE_MS

PROMPT = "The atomic number of gold is"
TARGET = "47"
MOST = 4
PICTURES = Path(os.environ["MEMSTUDIO_SCREENSHOTS"]).resolve() if "MEMSTUDIO_SCREENSHOTS" in os.environ else None
Done = Callable[[], object]


class Hand:
    """What a person does to the window: each method is one action, and is counted."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window, self._bot = window, qtbot
        self.actions = 0

    def press(self, keys: str, at: QWidget | None = None) -> None:
        """One key, with what is held."""
        self.actions += 1
        combined = QKeySequence(keys)[0]
        QTest.keyClick(at or QApplication.focusWidget() or self.window, combined.key(), combined.keyboardModifiers())

    def click(self, button: QAbstractButton) -> None:
        """A button."""
        self.actions += 1
        assert button.isVisible()
        assert button.isEnabled(), button.toolTip()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def point(self, widget: QWidget, at: QPoint) -> None:
        """A place on a widget."""
        self.actions += 1
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at)

    def point_row(self, view: QAbstractItemView, row: QModelIndex) -> None:
        """A row of a tree or table, scrolled to first as a person would with the wheel."""
        view.scrollTo(row)
        self.point(view.viewport(), view.visualRect(row).center())

    def write(self, text: str, into: QWidget) -> None:
        """Text in place of what stood there."""
        self.actions += 1
        QTest.mouseClick(into.viewport() if hasattr(into, "viewport") else into, Qt.MouseButton.LeftButton)
        QTest.keyClick(into, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(into, text)

    def see(self, what: Done) -> None:
        """Look until it is there."""
        self._bot.waitUntil(lambda: bool(what()), timeout=PATIENCE_MS)


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """The start window: the bundled bank, nothing asked yet."""
    made = MainWindow(Bridge(), Preferences(None), wish=Wish("demo", temporary=True, device="cpu"))
    made.resize(QSize(1366, 768))
    made.choose_theme("light")
    with qtbot.waitSignal(made.studio.bridge.idle, timeout=PATIENCE_MS):
        made.show()
    qtbot.waitUntil(lambda: made.studio.ready, timeout=PATIENCE_MS)
    made.measuring.on = False
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def hand(window: MainWindow, qtbot: QtBot) -> Hand:
    return Hand(window, qtbot)


@contextmanager
def task(hand: Hand, name: str, shown: QWidget | None = None) -> Iterator[None]:
    """One of the ten: at most four actions; its picture (of what is shown, else of the window) is kept where pictures are wanted."""
    hand.actions = 0
    yield
    assert 0 < hand.actions <= MOST
    if PICTURES:
        hand.see(lambda: hand.window.studio.bridge.resting)
        QTest.qWait(400)  # labels that were asked for are there, and painted
        assert (shown or hand.window).grab().save(str(PICTURES / f"task-{name}.png"))


def run_first(hand: Hand) -> None:
    hand.write(PROMPT, hand.window.panels.prompt.text)
    hand.press("Ctrl+Return")
    hand.see(lambda: hand.window.studio.trace is not None and hand.window.studio.bridge.resting)


def test_1_find_the_blocks_that_a_prompt_fired(hand: Hand) -> None:
    window = hand.window
    with task(hand, "fired"):
        run_first(hand)
    route = window.studio.trace.route.clusters if window.studio.trace else ()
    assert len(route) == 3
    assert window.studio.selected in route
    assert "79" in window.panels.prompt.now.toPlainText()


def test_2_find_what_a_block_was_trained_on(hand: Hand) -> None:
    window = hand.window
    with task(hand, "trained-on"):
        hand.write("gold", window.panels.tree.search)
        hand.see(lambda: window.panels.tree.results.model() and window.panels.tree.results.model().rowCount() > 0)
        hand.press("Down", window.panels.tree.search)
        hand.press("Return")
        hand.see(lambda: window.panels.block._card is not None and window.panels.block._card.card.exemplars)


def test_3_find_which_path_knows_a_fact(hand: Hand) -> None:
    window = hand.window
    with task(hand, "where"):
        hand.write(PROMPT, window.panels.prompt.text)
        hand.press("Ctrl+Shift+W")
        hand.see(lambda: window.studio.overview.colour == "Scan" and not window.scans.scanning)


def test_4_and_5_prune_a_subtree_and_take_it_back(hand: Hand) -> None:
    window = hand.window
    assert window.studio.study is not None
    top = window.panels.tree.model.index(2, 0)
    with task(hand, "prune"):
        hand.point_row(window.panels.tree.view, top)
        hand.press("Del")
        hand.see(lambda: window.studio.study.head == 1)
    assert sum(state.pruned for state in window.studio.study.overlay.values()) > 1
    with task(hand, "take-back"):
        hand.press("Ctrl+Z")
        hand.see(lambda: window.studio.study.head == 0)
    assert not window.studio.study.overlay


def test_6_change_a_fact(hand: Hand) -> None:
    window = hand.window
    dialog = window.facts.dialog
    with task(hand, "change"):
        hand.write(PROMPT, window.panels.prompt.text)
        hand.press("Ctrl+E")
        hand.see(lambda: dialog.isVisible() and dialog.answer.text().startswith("79"))
        hand.write(TARGET, dialog.target)
        hand.see(dialog.apply_button.isEnabled)
        hand.click(dialog.apply_button)
        hand.see(lambda: window.studio.study is not None and window.studio.study.head == 1 and not dialog.isVisible())


def test_7_compare_before_and_after(hand: Hand) -> None:
    window = hand.window
    with task(hand, "compare"):
        run_first(hand)
        hand.press("Del", window.panels.tree.view)
        hand.see(lambda: window.studio.study is not None and window.studio.study.head == 1)
        hand.press("Ctrl+D")
        hand.see(lambda: window.compare.isVisible() and window.compare.table.model().rowCount() > 0)
    assert " lost, " in window.compare.line.text()


def test_8_find_the_blocks_that_nothing_uses(hand: Hand) -> None:
    window = hand.window
    with task(hand, "unused"):
        hand.press("Ctrl+Alt+U", window)
        hand.see(lambda: window.panels.sets.table.model.rowCount() > 0 and not window.panels.sets.table.model.unlabelled(0, 0))


def test_9_export_a_quarter(hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = hand.window
    monkeypatch.chdir(tmp_path)
    dialog = window.exports.dialog
    with task(hand, "export", dialog):
        hand.press("Ctrl+Alt+S", window)
        hand.see(dialog.isVisible)
        hand.write("quarter", dialog.fields.out)
        hand.see(dialog.export_button.isEnabled)
        hand.click(dialog.export_button)
        hand.see(dialog.open_button.isVisible)
    small, whole = open_bank(tmp_path / "quarter"), open_bank(resources() / "demo")
    assert 0 < small.info()["bank_bytes"] <= whole.info()["bank_bytes"] / 4
    dialog.close()


def test_10_save_the_picture(hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = hand.window
    monkeypatch.chdir(tmp_path)  # where the dialog begins
    with task(hand, "picture", window.panels.icicle):
        hand.press("Ctrl+5", window)
        hand.see(window.panels.icicle.isVisible)
        hand.press("Ctrl+Alt+P", window)
        hand.see(lambda: file_dialog() is not None)
        dialog = file_dialog()
        assert dialog is not None
        hand.write("icicle.svg", dialog.findChild(QLineEdit))
        hand.click(dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save))
        hand.see((tmp_path / "icicle.svg").is_file)
    assert "<svg" in (tmp_path / "icicle.svg").read_text()


def file_dialog() -> QFileDialog | None:
    return next((each for each in QApplication.topLevelWidgets() if isinstance(each, QFileDialog) and each.isVisible()), None)
