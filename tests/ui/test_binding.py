"""The Qt binding itself: PySide6 6.12.0 on Python 3.11 loses a reference to True at each emit, and ends the program after some hundred."""

import sys

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication, QPushButton


class Speaker(QObject):
    said = Signal()


def test_emitting_and_clicking_lose_no_references(qapp: QApplication) -> None:
    speaker, button = Speaker(), QPushButton()
    before = [sys.getrefcount(one) for one in (True, False, None)]
    for _ in range(100):
        speaker.said.emit()
        button.click()
    lost = [old - sys.getrefcount(one) for old, one in zip(before, (True, False, None), strict=True)]
    button.deleteLater()
    assert max(lost) < 50, "install a PySide6 without that defect: pyproject.toml names those that have it"
