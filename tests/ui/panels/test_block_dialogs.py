"""Scaling asks for a factor, swapping for another block; what makes no sense is said in the dialog."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import BASE, BlockState, ClusterId
from memstudio.ui.panels.block_dialogs import BANK, ScaleDialog, SwapDialog
from memstudio.ui.theme import Theme

ONE = ClusterId(2, 1)


@pytest.fixture
def swap(qtbot: QtBot, theme: Theme) -> Iterator[SwapDialog]:
    made = SwapDialog()
    qtbot.addWidget(made)
    made.open_on(ONE)
    yield made
    made.close()


def press(dialog: ScaleDialog | SwapDialog, text: str) -> None:
    from PySide6.QtWidgets import QPushButton

    next(button for button in dialog.findChildren(QPushButton) if button.text() == text).click()


def test_slider_and_number_are_one_factor_that_begins_where_the_block_stands(qtbot: QtBot, theme: Theme) -> None:
    dialog = ScaleDialog()
    qtbot.addWidget(dialog)
    dialog.open_on(ONE, BlockState("base", 0.5))
    assert dialog.slider.value() == 50
    dialog.slider.setValue(175)
    assert dialog.factor.value() == 175
    dialog.factor.setValue(0)
    assert dialog.slider.value() == 0
    dialog.subtree.setChecked(True)
    with qtbot.waitSignal(dialog.wanted) as caught:
        press(dialog, "Scale")
    assert caught.args == [ONE, 0.0, True]
    dialog.open_on(ONE, BASE)
    assert dialog.factor.value() == 100
    assert not dialog.subtree.isChecked()
    dialog.close()


def test_a_swap_names_the_other_block_and_where_it_comes_from(swap: SwapDialog, qtbot: QtBot, tmp_path: Path) -> None:
    swap.source.setText("2/0")
    with qtbot.waitSignal(swap.wanted) as caught:
        press(swap, "Swap")
    assert caught.args == [ONE, ClusterId(2, 0), "", ""]
    swap.open_on(ONE)
    swap.origin.choose(BANK)
    swap.origin.chosen.emit(BANK)
    assert swap.source.text() == "2/1"
    swap.path.setText(str(tmp_path))
    with qtbot.waitSignal(swap.wanted) as caught:
        press(swap, "Swap")
    assert caught.args == [ONE, ONE, str(tmp_path), ""]


def test_what_is_no_cluster_or_no_folder_is_said_in_the_dialog(swap: SwapDialog, qtbot: QtBot, tmp_path: Path) -> None:
    with qtbot.assertNotEmitted(swap.wanted):
        swap.source.setText("gold")
        press(swap, "Swap")
        assert "gold" in swap.line.text()
        swap.origin.choose(BANK)
        swap.origin.chosen.emit(BANK)
        swap.source.setText("2/0")
        swap.path.setText(str(tmp_path / "nowhere"))
        press(swap, "Swap")
        assert "not found" in swap.line.text()
    assert swap.isVisible()
