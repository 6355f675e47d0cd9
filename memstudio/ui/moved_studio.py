"""A study whose bank moved: the window says where it was, and opens the study with the bank that a person points to."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from memstudio.ui.bridge import Bridge
from memstudio.ui.choosing import choose_folder
from memstudio.ui.snapshots import BankSought, Wish


class MovedStudio(QObject):
    """Emits `open_wanted` (a Wish) with the study and the bank that was found."""

    open_wanted = Signal(Wish)

    def __init__(self, bridge: Bridge, window: QWidget) -> None:
        super().__init__(window)
        self._bridge, self._window = bridge, window
        bridge.bank_sought.connect(self._sought)

    def _sought(self, sought: BankSought) -> None:
        self._bridge.failed.emit(sought.line)
        box = QMessageBox(QMessageBox.Icon.Question, "The bank of this study moved", sought.line, parent=self._window)
        box.setObjectName("bank_moved")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        find = box.addButton("Find the bank…", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        title = f"Where is the bank of {Path(sought.wish.path).name}?"
        find.clicked.connect(lambda: choose_folder(self._window, title, lambda folder: self.take(sought.wish, folder)))
        box.open()

    def take(self, wish: Wish, bank: str) -> None:
        """Open the study that was wished for with this bank; another bank than its own is refused in a line."""
        self.open_wanted.emit(replace(wish, path=bank, study=Path(wish.path)))
