"""Any table of the window as rows of texts, read off its model a few milliseconds at a time: what is shown, all rows, in this order."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt, QTimer, Signal

from memstudio.ui.models.roles import ExactRole

ROOT = QModelIndex()
_BUDGET_S = 0.006


@dataclass(frozen=True, slots=True)
class Grid:
    """A header and rows of as many texts; numbers in full, what was not measured as ""."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class GridReader(QObject):
    """Reads a model while the window lives on. Emits `done` with the Grid; begins again where the model changes meanwhile."""

    done = Signal(Grid)

    def __init__(self, model: QAbstractItemModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._read_on)
        changes = (model.modelReset, model.rowsInserted, model.rowsRemoved, model.rowsMoved, model.layoutChanged, model.dataChanged)
        for change in changes:
            change.connect(self._begin)
        model.destroyed.connect(self._end)
        self._begin()

    def _begin(self) -> None:
        self._header = header_of(self._model)
        self._left = rows_of(self._model)
        self._rows: list[tuple[str, ...]] = []
        self._timer.start(0)

    def _read_on(self) -> None:
        until = perf_counter() + _BUDGET_S
        for row in self._left:
            self._rows.append(row)
            if perf_counter() >= until:
                return
        self.done.emit(Grid(self._header, tuple(self._rows)))
        self._end()

    def _end(self) -> None:
        self._timer.stop()
        self.deleteLater()


def header_of(model: QAbstractItemModel) -> tuple[str, ...]:
    """The titles of the columns; of one that shows none its exact title, else its number."""
    across, shown = Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole
    return tuple(
        str(model.headerData(column, across, ExactRole) or model.headerData(column, across, shown) or f"column {column + 1}")
        for column in range(model.columnCount(ROOT))
    )


def rows_of(model: QAbstractItemModel, parent: QModelIndex = ROOT) -> Iterator[tuple[str, ...]]:
    """The rows under `parent`, each before those beneath it."""
    columns = range(model.columnCount(parent))
    for row in range(model.rowCount(parent)):
        yield tuple(cell_of(model.index(row, column, parent)) for column in columns)
        first = model.index(row, 0, parent)
        if model.rowCount(first):
            yield from rows_of(model, first)


def cell_of(index: QModelIndex) -> str:
    """What a cell says, a number with all its digits where the model has it exactly."""
    value = index.data(ExactRole)
    if value is None:
        value = index.data(Qt.ItemDataRole.DisplayRole)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)
