"""Another theme: what is in sight has it at once, and nothing comes in sight without it."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from memstudio.ui.docks import show_dock
from memstudio.ui.main_window import MainWindow
from memstudio.ui.theme import DARK, style_sheet
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
SHEET = style_sheet(DARK)


@pytest.fixture
def dark(opened: MainWindow, settle: Act, qtbot: QtBot) -> MainWindow:
    """The window after an answer in the light theme, and then in the dark one."""
    opened.theme.choose("light")
    settle(opened.run_prompt)
    opened.theme.choose("dark")
    opened.panels.prompt.text.clearFocus()
    return opened


def worn(part: QWidget) -> str:
    """The sheet that a part of the window goes by."""
    while not part.styleSheet() and part.parentWidget() is not None:
        part = part.parentWidget()
    return part.styleSheet()


def parts(window: MainWindow) -> list[QWidget]:
    return [part for part in window.children() if isinstance(part, QWidget)]


def picture(widget: QWidget) -> QImage:
    QApplication.processEvents()
    return widget.grab().toImage()


def test_what_is_in_sight_is_styled_at_once_and_most_of_a_window_is_not(dark: MainWindow) -> None:
    styled = [part for part in parts(dark) if worn(part) == SHEET]
    for part in (dark.centralWidget(), dark.menuBar(), dark.statusBar(), dark.docks["bank"], dark.docks["heat"], dark.docks["block"]):
        assert part in styled
    count = sum(len(part.findChildren(QWidget)) for part in styled)
    assert count < sum(len(part.findChildren(QWidget)) for part in parts(dark)) / 2


def test_every_dock_that_comes_in_sight_looks_as_if_it_had_been_styled_at_once(dark: MainWindow, qtbot: QtBot) -> None:
    for dock in dark.docks.values():
        show_dock(dock)
        picture(dock)
    qtbot.waitUntil(lambda: dark.studio.bridge.resting, timeout=PATIENCE_MS)  # the labels are there
    dark.theme.choose("light")
    dark.theme.choose("dark")
    shown = {}
    for name, dock in dark.docks.items():
        show_dock(dock)
        shown[name] = picture(dock)
        assert worn(dock) == SHEET, name
    assert dark.theme._dress is not None
    dark.theme._dress.change(style_sheet(DARK) + " ", everywhere=True)
    for name, dock in dark.docks.items():
        show_dock(dock)
        assert picture(dock) == shown[name], name


def test_a_dialog_and_one_that_is_made_later_open_in_it(dark: MainWindow) -> None:
    later = QDialog(dark)
    QVBoxLayout(later).addWidget(QPushButton("Later"))
    for dialog in (dark._preferring, dark._scale, later):
        assert dialog in parts(dark)
        dialog.show()
        seen = picture(dialog)
        assert worn(dialog) == SHEET
        dialog.setStyleSheet(SHEET + " ")
        assert picture(dialog) == seen
        dialog.close()
    later.deleteLater()


def test_a_menu_opens_in_it(dark: MainWindow, qtbot: QtBot) -> None:
    menu = dark._context
    menu.popup(dark.mapToGlobal(QPoint(20, 20)))
    qtbot.waitExposed(menu)
    assert worn(menu) == SHEET
    menu.close()


def test_the_window_shows_through_between_the_docks(dark: MainWindow) -> None:
    bank, middle = dark.docks["bank"].geometry(), dark.centralWidget().geometry()
    between = QPoint((bank.right() + middle.left() + 1) // 2, bank.center().y())
    assert bank.right() < between.x() < middle.left()
    for choice in ("dark", "light"):
        dark.theme.choose(choice)
        ratio = dark.devicePixelRatioF()
        assert picture(dark).pixelColor(between * ratio) == QColor(dark.theme.tone.window)


def test_another_text_size_is_everywhere_at_once(dark: MainWindow) -> None:
    dark.theme.choose("dark", 125)
    assert {worn(part) for part in parts(dark)} == {style_sheet(DARK, 125)}
    title = next(each for each in dark.docks["compare"].findChildren(QLabel) if each.property("kind") == "dock-title")
    assert title.font().pointSizeF() == pytest.approx(QApplication.font().pointSizeF())
    dark.theme.choose("dark", 100)
    assert {worn(part) for part in parts(dark)} == {SHEET}


def test_there_and_back_looks_as_before(opened: MainWindow, settle: Act) -> None:
    opened.theme.choose("light")
    settle(opened.run_prompt)
    opened.panels.prompt.text.clearFocus()
    looks = []
    for choice in ("dark", "light", "dark", "light"):
        opened.theme.choose(choice)
        looks.append([picture(part) for part in (opened.centralWidget(), *(opened.docks[name] for name in ("bank", "heat", "block")))])
    assert all(dark != light for dark, light in zip(*looks[:2], strict=True))
    assert looks[2:] == looks[:2]
