"""A real window on the tiny bank with a real worker; a leaked widget or thread fails the test."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the window needs the extra `ui`")

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from memstudio.ui.bridge import Bridge
from memstudio.ui.main_window import MainWindow
from memstudio.ui.preferences import Preferences
from memstudio.ui.snapshots import Wish
from memstudio.ui.theme import Theme

PATIENCE_MS = 120_000  # a busy machine is no failure
Act = Callable[[Callable[[], object]], None]


def make_dialogs(window: MainWindow) -> list[QDialog]:
    """The dialogs that a window makes when they are first wanted."""
    facts, learns, builds, exports, revisions = window.facts, window.learns, window.builds, window.exports, window.revisions
    about_revisions = (revisions.naming, revisions.reverting, revisions.purging, revisions.exporting, revisions.patching)
    return [facts.dialog, learns.dialog, builds.dialog, exports.dialog, exports.dense, *about_revisions]


@pytest.fixture(autouse=True)
def nothing_is_left(qapp: QApplication) -> Iterator[None]:
    """No top-level widget and no thread outlives a test."""
    yield
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qapp.processEvents()
    left = [widget for widget in qapp.topLevelWidgets() if widget.isVisible()]
    assert not left, f"left open: {left}"
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("memstudio")]
    assert not threads, f"left running: {threads}"


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    made = Theme(qapp)
    made.choose("light")
    return made


@pytest.fixture
def routed_by_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny bank's tree goes by the stand-in's keys."""
    from tests.standin import use_tiny_encoder  # torch comes with it, and most tests here need none

    use_tiny_encoder(monkeypatch)


@pytest.fixture
def wish(tiny_bank: Path, tmp_path: Path) -> Wish:
    return Wish(str(tiny_bank), study=tmp_path / "study", device="cpu")


@pytest.fixture
def window(qtbot: QtBot, routed_by_tiny: None) -> Iterator[MainWindow]:
    """A window with nothing open."""
    made = MainWindow(Bridge(), Preferences(None))
    made.show()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def settle(qtbot: QtBot, window: MainWindow) -> Act:
    """Do something and wait until all that follows from it has come back."""

    def act(what: Callable[[], object]) -> None:
        with qtbot.waitSignal(window.studio.bridge.idle, timeout=PATIENCE_MS):
            what()

    return act


@pytest.fixture
def opened(window: MainWindow, settle: Act, wish: Wish) -> MainWindow:
    """A window with the tiny bank open and its model loaded."""
    settle(lambda: window.open_wish(wish))
    assert window.studio.ready, window.panels.status.line.text()
    window.panels.prompt.max_tokens.setValue(12)
    return window
