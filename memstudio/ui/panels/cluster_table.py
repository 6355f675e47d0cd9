"""A table of clusters as several panels show it: rows selected by bits, labels asked for the rows in sight, the room left to the labels."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from memstudio.bank.values import ClusterId
from memstudio.ui.models.clusters_columns import Column
from memstudio.ui.models.clusters_model import ClustersModel
from memstudio.ui.models.row_selection import RowSelection, command_for
from memstudio.ui.panels.table_delegate import TableDelegate
from memstudio.ui.selection import Chosen
from memstudio.ui.theme import Theme

ROW_HEIGHT = 23
LABELS_PAUSE_MS = 60
WIDTHS = {Column.CLUSTER: 74, Column.LEVEL: 60, Column.DOCUMENTS: 62, Column.SIZE: 66, Column.STATE: 78, Column.ROUTE: 74}
LABEL_WIDTH = 150
FIGURE_WIDTH = 118


class ClusterTable(QTableView):
    """Emits `wanted` (labels of rows in sight that were never asked for) and `menu_wanted` (where). Its selection is `rows`."""

    wanted = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme, model: ClustersModel) -> None:
        super().__init__()
        self._model = model
        self._asked: set[ClusterId] = set()
        self.setModel(model)
        self.rows = RowSelection(model, self)
        self.setSelectionModel(self.rows)
        # Headers ask whether all rows of a column are selected each time they paint; with a model of their own that costs nothing.
        self.horizontalHeader().setSelectionModel(QItemSelectionModel(model, self))
        self.setItemDelegate(TableDelegate(theme, model, self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.viewport().mapToGlobal(at)))
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(36)
        self._theme, self._figure_width = theme, FIGURE_WIDTH
        self._widths = dict(WIDTHS)
        self._size()
        theme.resized.connect(self._size)
        header.setSortIndicator(Column.CLUSTER, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        header.sortIndicatorChanged.connect(self.scrollToTop)
        self._sight = QTimer(self)
        self._sight.setSingleShot(True)
        self._sight.setInterval(LABELS_PAUSE_MS)
        self._sight.timeout.connect(self._ask_labels)
        for signal in (self.verticalScrollBar().valueChanged, self.verticalScrollBar().rangeChanged, model.reordered):
            signal.connect(self.look)
        model.reordering.connect(self.rows.unmirror)
        model.reordered.connect(self.rows.mirror)
        theme.changed.connect(self.viewport().update)

    def start(self) -> None:
        """The model has another bank: nothing is selected, sorted by id."""
        self._asked = set()
        self.horizontalHeader().setSortIndicator(Column.CLUSTER, Qt.SortOrder.AscendingOrder)
        self.rows.start()
        self.scrollToTop()
        self.look()

    def look(self) -> None:
        """The rows in sight may lack labels."""
        self._sight.start()

    def show_chosen(self, chosen: Chosen) -> bool:
        """Select what was selected elsewhere, scrolled to the current one where it is shown; False where it stands already."""
        if chosen == self.rows.now:
            return False
        self.rows.show_chosen(chosen)
        at = self._model.row_of(chosen.current) if chosen.current is not None else None
        if at is not None:
            index = self._model.index(at, max(0, self.currentIndex().column()))
            self.rows.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(self._model.index(at, Column.CLUSTER))
        return True

    def show_order(self) -> None:
        """The mark in the header, where measures came or went and their columns moved."""
        header, (column, order) = self.horizontalHeader(), self._model.sorted_by
        if (header.sortIndicatorSection(), header.sortIndicatorOrder()) != (column, order):
            header.blockSignals(True)
            header.setSortIndicator(column, order)
            header.blockSignals(False)

    def widen(self, widths: Mapping[Column, int], figure_width: int) -> None:
        """Other widths of columns, in pixels at the system's text size. figure_width: of every column that is not named."""
        self._widths, self._figure_width = {**self._widths, **widths}, figure_width
        self._size()

    def _size(self) -> None:
        """Rows and columns by the size of the text."""
        self.verticalHeader().setDefaultSectionSize(max(ROW_HEIGHT, self.fontMetrics().height() + 7))
        header = self.horizontalHeader()
        header.setDefaultSectionSize(self._theme.sized(self._figure_width))
        for section, width in self._widths.items():
            header.resizeSection(section, self._theme.sized(width))

    def fit(self) -> None:
        """Give the labels the room that the other columns leave."""
        header = self.horizontalHeader()
        others = header.length() - header.sectionSize(Column.LABEL)
        header.resizeSection(Column.LABEL, max(LABEL_WIDTH, self.viewport().width() - others))

    def selectionCommand(
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        return command_for(index, event, super().selectionCommand(index, event))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def _ask_labels(self) -> None:
        first = self.rowAt(0)
        last = self.rowAt(self.viewport().height() - 1)
        if first < 0 or not self.isVisible():
            return
        new = self._model.unlabelled(first, last if last >= 0 else self._model.rowCount() - 1) - self._asked
        self._asked |= new
        if new:
            self.wanted.emit(new)
