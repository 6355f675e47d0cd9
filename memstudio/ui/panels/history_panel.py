"""The study's history: revisions newest first as a graph, and below them the receipt of the one that is selected."""

from collections.abc import Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QSplitter, QTableView, QToolButton, QVBoxLayout, QWidget

from memstudio.history.values import Revision
from memstudio.ui.models.history_model import Column, HistoryModel
from memstudio.ui.panels.history_delegate import HistoryDelegate
from memstudio.ui.panels.parts import EmptyState, FlowBox, FlowLayout, pages
from memstudio.ui.panels.receipt_view import ReceiptView, place_of
from memstudio.ui.snapshots import StudyView
from memstudio.ui.theme import Theme

ROW_HEIGHT = 23
WIDE = 620
"""From this width on the receipt stands beside the revisions."""


class HistoryPanel(QWidget):
    """Emits `checkout_wanted` with a revision's id, `selected` when another one is, `menu_wanted` with a place on the screen."""

    checkout_wanted = Signal(int)
    selected = Signal()
    menu_wanted = Signal(QPoint)
    measure_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._study: StudyView | None = None
        self._settling = False
        self.model = HistoryModel(self)
        self._build_table(theme)
        self.receipt = ReceiptView(theme)
        self.receipt.measure_wanted.connect(self.measure_wanted)
        self._buttons = FlowLayout(5)
        below = QWidget()
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addWidget(FlowBox(self._buttons))
        column.addWidget(self.receipt, 1)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(below)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(6)
        self.splitter.setSizes([150, 190])
        empty = EmptyState("No history yet", "Open a bank: each edit becomes a revision here, with a receipt of what it did.")
        self._stack = pages(self, (6, 0, 2, 6), empty, self.splitter)
        theme.changed.connect(self.view.viewport().update)

    def _build_table(self, theme: Theme) -> None:
        view = self.view = QTableView()
        view.setAccessibleName("Revisions")
        view.setModel(self.model)
        view.setItemDelegate(HistoryDelegate(theme, self.model, view))
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setMinimumHeight(4 * ROW_HEIGHT)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._menu)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(30)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(Column.TITLE, QHeaderView.ResizeMode.Stretch)
        view.doubleClicked.connect(self._checkout)
        view.selectionModel().currentRowChanged.connect(lambda *_: self._picked())

    def offer(self, actions: Sequence[QAction]) -> None:
        """Buttons for what can be done with the selected revision."""
        for action in actions:
            button = QToolButton()
            button.setProperty("kind", "button")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setDefaultAction(action)
            self._buttons.addWidget(button)

    def show_study(self, study: StudyView | None) -> None:
        """Another state of the study, or none. The selection goes along with the head, unless it was put elsewhere."""
        before, chosen = self._study, self.current()
        self._study = study
        self.model.show_log(study.log if study else (), study.names if study else {})
        self._stack.setCurrentIndex(0 if study is None else 1)
        if study is None:
            self.receipt.show_revision(None)
            return
        followed = before is None or before.folder != study.folder or chosen is None or chosen.id == before.head
        self._settling = True  # the receipt is drawn once, for the row that is selected in the end
        self.select(study.head if followed or chosen is None else chosen.id)
        self._settling = False
        self._picked()

    def select(self, revision: int) -> None:
        """Select a revision's row."""
        at = self.model.row_of(revision)
        if at is None:
            return
        flags = QItemSelectionModel.SelectionFlag
        index = self.model.index(at, 0)
        self.view.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.view.scrollTo(index)

    def current(self) -> Revision | None:
        """The revision that is selected."""
        index = self.view.currentIndex()
        return self.model.revision(index.row()) if index.isValid() and index.row() < self.model.rowCount() else None

    def names_of(self, revision: int) -> tuple[str, ...]:
        """The names that a revision has."""
        names = self._study.names if self._study is not None else {}
        return tuple(sorted(name for name, number in names.items() if number == revision))

    def _picked(self) -> None:
        if self._settling:
            return
        found = self.current()
        if found is not None:
            self.receipt.show_revision(found, place_of(found, self.names_of(found.id)))
        self.selected.emit()

    def _menu(self, at: QPoint) -> None:
        if self.view.indexAt(at).isValid():
            self.menu_wanted.emit(self.view.viewport().mapToGlobal(at))

    def _checkout(self, index: QModelIndex) -> None:
        self.checkout_wanted.emit(self.model.revision(index.row()).id)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wanted = Qt.Orientation.Horizontal if event.size().width() >= WIDE else Qt.Orientation.Vertical
        if self.splitter.orientation() != wanted:
            self.splitter.setOrientation(wanted)
            self.splitter.setSizes([1000, 1000] if wanted == Qt.Orientation.Horizontal else [150, 190])
