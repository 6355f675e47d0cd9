"""The bank's clusters as a tree, with a search box: what fires, what was taken out, and where to click."""

from PySide6.QtCore import QItemSelection, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStackedLayout,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from memstudio.bank.values import ClusterId, Overlay
from memstudio.ui.models.tree_model import Column, TreeModel
from memstudio.ui.panels.parts import EmptyState, pages
from memstudio.ui.panels.tree_delegate import TreeDelegate
from memstudio.ui.snapshots import BankView, Found, NodeView
from memstudio.ui.theme import Theme

TYPING_PAUSE_MS = 150
WIDTHS = {Column.ACTIVITY: 54, Column.STATE: 66, Column.DOCUMENTS: 42, Column.SIZE: 54}


class TreePanel(QWidget):
    """The tree and its search. Emits `selected` (a cluster or None), `searched` (text), `wanted` (labels), `menu_wanted` (where)."""

    selected = Signal(object)
    searched = Signal(str)
    wanted = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme, no_bank: EmptyState) -> None:
        super().__init__()
        self.model = TreeModel(self)
        self.model.wanted.connect(self.wanted)
        self._delegate = TreeDelegate(theme)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find label, term or id…")
        self.search.setClearButtonEnabled(True)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self._search)
        self.search.textChanged.connect(self._typed)
        self.search.returnPressed.connect(self._take_first)
        self._build_view()
        self.results = QListWidget()
        self.results.itemClicked.connect(self._take)
        self.results.itemActivated.connect(self._take)
        self._nothing = EmptyState("Nothing found", "No label, term or id holds this text.")
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.search)
        self._lists = QStackedLayout()
        for widget in (self.view, self.results, self._nothing):
            self._lists.addWidget(widget)
        column.addLayout(self._lists, 1)
        self._stack = pages(self, (6, 0, 2, 2), no_bank, body)
        theme.changed.connect(self.view.viewport().update)

    def _build_view(self) -> None:
        self.view = QTreeView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(self._delegate)
        self.view.setUniformRowHeights(True)
        self.view.setIndentation(14)
        self.view.setAllColumnsShowFocus(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.view.viewport().mapToGlobal(at)))
        self.view.selectionModel().selectionChanged.connect(self._selected)
        header = self.view.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(36)
        header.setSectionResizeMode(Column.CLUSTER, QHeaderView.ResizeMode.Stretch)
        for section, width in WIDTHS.items():
            header.setSectionResizeMode(section, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(section, width)

    # What is shown

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self.search.clear()
        self.model.show_bank(bank, overlay)
        self._stack.setCurrentIndex(0 if bank is None else 1)

    def show_nodes(self, nodes: dict[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self.model.take_nodes(nodes)

    def show_activity(self, activity: dict[ClusterId, float]) -> None:
        """Activity of the last prompt (observed); the largest fills its bar."""
        self._delegate.scale = max(activity.values(), default=1.0)
        self.model.show_activity(activity)

    def show_found(self, found: Found) -> None:
        """Answers of a search; a stale one is dropped."""
        if found.text != self.search.text().strip():
            return
        self.results.clear()
        for cluster, label in found.clusters:
            item = QListWidgetItem(f"{label}    {cluster}")
            item.setData(Qt.ItemDataRole.UserRole, cluster)
            self.results.addItem(item)
        self._lists.setCurrentIndex(1 if found.clusters else 2)

    def reveal(self, cluster: ClusterId, *, select: bool) -> None:
        """Unfold the way to a cluster."""
        index = self.model.index_of(cluster)
        if not index.isValid():
            return
        above = index.parent()
        while above.isValid():
            self.view.expand(above)
            above = above.parent()
        if select:
            self.view.setCurrentIndex(index)
        self.view.scrollTo(index)

    def focus_search(self) -> None:
        """Put the cursor into the search box."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    # What the user does

    def _selected(self, selected: QItemSelection, _: QItemSelection) -> None:
        self.selected.emit(self.model.cluster(selected.indexes()[0]) if selected.indexes() else None)

    def _typed(self, text: str) -> None:
        if text.strip():
            self._pause.start()
        else:
            self._pause.stop()
            self._lists.setCurrentIndex(0)

    def _search(self) -> None:
        self.searched.emit(self.search.text().strip())

    def _take(self, item: QListWidgetItem) -> None:
        cluster = ClusterId(*item.data(Qt.ItemDataRole.UserRole))
        self.search.clear()
        self.reveal(cluster, select=True)
        self.view.setFocus()

    def _take_first(self) -> None:
        if self._lists.currentIndex() == 1 and self.results.count():
            self._take(self.results.item(0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.search.hasFocus():
            self.search.clear()
            return
        super().keyPressEvent(event)
