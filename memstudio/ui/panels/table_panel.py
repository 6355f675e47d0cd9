"""Every cluster of the bank as a row of one table: sorted, filtered, selected, and saved as CSV."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QPushButton, QStackedLayout, QTableView, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId, Overlay
from memstudio.session.findings import Findings
from memstudio.ui.models.clusters_columns import Column
from memstudio.ui.models.clusters_model import ClustersModel
from memstudio.ui.models.clusters_sheet import Sheet, write_sheet
from memstudio.ui.models.row_selection import RowSelection, command_for
from memstudio.ui.panels.parts import EmptyState, label, pages, row
from memstudio.ui.panels.shade_box import ShadeBox
from memstudio.ui.panels.table_delegate import TableDelegate
from memstudio.ui.panels.table_filter import TableFilter
from memstudio.ui.selection import Chosen
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, NodeView
from memstudio.ui.theme import Theme

ROW_HEIGHT = 23
LABELS_PAUSE_MS = 60
WIDTHS = {Column.CLUSTER: 74, Column.LEVEL: 60, Column.DOCUMENTS: 62, Column.SIZE: 66, Column.STATE: 78, Column.ROUTE: 74}
LABEL_WIDTH = 150
FIGURE_WIDTH = 118


class ClusterTable(QTableView):
    """A table whose rows are selected by the bits of its RowSelection; the column of labels takes what room is left."""

    def selectionCommand(
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        return command_for(index, event, super().selectionCommand(index, event))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Give the labels the room that the other columns leave."""
        header = self.horizontalHeader()
        others = header.length() - header.sectionSize(Column.LABEL)
        header.resizeSection(Column.LABEL, max(LABEL_WIDTH, self.viewport().width() - others))


class TablePanel(QWidget):
    """Emits `chosen` (a Chosen), `searched` (text: labels for the filter), `wanted` (labels of rows in sight), `menu_wanted` (where), and
    `save_wanted` when the rows shown are to be saved as CSV."""

    chosen = Signal(object)
    searched = Signal(str)
    wanted = Signal(object)
    menu_wanted = Signal(QPoint)
    save_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.model = ClustersModel(self)
        self.filter = TableFilter()
        self.filter.changed.connect(self._filter)
        self.filter.searched.connect(self.searched)
        self.shade_box = ShadeBox()
        self._asked: set[ClusterId] = set()
        self._build_table(theme)
        self.empty = EmptyState("No bank open", "Open a bank: every cluster of it is a row here, with all that was measured.")
        self._nothing = EmptyState("No cluster is left", "No cluster passes these filters.", ("Clear the filters", self.filter.reset))
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.filter.flow.addWidget(self.shade_box)
        column.addWidget(self.filter)
        self._lists = QStackedLayout()
        self._lists.addWidget(self.view)
        self._lists.addWidget(self._nothing)
        column.addLayout(self._lists, 1)
        column.addLayout(self._build_foot())
        self._stack = pages(self, (6, 2, 2, 6), self.empty, body)
        theme.changed.connect(self.view.viewport().update)

    # Building

    def _build_table(self, theme: Theme) -> None:
        self.view = ClusterTable()
        self.view.setObjectName("cluster_table")
        self.view.setAccessibleName("Clusters of the bank, a row each")
        self.view.setModel(self.model)
        self.selection = RowSelection(self.model, self.view)
        self.view.setSelectionModel(self.selection)
        self.view.horizontalHeader().setSelectionModel(QItemSelectionModel(self.model, self.view))  # its own asks every row at each paint
        self.view.setItemDelegate(TableDelegate(theme, self.model, self.view))
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.setTabKeyNavigation(False)
        self.view.setCornerButtonEnabled(False)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.view.viewport().mapToGlobal(at)))
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.view.verticalHeader().setDefaultSectionSize(max(ROW_HEIGHT, self.fontMetrics().height() + 7))
        header = self.view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(36)
        header.setDefaultSectionSize(FIGURE_WIDTH)
        for section, width in WIDTHS.items():
            header.resizeSection(section, width)
        header.setSortIndicator(Column.CLUSTER, Qt.SortOrder.AscendingOrder)
        self.view.setSortingEnabled(True)
        header.sortIndicatorChanged.connect(self.view.scrollToTop)
        self._sight = QTimer(self)
        self._sight.setSingleShot(True)
        self._sight.setInterval(LABELS_PAUSE_MS)
        self._sight.timeout.connect(self._ask_labels)
        self.view.verticalScrollBar().valueChanged.connect(lambda: self._sight.start())
        self.view.verticalScrollBar().rangeChanged.connect(lambda: self._sight.start())
        self.selection.chosen.connect(self._chosen)
        self.model.reordering.connect(self.selection.unmirror)
        self.model.reordered.connect(self._reordered)

    def _build_foot(self) -> QVBoxLayout:
        self.count = label("", "dim")
        self.count.setObjectName("table_count")
        self.note = label("", "dim", wrap=True)
        self.note.hide()
        self.save_button = QPushButton("Save as CSV…")
        self.save_button.setObjectName("table_save")
        self.save_button.setToolTip("Save the rows that are shown, in this order, with all figures in full")
        self.save_button.clicked.connect(self.save_wanted)
        foot = QVBoxLayout()
        foot.setSpacing(4)
        foot.addWidget(self.note)
        foot.addLayout(row(self.count, 1, self.save_button))
        return foot

    # What is shown

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self._asked = set()
        self.model.show_bank(bank, overlay)
        self.view.horizontalHeader().setSortIndicator(Column.CLUSTER, Qt.SortOrder.AscendingOrder)
        self.selection.start()
        self.filter.show_levels(len(bank.levels) if bank else 0)
        self.filter.show_measure(None)
        self.note.hide()
        self._stack.setCurrentIndex(0 if bank is None else 1)
        self.view.scrollToTop()
        self._count()
        self._sight.start()

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        self.model.show_overlay(overlay)
        self._count()

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self.model.show_hidden(hidden, muted)
        self._count()

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt, () for none."""
        self.model.show_route(clusters)

    def show_shades(self, shades: Shades | None) -> None:
        """The measure that colours the views; rows sorted by it or filtered by it follow."""
        self._figures(lambda: self.model.show_shades(shades))
        self.filter.show_measure(self.model.state.shades)

    def show_figures(self, figures: tuple[Shades, ...]) -> None:
        """All measures that exist, a column each."""
        self._figures(lambda: self.model.show_figures(figures))

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self.model.take_nodes(nodes)

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere, scrolled to the current one where it is shown. Emits nothing."""
        if chosen == self.selection.now:
            return
        self.selection.show_chosen(chosen)
        at = self.model.row_of(chosen.current) if chosen.current is not None else None
        if at is not None:
            index = self.model.index(at, max(0, self.view.currentIndex().column()))
            self.selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.view.scrollTo(self.model.index(at, Column.CLUSTER))
        self._count()

    def show_found(self, found: Findings) -> None:
        """What the search gave for the text of the filter, by labels and terms; an answer to another text is dropped."""
        clusters = frozenset(one.cluster for one in found.findings if one.kind in ("label", "term", "cluster"))
        if self.filter.take_found(found.text, clusters):
            self.note.setText(f"Labels and terms as the search lists them: {len(clusters):,} found" if clusters else "")
            self.note.setVisible(bool(clusters))
            self._filter()

    @property
    def sheet(self) -> Sheet:
        """The rows that are shown, in this order: frozen, so that another thread may write them (`write_sheet`)."""
        return self.model.sheet()

    def write(self, file: Path, labels: Sequence[Sequence[str]] = ()) -> int:
        """Write what is shown as CSV, and give the number of rows; `labels` as in `write_sheet`.

        Raises:
            UserError: the file cannot be written.
        """
        return write_sheet(self.sheet, file, labels)

    # What the user does

    def _figures(self, show: Callable[[], None]) -> None:
        before = self.model.columnCount()
        show()
        header, (column, order) = self.view.horizontalHeader(), self.model.sorted_by
        if (header.sortIndicatorSection(), header.sortIndicatorOrder()) != (column, order):
            header.blockSignals(True)
            header.setSortIndicator(column, order)
            header.blockSignals(False)
        if self.model.columnCount() != before:
            self.view.fit()
        self._count()

    def _chosen(self, chosen: Chosen) -> None:
        self.view.viewport().update()
        self._count()
        self.chosen.emit(chosen)

    def _filter(self) -> None:
        wanted = self.filter.wanted
        if not wanted.text:
            self.note.hide()
        if wanted != self.model.filter:
            self.model.choose(wanted)
            self.view.scrollToTop()
        self._count()

    def _reordered(self) -> None:
        self.selection.mirror()
        self._sight.start()

    def _count(self) -> None:
        shown, whole = self.model.rowCount(), self.model.state.rows.count
        self.count.setText(f"{shown:,} of {whole:,} clusters · {self.selection.now.count:,} selected")
        self.save_button.setEnabled(shown > 0)
        self._lists.setCurrentIndex(0 if shown else 1)
        self.view.viewport().update()

    def _ask_labels(self) -> None:
        """Ask for the labels of the rows in sight that were never asked for."""
        first = self.view.rowAt(0)
        last = self.view.rowAt(self.view.viewport().height() - 1)
        if first < 0 or not self.view.isVisible():
            return
        new = self.model.unlabelled(first, last if last >= 0 else self.model.rowCount() - 1) - self._asked
        self._asked |= new
        if new:
            self.wanted.emit(new)
