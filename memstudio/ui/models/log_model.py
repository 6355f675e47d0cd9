"""What happened in the window as a Qt list, oldest first: lines of Python, messages, errors, bugs."""

import time
from dataclasses import dataclass, field
from typing import Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QFont, QFontDatabase

from memstudio.session.script import Deed
from memstudio.ui.texts import plain_tip

AnyIndex = QModelIndex | QPersistentModelIndex
Kind = Literal["python", "message", "error", "bug"]
ROOT = QModelIndex()
LineRole = Qt.ItemDataRole.UserRole
LIMIT = 5_000
_DROPPED = 500
_WORDS = {"python": "", "message": "", "error": "Error: ", "bug": "Bug: "}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log. detail: more of it, where there is more (a traceback)."""

    kind: Kind
    text: str
    detail: str = ""
    deed: Deed | None = None
    time_s: float = field(default_factory=time.time)

    @property
    def shown(self) -> str:
        """With the clock, on one line."""
        text = self.text if self.deed is None else self.deed.short
        return f"{time.strftime('%H:%M:%S', time.localtime(self.time_s))}  {_WORDS[self.kind]}{' '.join(text.split())}"

    @property
    def whole(self) -> str:
        """All of it, to be copied."""
        return f"{self.text}\n{self.detail}" if self.detail else self.text


class LogModel(QAbstractListModel):
    """Lines as they came; where there are more than LIMIT the oldest go."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: list[Line] = []
        self._fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self._bold = QFont()
        self._bold.setBold(True)

    def add(self, line: Line) -> None:
        """One more line at the end."""
        if len(self._lines) >= LIMIT:
            self.beginRemoveRows(ROOT, 0, _DROPPED - 1)
            del self._lines[:_DROPPED]
            self.endRemoveRows()
        at = len(self._lines)
        self.beginInsertRows(ROOT, at, at)
        self._lines.append(line)
        self.endInsertRows()

    @property
    def lines(self) -> tuple[Line, ...]:
        """All of them, oldest first."""
        return tuple(self._lines)

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self._lines)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        line = self._lines[index.row()]
        if role == LineRole:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.shown
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(line.text if line.deed is None else line.deed.short)
        if role == Qt.ItemDataRole.FontRole:
            return self._fixed if line.kind == "python" else self._bold if line.kind in ("error", "bug") else None
        return None


class LogFilter(QSortFilterProxyModel):
    """All lines, those of Python, or the others."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shown = 0

    def choose(self, place: int) -> None:
        """0 all, 1 Python, 2 the others."""
        self.beginFilterChange()
        self._shown = place
        self.endFilterChange()

    def filterAcceptsRow(self, source_row: int, source_parent: AnyIndex) -> bool:
        line: Line = self.sourceModel().index(source_row, 0, source_parent).data(LineRole)
        return self._shown == 0 or (line.kind == "python") == (self._shown == 1)
