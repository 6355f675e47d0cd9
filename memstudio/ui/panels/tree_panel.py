"""The bank's clusters as a tree, with a search box: what fires, what was taken out, and where to click."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QObject, QPersistentModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QStackedLayout, QTreeView, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId, Overlay
from memstudio.session.findings import Findings
from memstudio.ui.models.row_selection import RowSelection, command_for
from memstudio.ui.models.tree_model import Column, TreeModel
from memstudio.ui.panels.parts import EmptyState, pages
from memstudio.ui.panels.search_results import SearchResults
from memstudio.ui.panels.shade_box import ShadeBox
from memstudio.ui.panels.tree_delegate import TreeDelegate
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, NodeView
from memstudio.ui.theme import Theme

TYPING_PAUSE_MS = 150
WIDTHS = {Column.MEASURE: 72, Column.STATE: 66, Column.DOCUMENTS: 48, Column.SIZE: 54}
LABEL_WIDTH = 132


class ClusterTree(QTreeView):
    """A tree whose rows are selected by the bits of its RowSelection."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        theme.resized.connect(self.size_columns)

    def size_columns(self) -> None:
        """Columns of figures by the size of the text; a bar says as much at one width."""
        for section, width in WIDTHS.items():
            self.header().resizeSection(section, width if section == Column.MEASURE else self._theme.sized(width))
        self.fit()

    def selectionCommand(
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        return command_for(index, event, super().selectionCommand(index, event))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Give up the bytes, then the documents, for the sake of the labels; the tooltip has them too."""
        taken = sum(self.header().sectionSize(section) for section in (Column.MEASURE, Column.STATE))
        room = self.viewport().width() - self._theme.sized(LABEL_WIDTH) - taken
        for section in (Column.DOCUMENTS, Column.SIZE):
            room -= self._theme.sized(WIDTHS[section])
            self.setColumnHidden(section, room < 0)


class TreePanel(QWidget):
    """The tree and its search. Emits `chosen` (a Chosen), `selected` (the current cluster or None), `searched` (text), `wanted` (labels),
    `menu_wanted` (where)."""

    chosen = Signal(object)
    selected = Signal(object)
    searched = Signal(str)
    wanted = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme, no_bank: EmptyState) -> None:
        super().__init__()
        self.model = TreeModel(self)
        self.model.wanted.connect(self.wanted)
        self._delegate = TreeDelegate(theme)
        self._current: ClusterId | None = None
        self._build_search()
        self._build_view(theme)
        self.shade_box = ShadeBox()
        self.found = SearchResults()
        self.found.taken.connect(self._take)
        self.found.all_wanted.connect(self._take_all)
        self.results = self.found.list
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.search)
        column.addWidget(self.shade_box)
        self._lists = QStackedLayout()
        self._lists.addWidget(self.view)
        self._lists.addWidget(self.found)
        column.addLayout(self._lists, 1)
        self._stack = pages(self, (6, 0, 2, 2), no_bank, body)
        theme.changed.connect(self.view.viewport().update)

    def _build_search(self) -> None:
        self.search = QLineEdit()
        self.search.setObjectName("tree_search")
        self.search.setAccessibleName("Search the bank")
        self.search.setPlaceholderText("Find label, term, id, document, token or fact…")
        self.search.setToolTip("Down and Up go through what was found, Enter goes to it, Escape goes back to the tree")
        self.search.setClearButtonEnabled(True)
        self.search.installEventFilter(self)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self._search)
        self.search.textChanged.connect(self._typed)
        self.search.returnPressed.connect(self._take_found)

    def _build_view(self, theme: Theme) -> None:
        self.view = ClusterTree(theme)
        self.view.setObjectName("cluster_tree")
        self.view.setAccessibleName("Clusters of the bank")
        self.view.setModel(self.model)
        self.selection = RowSelection(self.model, self.view)
        self.view.setSelectionModel(self.selection)
        self.view.setItemDelegate(self._delegate)
        self.view.setUniformRowHeights(True)
        self.view.setIndentation(14)
        self.view.setAllColumnsShowFocus(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.view.viewport().mapToGlobal(at)))
        self.selection.chosen.connect(self._chosen)
        self.model.rowsInserted.connect(self._rows_came)
        header = self.view.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(36)
        header.setSectionResizeMode(Column.CLUSTER, QHeaderView.ResizeMode.Stretch)
        for section in WIDTHS:
            header.setSectionResizeMode(section, QHeaderView.ResizeMode.Interactive)
        self.view.size_columns()

    # What is shown

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self.search.clear()
        self._current, self._delegate.shades = None, None
        self.model.show_bank(bank, overlay)
        self.selection.start()
        self._stack.setCurrentIndex(0 if bank is None else 1)

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        self.model.show_overlay(overlay)

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self.model.show_hidden(hidden, muted)

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt, () for none."""
        self.model.show_route(clusters)

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self.model.take_nodes(nodes)

    def show_activity(self, activity: dict[ClusterId, float]) -> None:
        """Activity of the last prompt (observed); the largest fills its bar. Seen where no other measure is shown."""
        self._delegate.scale = max(activity.values(), default=1.0)
        self.model.show_activity(activity)

    def show_shades(self, shades: Shades | None) -> None:
        """The measure of the bars; None brings the activity back."""
        self.model.show_shades(shades)
        self._delegate.shades = self.model.shades
        self.view.viewport().update()

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere; unfolds the way to the current one and nothing else. Emits nothing."""
        if chosen == self.selection.now:
            return
        self._current = chosen.current
        self.selection.show_chosen(chosen)
        if chosen.current is not None and chosen.masks:
            self.reveal(chosen.current, select=False)
            index = self.model.index_of(chosen.current)
            if index.isValid():
                self.selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        self.view.viewport().update()

    def show_found(self, found: Findings) -> None:
        """Answers of a search; a stale one is dropped."""
        if found.text != self.search.text().strip():
            return
        self.found.show_found(found)
        self._lists.setCurrentIndex(1)

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

    def _chosen(self, chosen: Chosen) -> None:
        self.view.viewport().update()
        before, self._current = self._current, chosen.current
        if chosen.current != before:
            self.selected.emit(chosen.current)
        self.chosen.emit(chosen)

    def _rows_came(self) -> None:
        if self.selection.now.count > 1:
            self.selection.mirror()

    def _typed(self, text: str) -> None:
        if text.strip():
            self._pause.start()
        else:
            self._pause.stop()
            self._lists.setCurrentIndex(0)

    def _search(self) -> None:
        self.searched.emit(self.search.text().strip())

    def _take(self, cluster: ClusterId) -> None:
        self.search.clear()
        self.reveal(cluster, select=True)
        self.view.setFocus()

    def _take_found(self) -> None:
        if self._lists.currentIndex() == 1:
            self.found.take_current()

    def _take_all(self, clusters: tuple[ClusterId, ...]) -> None:
        known = [cluster for cluster in clusters if self.model.holds(cluster)]
        chosen = choose(self.model.sizes, known, known[0] if known else None)
        self.search.clear()
        self.show_chosen(chosen)
        self.selected.emit(chosen.current)
        self.chosen.emit(chosen)
        self.view.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down in the search box go through what was found."""
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None and self._lists.currentIndex() == 1:
                self.found.step(step)
                return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and (self.search.hasFocus() or self._lists.currentIndex() == 1):
            self.search.clear()
            self.view.setFocus()
            return
        super().keyPressEvent(event)
