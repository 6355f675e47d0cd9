"""The palette: every command and recent bank by a few typed letters, with its shortcut, and the reason where it cannot be used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from memstudio.ui.fuzzy import score
from memstudio.ui.panels.parts import label
from memstudio.ui.theme import Theme

WIDTH, SHOWN, ROW = 560, 11, 40
ENTRY = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the palette. place: the menu that it stands in; reason: why it cannot be used, "" where it can."""

    key: str
    text: str
    place: str
    tip: str
    shortcut: str
    reason: str
    run: Callable[[], object]


class Palette(QFrame):
    """A box over the window; opened by `open_on`, closed by Escape, a click elsewhere, or a choice."""

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__(window, Qt.WindowType.Popup)
        self.setObjectName("palette")
        self.setProperty("kind", "panel")
        self._window = window
        self._entries: tuple[Entry, ...] = ()
        self._recent: list[str] = []
        self.search = QLineEdit()
        self.search.setObjectName("palette_search")
        self.search.setAccessibleName("Command to run")
        self.search.setPlaceholderText("Type a command…")
        self.search.textChanged.connect(self._fill)
        self.search.installEventFilter(self)
        self.list = QListWidget()
        self.list.setObjectName("palette_list")
        self.list.setAccessibleName("Commands that match")
        self.list.setItemDelegate(_Lines(theme, self.list))
        self.list.setUniformItemSizes(True)
        self.list.itemClicked.connect(self._take)
        self.note = label("", "dim", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.search)
        column.addWidget(self.list)
        column.addWidget(self.note)

    def open_on(self, entries: Sequence[Entry]) -> None:
        """Show over the window's upper middle, ready to type."""
        self._entries = tuple(entries)
        self.search.clear()
        self._fill("")
        window = self._window
        wide = min(WIDTH, window.width() - 40)
        self.setFixedSize(wide, SHOWN * ROW + self.search.sizeHint().height() + 60)
        self.move(
            window.mapToGlobal(window.rect().topLeft()).x() + (window.width() - wide) // 2,
            window.mapToGlobal(window.rect().topLeft()).y() + 48,
        )
        self.show()
        self.search.setFocus()

    def _fill(self, typed: str) -> None:
        ranked = []
        for number, entry in enumerate(self._entries):
            found = score(typed, f"{entry.text} {entry.place}")
            if found is not None:
                lately = self._recent.index(entry.key) if entry.key in self._recent and not typed.strip() else len(self._recent)
                ranked.append((bool(entry.reason), lately, -found, number, entry))
        ranked.sort(key=lambda line: line[:4])
        self.list.clear()
        for *_, entry in ranked:
            item = QListWidgetItem(entry.text)
            item.setData(ENTRY, entry)
            item.setToolTip("")
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self._say()

    def _say(self) -> None:
        entry = self.current()
        self.note.setText("No command of this name." if entry is None else entry.reason or entry.tip)

    def current(self) -> Entry | None:
        """The line that Enter would take."""
        item = self.list.currentItem()
        found: Entry | None = item.data(ENTRY) if item is not None else None
        return found

    def _take(self, item: QListWidgetItem) -> None:
        entry: Entry = item.data(ENTRY)
        self.list.setCurrentItem(item)
        self._say()
        if entry.reason:
            return
        self._recent = [entry.key, *(key for key in self._recent if key != entry.key)][:8]
        self.close()
        entry.run()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            keys = Qt.Key
            steps = {keys.Key_Down: 1, keys.Key_Up: -1, keys.Key_PageDown: SHOWN, keys.Key_PageUp: -SHOWN}
            if event.key() in steps:
                row = self.list.currentRow() + steps[keys(event.key())]
                self.list.setCurrentRow(min(max(0, row), self.list.count() - 1))
                self._say()
                return True
            if event.key() in (keys.Key_Return, keys.Key_Enter):
                item = self.list.currentItem()
                if item is not None:
                    self._take(item)
                return True
        return super().eventFilter(watched, event)


class _Lines(QStyledItemDelegate):
    """Name and what it is for, or why it cannot be used; the shortcut at the right."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(100, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        entry: Entry = index.data(ENTRY)
        tone, rect = self._theme.tone, option.rect.adjusted(8, 2, -8, -2)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(tone.accent_soft))
        plain = QFont(option.font)
        small = QFont(plain)
        small.setPointSizeF(plain.pointSizeF() * 0.88)
        half = rect.height() // 2
        ink = QColor(tone.disabled if entry.reason else tone.text)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(small)
        painter.setPen(QColor(tone.dim))
        painter.drawText(QRect(rect.left(), rect.top(), rect.width(), half), int(right), entry.shortcut or entry.place)
        below = QRect(rect.left(), rect.top() + half, rect.width(), half)
        words = painter.fontMetrics().elidedText(entry.reason or entry.tip, Qt.TextElideMode.ElideRight, below.width())
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), words)
        painter.setFont(plain)
        painter.setPen(ink)
        painter.drawText(
            QRect(rect.left(), rect.top(), rect.width(), half), int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), entry.text
        )
        painter.restore()
