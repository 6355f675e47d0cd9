"""A selection of very many blocks acts as one and stays short wherever it is told: line, title, receipt."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, ClusterId
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.tables import MOST_LISTED, fill, table
from memstudio.ui.plots.marks import passed_masks, state_masks
from memstudio.ui.selection import Chosen
from memstudio.ui.snapshots import Wish
from tests.tiny import make_bank

Act = Callable[[Callable[[], object]], None]


def test_nine_hundred_blocks_are_pruned_and_muted_in_one_go(window: MainWindow, settle: Act, tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank", levels=((3, 4), (30, 2), (900, 1)))
    settle(lambda: window.open_wish(Wish(str(bank), study=tmp_path / "study", device="cpu")))
    window.panels.table.view.selectAll()
    assert window.studio.chosen.count == 933
    assert "One of 933 selected blocks" in " ".join(each.text() for each in window.panels.block.findChildren(QLabel))
    settle(lambda: window.actions_.by_key["mute"].trigger())
    assert window.panels.status.line.text().endswith("and 928 more.")
    settle(lambda: window.actions_.by_key["mute"].trigger())
    assert window.panels.status.line.text() == "Nothing is muted."
    settle(lambda: window.actions_.by_key["prune"].trigger())
    study = window.studio.study
    assert study is not None
    assert len(study.overlay) == 933
    assert "(933 blocks changed)" in window.panels.status.line.text()
    assert len(window.windowTitle()) < 200
    blocks = window.panels.history.receipt.blocks
    assert blocks.topLevelItemCount() == MOST_LISTED + 1
    last = blocks.topLevelItem(MOST_LISTED)
    assert last is not None
    assert last.text(0) == "… and 733 more"
    settle(window.undo)
    assert not window.studio.study or not window.studio.study.overlay


def test_a_long_table_lists_the_first_and_counts_the_rest(qtbot: QtBot) -> None:
    shown = table(("Prompt", "Before", "After"))
    qtbot.addWidget(shown)
    rows = [{"prompt": f"{at}", "before": "a", "after": "b"} for at in range(1500)]
    fill(shown, rows, ("prompt", "before", "after"), lambda _: QColor("red"))
    assert shown.topLevelItemCount() == MOST_LISTED + 1
    fill(shown, rows[:MOST_LISTED], ("prompt", "before", "after"), lambda _: QColor("red"), 1500)
    assert shown.topLevelItem(MOST_LISTED).text(0) == f"… and {1500 - MOST_LISTED:,} more"
    fill(shown, rows[:3], ("prompt", "before", "after"), lambda _: QColor("red"))
    assert shown.topLevelItemCount() == 3


def test_masks_of_sixty_five_thousand_are_those_of_each(qtbot: QtBot) -> None:
    sizes, branching = [16, 256, 4096, 65536], [16, 16, 16, 16]
    leaves = frozenset(ClusterId(4, at) for at in range(0, 65536, 2))
    pruned, edited = state_masks(sizes, dict.fromkeys(leaves, PRUNED))
    assert [int(mask.sum()) for mask in pruned] == [0, 0, 0, 32768]
    assert not any(mask.any() for mask in edited)
    passed = passed_masks(sizes, branching, frozenset({ClusterId(2, 5)}), leaves)
    assert [int(mask.sum()) for mask in passed] == [0, 1, 16, 32768 + 128]
    masks = (*(np.zeros(size, bool) for size in sizes[:3]), np.ones(65536, bool))
    assert len(Chosen(masks).clusters()) == len(Chosen(masks).tops()) == 65536
    assert Chosen(masks).clusters()[-1] == ClusterId(4, 65535)
    masks[0][:] = True
    assert len(Chosen(masks).tops()) == 16
