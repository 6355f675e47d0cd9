"""Where the key goes, as it is typed: at every level the chosen cluster and those that nearly were, how near, and what stands there."""

from collections.abc import Iterator

from PySide6.QtCore import QPoint, Qt, Signal, SignalInstance
from PySide6.QtGui import QColor, QFont, QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHeaderView, QPushButton, QSizePolicy, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from memstudio.bank.values import BASE, THIN_MARGIN, ClusterId, Overlay
from memstudio.events import Hidden
from memstudio.session.router import Candidate, Fork, KeyRoute
from memstudio.ui.models.roles import ExactRole
from memstudio.ui.panels.parts import EmptyState, FlowBox, FlowLayout, label, pages, set_kind
from memstudio.ui.panels.route_delegate import FURTHER, MarginDelegate
from memstudio.ui.selection import Chosen
from memstudio.ui.texts import counted, plain_tip
from memstudio.ui.theme import Theme

WIDTHS = {1: 42, 2: 66, 3: 60}
CLUSTER_WIDTH = 100
COLUMNS = (
    ("Cluster", "The clusters that there were to choose from, nearest first; ▸ the chosen one"),
    ("Docs", "Documents that its block was trained on"),
    ("Distance", "L2 distance from the key to the centre of the cluster (observed)"),
    ("Margin", "How much further away it is than the chosen one"),
)
CLUSTER = Qt.ItemDataRole.UserRole
CHOSEN = "chosen"
THIN_TIP = (
    f"A margin is called thin where the runner-up is less than {THIN_MARGIN:.0%} further away than the chosen cluster: in the demo, other "
    "wordings of the same question often part ways there and hardly ever elsewhere."
)


class RoutePanel(QWidget):
    """Emits `selected`, `run_wanted` (pin and run), `pin_wanted` (None: free the route) and `show_wanted`, each with a cluster."""

    selected = Signal(object)
    run_wanted = Signal(object)
    pin_wanted = Signal(object)
    show_wanted = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._found: KeyRoute | None = None
        self._overlay: Overlay = {}
        self._tried = Hidden(frozenset(), frozenset())
        self._chosen: ClusterId | None = None
        self.key = label("", "section")
        self.text = label("", "dim", selectable=True)
        for each in (self.key, self.text):
            each.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.cut = label("", "notice", wrap=True)
        self.ended = label("", "notice", wrap=True)
        self.summary = label("", "dim", wrap=True, tip=THIN_TIP)
        self._build_list()
        self._build_buttons()
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        for widget in (self.key, self.text, self.cut):
            column.addWidget(widget)
        column.addWidget(self.list, 1)
        column.addWidget(self.ended)
        column.addWidget(self.summary)
        self._buttons = FlowLayout(5)
        for button in (self.run, self.pin, self.show_it, self.copy):
            self._buttons.addWidget(button)
        column.addWidget(FlowBox(self._buttons))
        self._empty = EmptyState("No route yet", "Open a bank and write a prompt: where it goes is shown here as you type.")
        self._stack = pages(self, (6, 4, 6, 6), self._empty, body)
        theme.changed.connect(self._draw)
        theme.resized.connect(self._size_columns)

    def _build_list(self) -> None:
        self.list = QTreeWidget()
        self.list.setObjectName("route_levels")
        self.list.setAccessibleName("Route: candidates of every level")
        self.list.setRootIsDecorated(False)
        self.list.setIndentation(8)
        self.list.setItemsExpandable(False)
        self.list.setAllColumnsShowFocus(True)
        self.list.setHeaderLabels([name for name, _ in COLUMNS])
        for section, (_, tip) in enumerate(COLUMNS):
            self.list.headerItem().setToolTip(section, plain_tip(tip))
            if section:
                self.list.headerItem().setTextAlignment(section, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._size_columns()
        self.list.setItemDelegateForColumn(3, MarginDelegate(self._theme, self.list))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.list.viewport().mapToGlobal(at)))
        self.list.currentItemChanged.connect(self._moved)
        self.list.itemActivated.connect(lambda item: self._emit(self.run_wanted, cluster_of(item)))
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.list)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self._copy)

    def _size_columns(self) -> None:
        """By the size of the text; where room is short the documents give way, since the figures are what this table is for."""
        for section, width in WIDTHS.items():
            self.list.header().resizeSection(section, width if section == 2 else self._theme.sized(width))
        self._fit()

    def _fit(self) -> None:
        self.list.setColumnHidden(1, self.list.width() < self._theme.sized(CLUSTER_WIDTH + sum(WIDTHS.values())))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _build_buttons(self) -> None:
        self.run, self.pin, self.show_it, self.copy = (QPushButton(text) for text in ("Run on this", "Pin", "Show", "Copy"))
        self.run.setToolTip("Have every run take the path to the cluster that is selected here, and answer the prompt on it  (Return)")
        self.show_it.setToolTip("Unfold the tree down to the cluster")
        self.copy.setToolTip("Copy the route with its runners-up as text  (Ctrl+C)")
        self.run.clicked.connect(lambda: self._emit(self.run_wanted, self.current()))
        self.pin.clicked.connect(self._pin)
        self.show_it.clicked.connect(lambda: self._emit(self.show_wanted, self.current()))
        self.copy.clicked.connect(self._copy)

    # What is shown

    def show_route(self, found: KeyRoute, source: str) -> None:
        """Another route. source: where its text stands, in words."""
        self._found = found
        self.key.setText(f"{source}, {counted(found.pieces, 'word piece')}")
        text = " ".join(found.key.split())
        self.text.setText(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, max(120, self.width() - 20)))
        self.text.setToolTip(plain_tip(f"What is routed:\n{text[:2000]}"))
        self.cut.setVisible(found.read < found.pieces)
        self.cut.setText(f"▲ Cut: the first {found.read:,} of {found.pieces:,} word pieces are read.")
        self._draw()
        self._stack.setCurrentIndex(1)

    def show_nothing(self, why: str, *, title: str = "No route yet") -> None:
        """There is no route, and why."""
        self._found = None
        self._empty.title.setText(title)
        self._empty.hint.setText(why)
        self._stack.setCurrentIndex(0)

    def show_study(self, overlay: Overlay) -> None:
        """Another state of the study."""
        self._overlay = overlay
        self._draw()

    def show_tried(self, tried: Hidden) -> None:
        """What is hidden, muted, alone or pinned."""
        self._tried = tried
        self._draw()

    def show_chosen(self, chosen: Chosen) -> None:
        """Another cluster is selected: its row too, where it has one."""
        self._chosen = chosen.current
        self._mark()

    # Inside

    def _draw(self) -> None:
        found = self._found
        if found is None:
            return
        self.list.blockSignals(True)
        at = self.list.verticalScrollBar().value()
        self.list.clear()
        widest = max((each.distance - fork.own.distance for fork in found.forks for each in fork.candidates), default=0.0)
        self._add_pinned(found)
        for fork in found.forks:
            self._add_fork(fork, widest)
        self.list.expandAll()
        self.list.verticalScrollBar().setValue(at)
        self.list.blockSignals(False)
        self._mark()
        self._say(found)

    def _say(self, found: KeyRoute) -> None:
        wish = "Have every run take the path to the cluster that is selected here"
        self.pin.setText("Unpin" if self._pinned else "Pin")
        self.pin.setToolTip("Let the retriever choose again" if self._pinned else wish)
        self.ended.setVisible(bool(found.ended))
        self.ended.setText(found.end_words)
        self.summary.setVisible(bool(found.forks))
        self.summary.setText(found.thin_words or "No margin is thin.")
        set_kind(self.summary, "notice" if found.thin_words else "dim")

    def _add_fork(self, fork: Fork, widest: float) -> None:
        chosen = fork.own
        margin = "no other cluster" if fork.margin is None else f"margin {fork.margin:.3f}" + (" ▲ thin" if fork.thin else "")
        tone = self._theme.tone
        head = self._headline(
            f"Level {fork.chosen.level} · {margin} · {fork.total:,} to choose from", tone.warning if fork.thin else tone.dim
        )
        head.setToolTip(0, plain_tip(THIN_TIP))
        for each in fork.candidates:
            self._add(head, each, "▸" if each is chosen else "", each.distance - chosen.distance, widest)

    def _add_pinned(self, found: KeyRoute) -> None:
        """The path that every run takes instead, as far from the key as the retriever sees it."""
        if not found.pinned:
            return
        head = self._headline("◆ Pinned: every run takes this path instead", self._theme.tone.accent)
        nearest = {fork.chosen.level: fork.own for fork in found.forks}
        for each in found.pinned:
            own = nearest.get(each.cluster.level)
            self._add(head, each, "◆", None if own is None else each.distance - own.distance, 0.0)

    def _headline(self, text: str, colour: str) -> QTreeWidgetItem:
        head = QTreeWidgetItem([text])
        head.setFlags(Qt.ItemFlag.ItemIsEnabled)
        head.setForeground(0, QColor(colour))
        self.list.addTopLevelItem(head)
        head.setFirstColumnSpanned(True)
        return head

    def _add(self, head: QTreeWidgetItem, each: Candidate, mark: str, further: float | None, widest: float) -> None:
        words = [word for word in self._state_words(each) if mark != "◆" or word != "pinned"]
        name = " ".join(filter(None, (mark, str(each.cluster), f"({', '.join(words)})" if words else "", each.label)))
        margin = "" if further is None else CHOSEN if not further else f"{further:+.3f}".replace("-", "−")
        item = QTreeWidgetItem([name, f"{each.documents:,}", f"{each.distance:.3f}", margin])
        item.setData(0, CLUSTER, each.cluster)
        item.setToolTip(0, plain_tip("\n".join(filter(None, (f"{each.cluster}  {each.label}", ", ".join(words), "Return: run on this")))))
        for section in (1, 2, 3):
            item.setTextAlignment(section, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for section, exact in ((1, each.documents), (2, each.distance), (3, further)):
            item.setData(section, ExactRole, exact)
        if further is not None and widest > 0:
            item.setData(3, FURTHER, max(0.0, further) / widest)
        if mark == "▸":
            bold = QFont(self.list.font())
            bold.setBold(True)
            item.setFont(0, bold)
        if each.hidden:
            item.setForeground(0, QColor(self._theme.tone.dim))
        head.addChild(item)

    def _state_words(self, each: Candidate) -> list[str]:
        state, cluster, tried = self._overlay.get(each.cluster, BASE), each.cluster, self._tried
        silent = cluster in tried.muted or (bool(tried.solo) and cluster not in tried.solo)
        return [
            word
            for word, holds in (
                ("pinned", tried.pinned is not None and cluster in tried.pinned),
                ("hidden", each.hidden),
                ("muted", silent),
                ("pruned", state.pruned),
                ("edited", not state.pruned and state != BASE),
                ("no block", not each.has_block),
            )
            if holds
        ]

    def _mark(self) -> None:
        """Put the current row where the shared selection is."""
        self.list.blockSignals(True)
        found = next((item for item in self.rows() if cluster_of(item) == self._chosen), None)
        self.list.setCurrentItem(found) if found is not None else self.list.selectionModel().clear()
        self.list.blockSignals(False)
        self._offer()

    def _offer(self) -> None:
        current = self.current()
        self.run.setEnabled(current is not None)
        self.show_it.setEnabled(current is not None)
        self.pin.setEnabled(current is not None or self._pinned)

    @property
    def _pinned(self) -> bool:
        """Runs take one path now; a route that was asked for before that does not know it."""
        return self._tried.pinned is not None

    # What the user does

    def rows(self) -> Iterator[QTreeWidgetItem]:
        """The rows of clusters, from the top."""
        for head in self._heads():
            yield from _children(head)

    def _heads(self) -> list[QTreeWidgetItem]:
        return [head for head in map(self.list.topLevelItem, range(self.list.topLevelItemCount())) if head is not None]

    def current(self) -> ClusterId | None:
        """The cluster whose row is selected."""
        item = self.list.currentItem()
        return cluster_of(item) if item is not None and item.isSelected() else None

    @property
    def why_not(self) -> str:
        """Why there is no route; "" where there is one."""
        return "" if self._found is not None else f"{self._empty.title.text()}: {self._empty.hint.text()}"

    def as_text(self) -> str:
        """The route as lines of text."""
        lines = [self.key.text(), " ".join(self._found.key.split()) if self._found else ""]
        for head in self._heads():
            lines.append(head.text(0))
            lines += ["\t".join(child.text(section) for section in range(len(COLUMNS))) for child in _children(head)]
        return "\n".join(lines)

    def _moved(self, item: QTreeWidgetItem | None) -> None:
        cluster = cluster_of(item) if item is not None else None
        self._offer()
        self._emit(self.selected, cluster)

    def _pin(self) -> None:
        if self._pinned:
            self.pin_wanted.emit(None)
        else:
            self._emit(self.pin_wanted, self.current())

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.as_text())

    def _emit(self, signal: SignalInstance, cluster: ClusterId | None) -> None:
        if cluster is not None:
            signal.emit(cluster)


def _children(head: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    return [child for child in map(head.child, range(head.childCount())) if child is not None]


def cluster_of(item: QTreeWidgetItem) -> ClusterId | None:
    """The cluster that a row stands for; None for a headline."""
    data = item.data(0, CLUSTER)
    return None if data is None else ClusterId(*data)
