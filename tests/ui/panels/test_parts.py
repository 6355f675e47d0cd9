"""The layout that wraps: where its items come to lie."""

from PySide6.QtCore import QRect, QSize
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from memstudio.ui.panels.parts import FlowLayout


def _filled(qtbot: QtBot, *widths: int) -> tuple[QWidget, list[QPushButton]]:
    box, flow = QWidget(), FlowLayout(6)
    qtbot.addWidget(box)
    box.setLayout(flow)
    buttons = [QPushButton() for _ in widths]
    for button, width in zip(buttons, widths, strict=True):
        button.setFixedSize(QSize(width, 20))
        flow.addWidget(button)
    return box, buttons


def test_items_stand_in_lines_and_a_hidden_one_takes_no_room(qtbot: QtBot) -> None:
    box, (first, second, third) = _filled(qtbot, 40, 50, 60)
    box.resize(100, 100)
    box.show()
    assert [button.geometry() for button in (first, second, third)] == [QRect(0, 0, 40, 20), QRect(46, 0, 50, 20), QRect(0, 26, 60, 20)]
    first.hide()
    box.layout().activate()
    assert [button.geometry() for button in (second, third)] == [QRect(0, 0, 50, 20), QRect(0, 26, 60, 20)]
    assert box.layout().heightForWidth(200) == 20
