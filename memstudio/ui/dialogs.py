"""The few dialogs: lines to read, and what this program is. None of them blocks."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

import memstudio
from memstudio.paths import resources
from memstudio.ui.icons import pixmap
from memstudio.ui.panels.parts import label, row

ABOUT = "See which memory blocks of a language model fire for a prompt, prove what each one causes, prune it, and take that back."


class ListDialog(QDialog):
    """Lines to read, for example the records of a file that were skipped."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.resize(620, 360)
        self._head = label("", "section", wrap=True)
        self.text = QPlainTextEdit()
        self.text.setAccessibleName("Lines to read")
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.addWidget(self._head)
        column.addWidget(self.text, 1)
        column.addWidget(buttons)

    def show_lines(self, title: str, lines: list[str]) -> None:
        """Other lines."""
        self.setWindowTitle("Skipped records")
        self._head.setText(title)
        self.text.setPlainText("\n".join(lines))
        self.show()
        self.raise_()


class AboutDialog(QDialog):
    """Name, version, purpose, licence."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About memstudio")
        picture = QLabel()
        picture.setPixmap(pixmap("memstudio", "", 64, self.devicePixelRatioF()))
        words = QVBoxLayout()
        words.addWidget(label(f"memstudio {memstudio.__version__}", "title"))
        words.addWidget(label(ABOUT, wrap=True))
        words.addWidget(label("Apache License 2.0", "dim"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        side = QWidget()
        side.setLayout(words)
        side.setMinimumWidth(360)
        top = row(picture, side, spacing=16)
        top.setAlignment(picture, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 14)
        column.addLayout(top)
        column.addWidget(buttons)


def app_icon_file() -> str:
    """The program's icon."""
    return str(resources() / "icons" / "memstudio.svg")
