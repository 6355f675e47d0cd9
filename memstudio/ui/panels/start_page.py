"""What the middle of the window shows while no bank is open: three things to try on the demo, and how to open or build a bank."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from memstudio.ui.panels.parts import label
from memstudio.ui.texts import on_button, plain_tip

Trial = Literal["fires", "tour", "where"]
TRIALS: tuple[tuple[Trial, str, str], ...] = (
    ("fires", "See which blocks a prompt fires", "Asks for the atomic number of gold and traces what each fetched block causes."),
    (
        "tour",
        "Prune a block, and take it back",
        "Takes out the block that knows it, shows the other answer, and undoes it, step by step.",
    ),
    ("where", "Find where a fact is kept", "Reads the answer under every path of the tree, and colours the whole bank by it."),
)
RECENT_SHOWN = 5


class StartPage(QWidget):
    """Emits what is wanted: a trial on the demo, a bank to be chosen, a path, the demo itself, a build."""

    trial_wanted = Signal(str)
    choose_wanted = Signal()
    path_wanted = Signal(str)
    demo_wanted = Signal()
    build_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.trials: dict[str, QPushButton] = {}
        self.recent: list[QPushButton] = []
        left, right = self._trials(), self._openings()
        body = QWidget()
        body.setProperty("kind", "card-body")
        columns = QHBoxLayout(body)
        columns.setContentsMargins(24, 18, 24, 18)
        columns.setSpacing(32)
        columns.addLayout(left, 3)
        columns.addLayout(right, 2)
        area = QScrollArea()
        area.setProperty("kind", "card")
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its buttons scroll into view
        area.setWidget(body)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 6)
        column.addWidget(area)

    def show_recent(self, paths: Sequence[str]) -> None:
        """Banks and studies that were opened before, newest first."""
        for button in self.recent:
            button.hide()
            button.deleteLater()
        self.recent = []
        for path in paths[:RECENT_SHOWN]:
            button = _link(Path(path).name or path, path)
            button.clicked.connect(lambda _=False, path=path: self.path_wanted.emit(path))
            self._recent_column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
            self.recent.append(button)
        self._recent_head.setVisible(bool(self.recent))

    def show_busy(self, line: str) -> None:
        """What is being done, or "" where a person may choose."""
        self._busy.setText(line)
        for button in self.trials.values():
            button.setEnabled(not line)

    def show_problem(self, line: str) -> None:
        """Why nothing was opened, in full; the status bar may have no room for it."""
        self._busy.setText(line)

    def _trials(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(label("Three things to try on the demo", "title", wrap=True))
        column.addWidget(
            label("A small model with trained memory blocks comes along. Nothing that you try here is kept.", "dim", wrap=True)
        )
        for name, text, hint in TRIALS:
            button = QPushButton(text)
            button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
            button.setAccessibleDescription(hint)
            button.clicked.connect(lambda _=False, name=name: self.trial_wanted.emit(name))
            column.addSpacing(8)
            column.addWidget(button)
            column.addWidget(label(hint, "dim", wrap=True))
            self.trials[name] = button
        self._busy = label("", "notice", wrap=True)
        column.addSpacing(6)
        column.addWidget(self._busy)
        column.addStretch(1)
        return column

    def _openings(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(label("Open", "title"))
        for text, tip, signal in (
            ("Open a bank…", "Choose a bank folder (Ctrl+O)", self.choose_wanted),
            ("Open the demo", "The bundled bank; its edits are kept in its own study", self.demo_wanted),
            ("Build a bank…", "From a model and your documents (Ctrl+N)", self.build_wanted),
        ):
            button = _link(text, tip)
            button.clicked.connect(lambda _=False, signal=signal: signal.emit())
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(label("Or drop a bank or study folder on this window.", "dim", wrap=True))
        column.addSpacing(10)
        self._recent_head = label("Recent", "section")
        self._recent_column = QVBoxLayout()
        self._recent_column.setSpacing(2)
        column.addWidget(self._recent_head)
        column.addLayout(self._recent_column)
        column.addStretch(1)
        self._recent_head.hide()
        return column


def _link(text: str, tip: str) -> QPushButton:
    made = QPushButton(on_button(text))
    made.setProperty("kind", "link")
    made.setToolTip(plain_tip(tip))
    return made
