"""The prompts that two revisions answer otherwise, as a Qt table; what a filter leaves of them is worked out here too."""

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from memstudio.ui.revision_views import Pieces
from memstudio.ui.texts import plain_tip

if TYPE_CHECKING:
    from memstudio.session.comparing import Turned

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
RowRole = Qt.ItemDataRole.UserRole
SIGNS = {"gained": "+", "lost": "−", "changed": "≠"}
ASKED = {"prompt": "prompt", "trained": "phrasing", "held_out": "held out"}


class Column(IntEnum):
    """The columns of the prompts."""

    TURN = 0
    PROMPT = 1
    BEFORE = 2
    AFTER = 3
    EXPECTED = 4
    ASKED = 5


HEADERS = ("", "Prompt", "Before", "After", "Expected", "Asked as")


class TurnsModel(QAbstractTableModel):
    """Prompts in the facts' order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[Pieces, ...] = ()

    def show_rows(self, rows: Sequence[Pieces]) -> None:
        """Other prompts."""
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        return HEADERS[section] if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        found = self.rows[index.row()]
        if role == RowRole:
            return found
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(found.turned, Column(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            turned = found.turned
            answers = f"“{turned.before}” → “{turned.after}”"
            return plain_tip(f"{turned.turn.capitalize()}: {turned.prompt}\n{answers}\nexpected “{turned.expected}”")
        return None


def chosen(rows: Sequence[Pieces], turn: str, text: str) -> list[Pieces]:
    """Prompts of that turn ("" any) with that text in prompt or answers."""
    wanted = text.strip().casefold()
    return [each for each in rows if (not turn or each.turned.turn == turn) and (not wanted or wanted in _searched(each.turned))]


def _searched(turned: "Turned") -> str:
    return "\n".join((turned.prompt, turned.before, turned.after, turned.expected, turned.fact)).casefold()


def _text(turned: "Turned", column: Column) -> str:
    texts = {
        Column.TURN: SIGNS.get(turned.turn, turned.turn),
        Column.PROMPT: turned.prompt,
        Column.BEFORE: turned.before,
        Column.AFTER: turned.after,
        Column.EXPECTED: turned.expected,
        Column.ASKED: ASKED.get(turned.phrasing, turned.phrasing),
    }
    return texts[column]
