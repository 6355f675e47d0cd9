"""Every command in both themes on an open bank: it does its work without a bug, or says why it cannot; dialogs are closed again."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.ui.actions import ACTIONS
from memstudio.ui.bridge import Bridge
from memstudio.ui.command import Action
from memstudio.ui.main_window import MainWindow
from memstudio.ui.preferences import Preferences
from memstudio.ui.reasons import why_not
from memstudio.ui.snapshots import Crashed, Wish
from memstudio.ui.theme import ThemeChoice
from tests.standin import use_tiny_encoder
from tests.tiny import make_bank
from tests.ui.conftest import PATIENCE_MS

LONG_MS = 500
"""What is at work longer than this is cancelled, as a person would."""


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """One window serves all tests of a theme; it is closed, and looked for, at their end."""


@pytest.fixture(scope="module", params=["light", "dark"])
def studio(request: pytest.FixtureRequest, qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainWindow]:
    """A window on the tiny bank in one theme: a prompt was answered, two blocks pruned, one of them taken back."""
    theme: ThemeChoice = request.param
    folder = tmp_path_factory.mktemp(theme)
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_encoder(patch)
        patch.setattr("memstudio.paths.data_dir", lambda: folder)
        bank = make_bank(folder / "tiny")
        window = MainWindow(Bridge(), Preferences(None))
        window.choose_theme(theme)
        window.show()
        window.open_wish(Wish(str(bank), study=folder / "study", device="cpu"))
        yield window
        window.close()
        window.deleteLater()


def rest(window: MainWindow, qtbot: QtBot) -> None:
    """Wait until nothing is at work; what takes long is cancelled."""

    def over() -> bool:
        running = [number for number, card in window.jobs.cards.items() if not card.job.ended]
        for number in running:
            if window.jobs.cards[number].seconds * 1000 > LONG_MS:
                window.panels.status.cancel_wanted.emit(number)
        window.jobs._tick()
        return window.studio.bridge.resting and not running

    qtbot.waitUntil(over, timeout=PATIENCE_MS)


@pytest.fixture
def ready(studio: MainWindow, qtbot: QtBot) -> MainWindow:
    """The window with a route answered, a revision to undo and one to redo, a block and a revision selected."""
    window = studio
    qtbot.waitUntil(lambda: window.studio.ready, timeout=PATIENCE_MS)
    rest(window, qtbot)
    window.panels.prompt.max_tokens.setValue(4)
    window.panels.prompt.write("The atomic number of gold is")
    now = window.studio.situation
    if not (now.undo and now.redo):
        window.run_prompt()
        rest(window, qtbot)
        route = window.studio.run.route if window.studio.run else None
        assert route is not None
        for cluster in route.clusters[:0:-1]:
            window.studio.edit("prune", (cluster,))
            rest(window, qtbot)
        window.undo()
        rest(window, qtbot)
        window.studio.pick(route.clusters[0])
        rest(window, qtbot)
    return window


def close_dialogs(window: MainWindow, qtbot: QtBot) -> None:
    for _ in range(5):  # one may open another
        for widget in QApplication.topLevelWidgets():
            if widget is not window and widget.isVisible() and not any(widget is dock for dock in window.docks.values()):
                widget.close()
        QApplication.processEvents()
    popup = QApplication.activePopupWidget()
    if popup is not None:
        popup.close()


@pytest.mark.parametrize("one", ACTIONS, ids=lambda one: one.key)
def test_it_works_or_says_why_not(one: Action, ready: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    window, bugs, left = ready, [], []
    monkeypatch.setattr(window, "close", lambda: left.append(True))  # it serves the other tests too

    def crashed(crash: Crashed) -> None:
        bugs.append(crash.traceback)

    window.studio.bridge.crashed.connect(crashed)
    theme = window.theme.choice
    made = window.actions_.by_key[one.key]
    if made.isEnabled():
        made.trigger()
    else:
        assert why_not(one, window.actions_.now)
        assert why_not(one, window.actions_.now) in made.toolTip()
    rest(window, qtbot)
    assert not window.grab().isNull()
    close_dialogs(window, qtbot)
    rest(window, qtbot)
    window.studio.bridge.crashed.disconnect(crashed)
    assert bugs == []
    assert bool(left) == (one.key == "quit")
    window.choose_theme(theme)


def test_most_of_them_were_enabled(ready: MainWindow) -> None:
    enabled = [one.key for one in ACTIONS if ready.actions_.by_key[one.key].isEnabled()]
    assert len(enabled) >= 0.8 * len(ACTIONS), sorted({one.key for one in ACTIONS} - set(enabled))
