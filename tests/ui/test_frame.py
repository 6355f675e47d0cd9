"""The window's frame: docks at their places, kept, brought back, reset; panels by the keyboard."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDockWidget, QMainWindow, QPushButton, QTabBar, QWidget
from pytestqt.qtbot import QtBot

from memstudio.ui.actions import ACTIONS
from memstudio.ui.app import fits
from memstudio.ui.bridge import Bridge
from memstudio.ui.docks import PLACES, brought_back, kept_layout, make_docks, place_docks, restore_layout
from memstudio.ui.main_window import MainWindow
from memstudio.ui.preferences import Preferences
from memstudio.ui.theme import Theme

SCREEN = QRect(0, 0, 1366, 768)
TITLES = {place.name: place.name.capitalize() for place in PLACES} | {
    "heat": "Heat map",
    "scan": "Where?",
    "sets": "Prompts",
    "pair": "A/B/C",
}


class Bare:
    """A window that has nothing but docks."""

    def __init__(self, *names: str) -> None:
        self.window = QMainWindow()
        self.window.resize(1366, 768)
        self.docks = make_docks(self.window, [(name, TITLES.get(name, name), QPushButton(name)) for name in names])
        self.window.setCentralWidget(QWidget())
        place_docks(self.window, self.docks)

    def area(self, name: str) -> Qt.DockWidgetArea:
        return self.window.dockWidgetArea(self.docks[name])

    def beside(self, name: str) -> set[str]:
        return {dock.objectName() for dock in self.window.tabifiedDockWidgets(self.docks[name])}


@pytest.fixture
def bare(theme: Theme, qtbot: QtBot) -> Iterator[Bare]:
    made = Bare(*(place.name for place in PLACES), "newcomer")
    made.window.show()
    yield made
    made.window.close()
    made.window.deleteLater()


def test_a_window_that_its_frame_would_push_off_the_screen_does_not_fit(bare: Bare) -> None:
    free = bare.window.screen().availableSize()
    bare.window.resize(free.width() - 10, free.height() - 60)
    assert fits(bare.window)
    bare.window.resize(free.width() - 10, free.height())
    assert not fits(bare.window)


def in_front(dock: QDockWidget) -> bool:
    return not dock.visibleRegion().isEmpty()


def test_every_panel_has_its_place_and_one_that_nobody_placed_stands_below(bare: Bare) -> None:
    areas = Qt.DockWidgetArea
    assert bare.area("bank") == bare.area("log") == areas.LeftDockWidgetArea
    assert bare.area("block") == bare.area("route") == areas.RightDockWidgetArea
    assert bare.area("newcomer") == bare.area("map") == areas.BottomDockWidgetArea
    assert bare.beside("history") == {"jobs", "log"}
    assert bare.beside("bank") == set()
    assert bare.beside("block") == {"route"}
    assert "newcomer" in bare.beside("heat")
    assert {name for name, dock in bare.docks.items() if dock.isHidden()} == {"compare", "pair"}
    assert {name for name, dock in bare.docks.items() if in_front(dock)} == {"bank", "history", "block", "heat"}


def test_at_1366_by_768_every_tab_s_title_is_readable_even_with_all_panels_shown(bare: Bare, qtbot: QtBot) -> None:
    for dock in bare.docks.values():
        dock.show()
    qtbot.waitUntil(
        lambda: sum(bar.count() for bar in bare.window.findChildren(QTabBar)) == len(PLACES)
    )  # all but the bank, and a newcomer
    for bar in bare.window.findChildren(QTabBar):
        for at in range(bar.count()):
            assert bar.tabRect(at).width() >= bar.fontMetrics().horizontalAdvance(bar.tabText(at)) + 8, bar.tabText(at)
            assert bar.tabRect(at).right() <= bar.width() or bar.usesScrollButtons()


def test_a_layout_comes_back_as_it_was_left(bare: Bare) -> None:
    bare.docks["facts"].raise_()
    bare.docks["icicle"].close()
    bare.window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, bare.docks["log"])
    bare.docks["table"].setFloating(True)
    kept = kept_layout(bare.window, bare.docks)
    place_docks(bare.window, bare.docks)
    assert not bare.docks["table"].isFloating()
    assert bare.area("log") == Qt.DockWidgetArea.LeftDockWidgetArea
    restore_layout(bare.window, bare.docks, kept)
    assert bare.docks["table"].isFloating()
    assert bare.docks["icicle"].isHidden()
    assert bare.area("log") == Qt.DockWidgetArea.RightDockWidgetArea


def test_a_layout_of_an_older_program_leaves_new_panels_at_their_places(theme: Theme, qtbot: QtBot) -> None:
    older, newer = Bare("bank", "block", "history", "heat", "gone"), Bare("bank", "block", "history", "heat", "map", "jobs")
    newer.window.show()
    older.docks["history"].close()
    restore_layout(newer.window, newer.docks, kept_layout(older.window, older.docks))
    assert newer.docks["history"].isHidden()
    assert newer.area("map") == Qt.DockWidgetArea.BottomDockWidgetArea
    assert not newer.docks["map"].isHidden()
    assert newer.beside("map") == {"heat"}
    for each in (older, newer):
        each.window.close()
        each.window.deleteLater()


def test_a_layout_of_another_version_or_a_damaged_one_leaves_the_first_one(bare: Bare) -> None:
    bare.docks["bank"].close()
    kept = kept_layout(bare.window, bare.docks)
    for state in (bare.window.saveState(99), b"", b"\x00\xff" * 40):
        restore_layout(bare.window, bare.docks, replace(kept, state=state))  # type: ignore[arg-type]  # Qt takes bytes
        assert not bare.docks["bank"].isHidden()


def test_a_panel_that_floated_on_a_screen_that_went_away_is_brought_back(bare: Bare) -> None:
    screen = bare.window.screen().availableGeometry()
    table = bare.docks["table"]
    table.setFloating(True)
    table.setGeometry(screen.right() + 2000, screen.top() + 300, 400, 300)
    bare.window.move(screen.right() + 1500, 40)
    kept = kept_layout(bare.window, bare.docks)
    restore_layout(bare.window, bare.docks, kept)
    assert table.isFloating()
    for each in (table, bare.window):
        assert screen.intersected(QRect(each.geometry().topLeft(), each.size())).width() >= 80
        assert each.geometry().top() >= screen.top()


@pytest.mark.parametrize(
    ("rect", "moved"),
    [
        (QRect(100, 100, 800, 600), False),
        (QRect(1300, 700, 800, 600), True),  # 66 px of its edge are seen
        (QRect(-700, 100, 800, 600), False),
        (QRect(100, -40, 800, 600), True),  # its title is above the screen
        (QRect(4000, 100, 800, 600), True),
        (QRect(4000, 100, 5000, 3000), True),
    ],
)
def test_a_window_is_moved_only_where_its_upper_edge_cannot_be_grabbed(rect: QRect, moved: bool) -> None:
    there = brought_back(rect, [SCREEN])
    assert (there != rect) == moved
    if moved:
        assert SCREEN.contains(there)


def test_a_second_screen_counts_as_a_place_to_be() -> None:
    rect = QRect(4000, 100, 800, 600)
    assert brought_back(rect, [SCREEN, QRect(1366, -200, 4000, 3000)]) == rect


def test_without_any_screen_nothing_is_moved() -> None:
    assert brought_back(QRect(9000, 0, 10, 10), []) == QRect(9000, 0, 10, 10)


# On the window itself


def test_ctrl_and_a_digit_go_to_a_panel_and_once_more_close_it(window: MainWindow, qtbot: QtBot) -> None:
    icicle, table = window.docks["icicle"], window.docks["table"]
    window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_7, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: in_front(table) and not in_front(icicle))
    assert table.isAncestorOf(window.focusWidget())
    QTest.keyClick(window, Qt.Key.Key_7, Qt.KeyboardModifier.ControlModifier)
    assert table.isHidden()
    QTest.keyClick(window, Qt.Key.Key_7, Qt.KeyboardModifier.ControlModifier)
    assert not table.isHidden()


def test_the_menu_ticks_what_is_open_and_no_two_commands_share_a_key(window: MainWindow) -> None:
    window.docks["facts"].close()
    window.panels_menu.aboutToShow.emit()
    entries = {entry.objectName().removeprefix("panel_"): entry for entry in window.panels_menu.actions()}
    assert set(entries) == set(window.docks)
    assert not entries["facts"].isChecked()
    assert entries["bank"].isChecked()
    taken = [QKeySequence(text).toString() for one in ACTIONS for text in one.shortcuts]
    ours = [entry.shortcut().toString() for entry in entries.values() if not entry.shortcut().isEmpty()]
    assert len({*taken, *ours}) == len(taken) + len(ours)


def test_the_palette_leads_to_every_panel(window: MainWindow) -> None:
    window.show_palette()
    palette = window.palette_
    listed = {entry.key for entry in palette._entries}
    assert {f"panel_{name}" for name in window.docks} <= listed
    palette.close()


def test_the_window_keeps_its_layout_until_it_is_reset(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    first = MainWindow(Bridge(), Preferences(file))
    first.show()
    first.docks["history"].close()
    first.docks["facts"].setFloating(True)
    first.close()
    second = MainWindow(Bridge(), Preferences(file))
    second.show()
    assert second.docks["history"].isHidden()
    assert second.docks["facts"].isFloating()
    second.reset_layout()
    assert not second.docks["history"].isHidden()
    assert not second.docks["facts"].isFloating()
    second.close()
    for each in (first, second):
        each.deleteLater()
