"""Letters of one and a half times the size: nothing is cut off, and the window still fits a small screen."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QScrollArea
from pytestqt.qtbot import QtBot

from memstudio.ui.main_window import MainWindow

Act = Callable[[Callable[[], object]], None]
HEIGHT = 748
"""Of a screen of 1366 × 768, less a title."""


@pytest.fixture
def large(opened: MainWindow) -> Iterator[MainWindow]:
    opened.resize(1366, HEIGHT)
    opened.theme.choose("light", 150)
    yield opened
    opened.theme.choose("light", 100)


def test_the_window_asks_for_no_more_than_the_screen_even_with_answers_side_by_side(large: MainWindow, settle: Act) -> None:
    settle(large.run_prompt)
    large.show_arms()
    settle(large.abreast.start)
    assert large.abreast.table.isVisibleTo(large.abreast)
    assert large.minimumSizeHint().height() <= HEIGHT


def test_the_card_of_a_block_is_no_wider_than_its_panel(large: MainWindow, settle: Act, qtbot: QtBot) -> None:
    settle(large.run_prompt)
    area = large.panels.block.findChild(QScrollArea)
    assert area is not None
    qtbot.waitUntil(lambda: area.widget().width() <= area.viewport().width())


def test_figures_of_the_paths_are_whole(large: MainWindow, settle: Act) -> None:
    settle(large.scan_fact)
    shown = large.scan.list
    item = shown.topLevelItem(0)
    assert item is not None
    for section in (0, 2, 3):
        assert shown.fontMetrics().horizontalAdvance(item.text(section)) < shown.columnWidth(section)


def test_columns_go_by_the_size_of_the_text_and_back(opened: MainWindow) -> None:
    before = opened.panels.table.view.columnWidth(0)
    opened.theme.choose("light", 150)
    assert opened.panels.table.view.columnWidth(0) == round(before * 1.5)
    opened.theme.choose("light", 100)
    assert opened.panels.table.view.columnWidth(0) == before
