"""The study's revisions as a Qt table, newest first, with the rails of their graph and their names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from memstudio.history.values import Revision
from memstudio.ui.models.revision_graph import Rail, rails
from memstudio.ui.models.roles import ExactRole
from memstudio.ui.texts import plain_tip, when

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
RevisionRole = Qt.ItemDataRole.UserRole
RailRole = Qt.ItemDataRole.UserRole + 1
NamesRole = Qt.ItemDataRole.UserRole + 2


class Column(IntEnum):
    """The columns of the history."""

    REVISION = 0
    TITLE = 1
    BLOCKS = 2
    TIME = 3


HEADERS = ("Rev", "What", "Blocks", "When")


class HistoryModel(QAbstractTableModel):
    """Revisions of the study, newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log: tuple[Revision, ...] = ()
        self._rails: tuple[Rail, ...] = ()
        self._names: dict[int, tuple[str, ...]] = {}

    def show_log(self, log: tuple[Revision, ...], names: Mapping[str, int] | None = None) -> None:
        """Another state of the study. New revisions are inserted on top, so a view keeps its place."""
        new = tuple(sorted(log, key=lambda revision: -revision.id))
        self._rails = rails(new)
        self._names = {}
        for name, revision_id in sorted((names or {}).items()):
            self._names[revision_id] = (*self._names.get(revision_id, ()), name)
        known = {revision.id for revision in self._log}
        fresh = [revision for revision in new if revision.id not in known]
        if new[len(fresh) :] and [r.id for r in new[len(fresh) :]] == [r.id for r in self._log]:
            if fresh:
                self.beginInsertRows(ROOT, 0, len(fresh) - 1)
            self._log = new
            if fresh:
                self.endInsertRows()
            self.dataChanged.emit(self.index(0, 0), self.index(len(new) - 1, len(Column) - 1))
            return
        self.beginResetModel()
        self._log = new
        self.endResetModel()

    def revision(self, row: int) -> Revision:
        """The revision of a row."""
        return self._log[row]

    @property
    def lanes(self) -> int:
        """How many lanes the graph has."""
        return max((max(rail.lane, *rail.passing, *rail.above, 0) for rail in self._rails), default=0) + 1

    def row_of(self, revision_id: int) -> int | None:
        """Where a revision stands."""
        return next((row for row, revision in enumerate(self._log) if revision.id == revision_id), None)

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self._log)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._log):
            return None
        revision = self._log[index.row()]
        if role == RevisionRole:
            return revision
        if role == RailRole:
            return self._rails[index.row()]
        if role == NamesRole:
            return self._names.get(revision.id, ())
        if role == ExactRole and index.column() == Column.TIME and revision.parent is not None:
            return datetime.fromtimestamp(revision.time_s, UTC).isoformat(timespec="seconds")
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(revision, Column(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(_tooltip(revision))
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == Column.BLOCKS:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


def _text(revision: Revision, column: Column) -> str:
    if column is Column.REVISION:
        return str(revision.id)
    if column is Column.TITLE:
        return revision.title if revision.parent is not None else "as shipped"
    if column is Column.BLOCKS:
        return str(len(revision.changes)) if revision.changes else ""
    return when(revision.time_s) if revision.parent is not None else ""


def _tooltip(revision: Revision) -> str:
    place = "the head" if revision.head else "on the way to the head" if revision.current else "aside: not on the way to the head"
    parent = "" if revision.parent is None else f", made on revision {revision.parent}"
    return f"Revision {revision.id}{parent}: {revision.title}\n{place}\nDouble-click to check it out"
