"""The start page: three trials on the demo that each do it, recent banks, and how to open or build one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from memstudio.ui.docks import show_dock
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.start_page import RECENT_SHOWN, TRIALS, StartPage
from memstudio.ui.snapshots import Wish
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[StartPage]:
    made = StartPage()
    made.resize(640, 360)
    made.show()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tiny_bank: Path) -> None:
    """The tiny bank as the demo."""
    monkeypatch.setattr("memstudio.paths.demo_bank", lambda: tiny_bank)


def test_recent_banks_are_offered_newest_first_and_not_too_many(page: StartPage, qtbot: QtBot) -> None:
    page.show_recent([f"/banks/number {at}" for at in range(9)])
    assert [button.text() for button in page.recent] == [f"number {at}" for at in range(RECENT_SHOWN)]
    with qtbot.waitSignal(page.path_wanted) as caught:
        qtbot.mouseClick(page.recent[2], Qt.MouseButton.LeftButton)
    assert caught.args == ["/banks/number 2"]
    page.show_recent([])
    assert page.recent == []


def test_each_trial_is_a_button_for_the_keyboard_too(page: StartPage, qtbot: QtBot) -> None:
    assert list(page.trials) == [name for name, _, _ in TRIALS]
    for name, button in page.trials.items():
        button.setFocus()
        with qtbot.waitSignal(page.trial_wanted) as caught:
            qtbot.keyClick(button, Qt.Key.Key_Space)
        assert caught.args == [name]
    page.show_busy("Opening the demo…")
    assert not any(button.isEnabled() for button in page.trials.values())


def test_without_a_bank_the_page_shows_and_with_one_the_prompt(window: MainWindow, settle: Act, wish: Wish) -> None:
    assert window.start.isVisible()
    assert not window.panels.prompt.isVisible()
    settle(lambda: window.open_wish(wish))
    assert not window.start.isVisible()
    assert window.panels.prompt.isVisible()


def test_seeing_what_fires_asks_and_traces_and_keeps_nothing(window: MainWindow, settle: Act, demo: None, qtbot: QtBot) -> None:
    show_dock(window.docks["map"])
    with qtbot.waitSignal(window.studio.bridge.traced, timeout=PATIENCE_MS):
        qtbot.mouseClick(window.start.trials["fires"], Qt.MouseButton.LeftButton)
    assert window.studio.study is not None
    assert window.studio.study.temporary
    assert window.studio.trace is not None
    assert not window.docks["heat"].visibleRegion().isEmpty(), "wherever the layout was left"
    qtbot.waitUntil(lambda: window.studio.bridge.resting, timeout=PATIENCE_MS)


def test_finding_where_a_fact_is_scans_every_path(window: MainWindow, demo: None, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.start.trials["where"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.docks["scan"].isVisible() and "27 of 27" in said(window), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.studio.bridge.resting, timeout=PATIENCE_MS)


def said(window: MainWindow) -> str:
    """All that the panel of the scan says."""
    from PySide6.QtWidgets import QLabel

    return " ".join(part.text() for part in window.scan.findChildren(QLabel))


def test_pruning_and_taking_back_is_the_tour_and_its_buttons_do_the_steps(window: MainWindow, demo: None, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.start.trials["tour"], Qt.MouseButton.LeftButton)
    assert window.starts._tour is not None
    _, bar = window.starts._tour
    for word, pruned in (("Prune", False), ("Undo", True)):
        qtbot.waitUntil(lambda word=word: bar.next.isVisible() and bar.next.text().startswith(word), timeout=PATIENCE_MS)
        assert window.studio.study is not None
        assert bool(window.studio.study.overlay) == pruned
        qtbot.mouseClick(bar.next, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Now it is yours" in bar._text.text(), timeout=PATIENCE_MS)
    assert window.studio.study is not None
    assert window.studio.study.overlay == {}


def test_a_demo_that_cannot_be_opened_leaves_the_page_usable(
    window: MainWindow, settle: Act, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot: QtBot
) -> None:
    monkeypatch.setattr("memstudio.paths.demo_bank", lambda: tmp_path)
    settle(lambda: qtbot.mouseClick(window.start.trials["tour"], Qt.MouseButton.LeftButton))
    assert "demo" in window.panels.status.line.text()
    assert window.start.isVisible()
    assert window.start._busy.text() == window.panels.status.line.text()
    assert all(button.isEnabled() for button in window.start.trials.values())
    assert window.starts._tour is None
