"""What is resident where, as measured, as bars and lines, each with what lets go of it; opened from the figure in the status bar."""

from collections.abc import Sequence
from itertools import groupby

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from memstudio.session.resident import Held, Part
from memstudio.ui.panels.parts import label
from memstudio.ui.texts import plain_tip, size_text
from memstudio.ui.theme import Theme, Tone

PLACES = {
    "memory": ("Memory of the process", "what the system counts as resident (RSS), and what of it is known"),
    "card": ("Memory of the device", "tensors that lie there"),
    "page cache": ("Files that the system keeps in memory", "its page cache: fetched without the disk; it gives way to others"),
}
TIPS: dict[Part, str] = {
    "cache": "Let go of the blocks that are kept for later; the next run fetches its own anew",
    "arms": "Let go of the slots that preview edits and read runs along; they are made again when they are needed",
    "anchor": "Let go of the model and all its slots; the next run loads it again",
    "files": "Have the system drop what it keeps of these files; the next fetch reads the disk",
}
BAR_HEIGHT = 12


class MemoryPanel(QFrame):
    """Emits `free_wanted` with a part, and `looked_at` when it is opened or closed. A popup: a click elsewhere closes it."""

    free_wanted = Signal(str)
    looked_at = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("kind", "panel")
        self.setAccessibleName("What is resident")
        self._theme = theme
        self._held: tuple[Held, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 12, 16, 12)
        self._column.setSpacing(6)
        self._body = QWidget()
        self._column.addWidget(self._body)
        self.setMinimumWidth(600)
        theme.changed.connect(self._draw)
        self._draw()

    @property
    def held(self) -> tuple[Held, ...]:
        """What is shown."""
        return self._held

    def show_held(self, held: Sequence[Held]) -> None:
        """What was measured."""
        if tuple(held) != self._held:
            self._held = tuple(held)
            self._draw()

    def buttons(self) -> dict[str, QPushButton]:
        """What frees, by the line that it stands in."""
        return {button.accessibleName().removeprefix("Free: "): button for button in self._body.findChildren(QPushButton)}

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.looked_at.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.looked_at.emit(False)

    def _draw(self) -> None:
        focus = next((name for name, button in self.buttons().items() if button.hasFocus()), None)
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(2, 1)
        tone, at = self._theme.tone, 0
        if not self._held:
            grid.addWidget(label("Measuring…" if self.isVisible() else "Nothing measured yet", "dim"), 0, 0)
        order = list(PLACES)
        for place, group in groupby(sorted(self._held, key=lambda each: order.index(each.place)), key=lambda each: each.place):
            lines = list(group)
            title, how = PLACES[place]
            if at:
                grid.setRowMinimumHeight(at, 8)
                at += 1
            grid.addWidget(label(title, "strong", tip=how), at, 0, 1, 3)
            grid.addWidget(label(size_text(sum(each.bytes for each in lines)), "strong"), at, 3, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(Bar(lines, tone), at + 1, 0, 1, 5)
            at += 2
            for number, each in enumerate(lines):
                self._line(grid, at, each, colour_of(number, lines, tone))
                at += 1
        self._column.replaceWidget(self._body, body)
        self._body.deleteLater()
        self._body = body
        if focus in (buttons := self.buttons()):
            buttons[focus].setFocus()
        self.adjustSize()

    def _line(self, grid: QGridLayout, at: int, each: Held, colour: str) -> None:
        mark = QFrame()
        mark.setFixedSize(10, 10)
        mark.setStyleSheet(f"background: {colour}; border: 0; border-radius: 3px;")
        grid.addWidget(mark, at, 0)
        grid.addWidget(label(each.what), at, 1)
        detail = label(each.detail, "dim", tip=each.detail)
        detail.setWordWrap(True)
        grid.addWidget(detail, at, 2)
        grid.addWidget(label(size_text(each.bytes)), at, 3, Qt.AlignmentFlag.AlignRight)
        if each.frees is not None:
            button = QPushButton("Free")
            button.setProperty("kind", "link")
            button.setAccessibleName(f"Free: {each.what}")
            button.setToolTip(plain_tip(TIPS[each.frees]))
            button.clicked.connect(lambda _=False, part=each.frees: self.free_wanted.emit(part))
            grid.addWidget(button, at, 4)


class Bar(QWidget):
    """Lines side by side, each as long as its bytes."""

    def __init__(self, lines: Sequence[Held], tone: Tone) -> None:
        super().__init__()
        self._lines, self._tone = list(lines), tone
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(", ".join(f"{each.what} {size_text(each.bytes)}" for each in lines))

    def sizeHint(self) -> QSize:
        return QSize(200, BAR_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._tone.raised))
        whole, left = sum(each.bytes for each in self._lines), 0.0
        for number, each in enumerate(self._lines if whole else ()):
            wide = self.width() * each.bytes / whole
            painter.fillRect(QRectF(left, 0, max(0.0, wide - 1), self.height()), QColor(colour_of(number, self._lines, self._tone)))
            left += wide


def colour_of(number: int, lines: Sequence[Held], tone: Tone) -> str:
    """The colour of a line of one place; what is not known further is grey."""
    colours = (tone.accent, tone.good, tone.warning, tone.danger, tone.dim)
    return tone.unmeasured if lines[number].what == "Everything else" else colours[number % len(colours)]
