"""The table of used blocks by itself: what is dead, hot and idle, told from what was not measured; a selection of a large bank."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, ClusterId
from memstudio.history.values import Count
from memstudio.session.used import Use, of_counts
from memstudio.ui.panels.use_table import DEAD, HOT, IDLE, UseTable
from memstudio.ui.selection import Chosen
from memstudio.ui.snapshots import BankView, LevelView
from memstudio.ui.theme import Theme

COUNTS = {
    ClusterId(1, 0): Count(6, 6, 3.0, 2.0),
    ClusterId(1, 1): Count(4, 4, 0.004, 0.003),
    ClusterId(2, 0): Count(6, 6, 9.0, 2.0),
    ClusterId(2, 2): Count(4),
}


def bank(*sizes: int) -> BankView:
    return BankView("b", Path("b"), tuple(LevelView(at, 2, np.ones(size, np.int64), 100) for at, size in enumerate(sizes, 1)), "zero")


def use(measured: int = 6) -> Use:
    return of_counts([2, 4], COUNTS, 10, measured)


@pytest.fixture
def table(qtbot: QtBot, theme: Theme) -> Iterator[UseTable]:
    made = UseTable(theme)
    qtbot.addWidget(made)
    QAbstractItemModelTester(made.model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    made.resize(640, 260)
    made.show_bank(bank(2, 4), {})
    made.show_held((np.ones(2, bool), np.ones(4, bool)))
    made.show()
    yield made
    made.close()


def listed(table: UseTable) -> list[str]:
    return [str(table.model.cluster(table.model.index(row, 0))) for row in range(table.model.rowCount())]


def test_each_list_holds_its_blocks_and_says_of_how_many(table: UseTable) -> None:
    table.show_use(use())
    assert listed(table) == ["2/1", "2/3"]
    assert table.said.text() == "2 of 6 standing blocks: not fetched by any of 10 prompts (observed)."
    table.show_list(HOT)
    assert listed(table) == ["2/0", "1/0", "1/1", "2/2"]
    table.show_list(IDLE)
    assert listed(table) == ["1/1"]
    assert table.said.text().startswith("1 of 3 measured blocks stayed under 0.01")
    assert "takes what lies below" in table.said.text()


def test_what_was_not_measured_is_not_idle_and_says_how_to_measure(table: UseTable) -> None:
    table.show_list(IDLE)
    table.show_use(of_counts([2, 4], {ClusterId(1, 0): Count(3)}, 3, 0))
    assert listed(table) == []
    assert not table.all_button.isEnabled()
    assert not table.view.isVisible()


def test_a_pruned_block_leaves_the_list_and_comes_back(table: UseTable) -> None:
    table.show_use(use())
    table.show_overlay({ClusterId(2, 1): PRUNED})
    assert listed(table) == ["2/3"]
    table.show_overlay({})
    assert listed(table) == ["2/1", "2/3"]


def test_a_count_that_goes_on_keeps_the_list_and_its_order(table: UseTable) -> None:
    table.show_list(HOT)
    for measured in (0, 2, 6):
        table.show_use(use(measured))
    assert listed(table) == ["2/0", "1/0", "1/1", "2/2"]
    table.show_use(None)
    assert listed(table) == []


def test_all_of_a_large_list_are_selected_at_once(table: UseTable) -> None:
    sizes = (16, 256, 4096, 65536)
    table.show_bank(bank(*sizes), {})
    table.show_held(tuple(np.ones(size, bool) for size in sizes))
    table.show_use(of_counts(sizes, {ClusterId(1, 0): Count(1)}, 1, 0))
    got: list[Chosen] = []
    table.chosen.connect(got.append)
    assert table.lists.place == DEAD
    start = time.thread_time()  # of this thread's own work, whatever else the machine does
    table.all_button.click()
    table.grab()
    assert time.thread_time() - start < 1.0
    assert got[0].count == sum(sizes) - 1
    assert got[0].current == ClusterId(1, 1)
