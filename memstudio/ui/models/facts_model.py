"""A list of facts as a Qt table, and the filter over it. Three thousand rows and more: no widget a row, no copy a row."""

from collections.abc import Callable
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

from memstudio.ui.fact_views import FactRow
from memstudio.ui.models.roles import ExactRole
from memstudio.ui.texts import plain_tip

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
RowRole = Qt.ItemDataRole.UserRole
SortRole = Qt.ItemDataRole.UserRole + 1
ALL = "All states"


class Column(IntEnum):
    """The columns of the facts."""

    STATE = 0
    PROMPT = 1
    EXPECTED = 2
    GOT = 3
    TARGET = 4
    KIND = 5
    RELATION = 6
    BLOCKS = 7


HEADERS = ("", "Prompt", "Expected", "Got", "New answer", "Kind", "Relation", "Blocks")
STATES: dict[str, Callable[[FactRow], bool]] = {
    ALL: lambda row: True,
    "Right": lambda row: row.right is True,
    "Wrong": lambda row: row.right is False,
    "Changed": lambda row: row.changed,
    "Not scored": lambda row: row.right is None,
}


class FactsModel(QAbstractTableModel):
    """Rows in the order of the file."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[FactRow, ...] = ()
        self._texts: list[str] = []

    def show_rows(self, rows: tuple[FactRow, ...]) -> None:
        """Other facts, or the same ones after a scoring; then a view keeps its place."""
        same = len(rows) == len(self._rows) and all(a.fact.id == b.fact.id for a, b in zip(rows, self._rows, strict=True))
        if same and rows:
            self._rows = rows
            self._texts = [_searched(row) for row in rows]
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(Column) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self._texts = [_searched(row) for row in rows]
        self.endResetModel()

    @property
    def rows(self) -> tuple[FactRow, ...]:
        """What is shown."""
        return self._rows

    def text_of(self, row: int) -> str:
        """What a search goes over, case-folded."""
        return self._texts[row]

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == ExactRole and section == Column.STATE:
            return "State"
        return HEADERS[section] if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == RowRole:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(row, Column(index.column()))
        if role == ExactRole and index.column() == Column.STATE:
            return row.state + (" changed" if row.changed else "")
        if role == SortRole:
            return row.state + (" changed" if row.changed else "") if index.column() == Column.STATE else _text(row, Column(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(_tip(row))
        return None


class FactsFilter(QSortFilterProxyModel):
    """What the panel's fields leave of the list."""

    def __init__(self, model: FactsModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._text, self._state, self._kind, self._relation = "", STATES[ALL], "", ""
        self.setSortRole(SortRole)
        self.setSortCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setSourceModel(model)

    def choose(self, text: str, state: str, kind: str, relation: str) -> None:
        """Only facts with that text in prompt, answers or relation, in that state, of that kind and relation; "" is any."""
        wanted = text.strip().casefold(), STATES[state], kind, relation
        if hasattr(self, "endFilterChange"):  # from Qt 6.10 on, where invalidateFilter is deprecated
            self.beginFilterChange()
            self._text, self._state, self._kind, self._relation = wanted
            self.endFilterChange(QSortFilterProxyModel.Direction.Rows)
        else:
            self._text, self._state, self._kind, self._relation = wanted
            self.invalidateFilter()

    def filterAcceptsRow(self, source_row: int, source_parent: AnyIndex) -> bool:
        row = self._model.rows[source_row]
        return (
            (not self._text or self._text in self._model.text_of(source_row))
            and self._state(row)
            and (not self._kind or row.fact.kind == self._kind)
            and (not self._relation or row.fact.relation == self._relation)
        )

    def fact_row(self, index: AnyIndex) -> FactRow | None:
        """The fact under an index of this model."""
        found = index.data(RowRole) if index.isValid() else None
        return found if isinstance(found, FactRow) else None


def _text(row: FactRow, column: Column) -> str:
    fact = row.fact
    if column is Column.STATE:
        return "changed" if row.changed else ""
    if column is Column.BLOCKS:
        return ", ".join(map(str, row.blocks))
    texts = {
        Column.PROMPT: fact.prompt,
        Column.EXPECTED: fact.expected,
        Column.GOT: row.got,
        Column.TARGET: fact.target,
        Column.KIND: fact.kind,
        Column.RELATION: fact.relation,
    }
    return texts[column]


def _tip(row: FactRow) -> str:
    lines = [row.fact.prompt, f"expected “{row.fact.expected}”"]
    if row.right is None:
        lines.append("not scored")
    else:
        lines.append(f"got “{row.got}”: {row.state}" + (", another answer than at the scoring before" if row.changed else ""))
        if row.phrasings:
            lines.append(f"{row.phrasings_right} of {row.phrasings} other phrasings right")
    return "\n".join(lines)


def _searched(row: FactRow) -> str:
    fact = row.fact
    return "\n".join((fact.prompt, fact.expected, row.got, fact.target, fact.relation, fact.id)).casefold()
