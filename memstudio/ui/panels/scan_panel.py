"""Where is this fact? The likeliest paths for an answer, the routed one among them, filled while the scan runs."""

import math
from collections.abc import Mapping

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QHeaderView, QLineEdit, QProgressBar, QPushButton, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId
from memstudio.session.scanned import LIKELY, Scan
from memstudio.ui.models.roles import ExactRole
from memstudio.ui.panels.parts import EmptyState, label, pages, row, set_kind
from memstudio.ui.snapshots import NodeView
from memstudio.ui.texts import counted, plain_tip
from memstudio.ui.theme import Theme

SHOWN = 100
WIDTHS = {0: 66, 2: 50, 3: 58, 4: 82}
COLUMNS = (
    ("Path to", "The last cluster of the path"),
    ("Label", "What its documents are about"),
    ("p", "Probability of the answer with the path's blocks fetched (causal)"),
    ("log p", "Natural logarithm of it, summed over the answer's tokens"),
    ("", "The routed path, and those that answer better"),
)
CLUSTER = Qt.ItemDataRole.UserRole


class ScanPanel(QWidget):
    """Emits `scan_wanted` (answer, "" for the routed one), `stop_wanted`, `selected` (a cluster), `pin_wanted` (a cluster: run on it)."""

    scan_wanted = Signal(str)
    stop_wanted = Signal()
    selected = Signal(object)
    pin_wanted = Signal(object)
    wanted = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._scan: Scan | None = None
        self._labels: dict[ClusterId, str] = {}
        self._asked: frozenset[ClusterId] = frozenset()
        self.answer = QLineEdit()
        self.answer.setObjectName("scan_answer")
        self.answer.setAccessibleName("Answer to look for")
        self.answer.setPlaceholderText("Answer to look for; empty: what the routed path answers")
        self.answer.setClearButtonEnabled(True)
        self.answer.returnPressed.connect(self._wish)
        self.button = QPushButton("Scan")
        self.button.setObjectName("scan_button")
        self.button.clicked.connect(self._press)
        self.progress = QProgressBar()
        self.progress.setAccessibleName("Paths scanned")
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.count = label("", "dim")
        self.summary = label("", wrap=True, selectable=True)
        self.failure = label("", "notice", wrap=True)
        self.pin = QPushButton("Pin and run")
        self.pin.setToolTip("Have every run take the path that is selected here, and answer the prompt on it")
        self.pin.clicked.connect(self._pin)
        self._build_list()
        self._empty = EmptyState(
            "Where is this fact?",
            "Scan reads the answer after the prompt under every path of the tree, nearest paths first, and colours the tree, the icicle, "
            "the map and the table by it.",
        )
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.summary)
        column.addWidget(self.failure)
        column.addWidget(self.list, 1)
        column.addLayout(row(self.count, 1, self.pin))
        inner = QWidget()
        self._stack = pages(inner, (0, 0, 0, 0), self._empty, body)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(6, 4, 6, 4)
        whole.setSpacing(6)
        whole.addLayout(row(self.answer, self.button))
        whole.addWidget(self.progress)
        whole.addWidget(inner, 1)
        self.rest()
        theme.changed.connect(self._draw)
        theme.resized.connect(self._size_columns)

    def _build_list(self) -> None:
        self.list = QTreeWidget()
        self.list.setObjectName("scan_paths")
        self.list.setAccessibleName("Likeliest paths")
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAllColumnsShowFocus(True)
        self.list.setHeaderLabels([name for name, _ in COLUMNS])
        for section, (_, tip) in enumerate(COLUMNS):
            self.list.headerItem().setToolTip(section, tip)
        self.list.headerItem().setData(len(COLUMNS) - 1, ExactRole, "note")
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self._size_columns()
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.list.viewport().mapToGlobal(at)))
        self.list.itemSelectionChanged.connect(self._selected)
        self.list.itemActivated.connect(lambda item: self.pin_wanted.emit(cluster_of(item)))

    def _size_columns(self) -> None:
        for section, width in WIDTHS.items():
            self.list.header().resizeSection(section, self._theme.sized(width))

    # What is shown

    def begin(self, text: str, answer: str) -> None:
        """A scan begins; what was shown goes."""
        self.forget()
        self.button.setText("Stop")
        self.progress.setRange(0, 0)
        self.progress.show()
        self._empty.title.setText("Scanning…")
        self._empty.hint.setText(f"{text}  {answer or '…'}")

    def show_scan(self, scan: Scan) -> None:
        """What was scanned so far."""
        self._scan = scan
        self.progress.setRange(0, scan.total)
        self.progress.setValue(scan.scanned)
        self._draw()
        self._stack.setCurrentIndex(1)
        missing = frozenset(end for end, _ in scan.best(SHOWN)) | {scan.own}
        missing -= self._labels.keys() | self._asked
        if missing:
            self._asked |= missing
            self.wanted.emit(missing)

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        mine = {cluster: nodes[cluster].label for cluster in nodes if cluster in self._asked}
        self._labels |= mine
        for item in filter(None, map(self.list.topLevelItem, range(self.list.topLevelItemCount()))):
            item.setText(1, self._labels.get(cluster_of(item), "…"))
            item.setToolTip(1, plain_tip(item.text(1)))
        if mine:
            self._say()

    def show_head(self, head: int) -> None:
        """The study moved: what is shown is of another revision now, and says so."""
        if self._scan is not None:
            self._draw(stale=head != self._scan.revision)

    def rest(self) -> None:
        """No scan is at work."""
        self.button.setText("Scan")
        self.progress.hide()
        if self._scan is None:
            self._empty.title.setText("Where is this fact?")

    def forget(self) -> None:
        """Nothing was scanned in this bank."""
        self._scan, self._labels, self._asked = None, {}, frozenset()
        self.list.clear()
        self._stack.setCurrentIndex(0)
        self.rest()

    def _draw(self, *, stale: bool = False) -> None:
        scan = self._scan
        if scan is None:
            return
        said = f"{scan.scanned:,} of {scan.total:,} paths scanned in {scan.seconds:.1f} s, at revision {scan.revision}"
        self.count.setText(said + (": the study has moved on since" if stale else ""))
        set_kind(self.count, "notice" if stale else "dim")
        self._fill(scan, frozenset(end for end, _ in scan.better()))
        self._say()

    def _say(self) -> None:
        """The sentences above the list."""
        scan = self._scan
        if scan is None:
            return
        better, knowing = scan.better(), scan.knowing()
        own = f"{scan.own}{self._named(scan.own)}"
        others = f"{counted(len(knowing), 'other path')} know{'s' * (len(knowing) == 1)}" if knowing else "No other path knows"
        self.summary.setText(
            f"“{scan.answer}” on the routed path, {own}: p {probability(scan.routed)}. Without memory: p {probability(scan.none)}. "
            f"{others} it (p > 0.5)."
        )
        self.failure.setVisible(bool(better))
        if better:
            end, value = better[0]
            what = "The retriever failed this prompt" if value > math.log(LIKELY) else "Likelier on other paths"
            self.failure.setText(f"▲ {what}: {end}{self._named(end)} answers better, p {probability(value)}.")

    def _fill(self, scan: Scan, better: frozenset[ClusterId]) -> None:
        chosen = self.current()
        self.list.blockSignals(True)
        self.list.clear()
        bold = QFont(self.list.font())
        bold.setBold(True)
        for end, value in scan.best(SHOWN):
            own = end == scan.own
            sign = "▸ routed" if own else "▲ better" if end in better else ""
            item = QTreeWidgetItem([str(end), self._labels.get(end, "…"), probability(value), f"{value:.3f}".replace("-", "−"), sign])
            item.setData(0, CLUSTER, end)
            item.setToolTip(1, plain_tip(item.text(1)))
            item.setData(2, ExactRole, math.exp(value))
            item.setData(3, ExactRole, value)
            for section in (2, 3):
                item.setTextAlignment(section, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if own:
                for section in range(len(COLUMNS)):
                    item.setFont(section, bold)
            elif end in better:
                item.setForeground(4, QColor(self._theme.tone.danger))
            self.list.addTopLevelItem(item)
            if end == chosen:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        self.pin.setEnabled(self.current() is not None)

    def _named(self, cluster: ClusterId) -> str:
        return f" ({self._labels[cluster]})" if cluster in self._labels else ""

    # What the user does

    def current(self) -> ClusterId | None:
        """The path that is selected in the list."""
        item = self.list.currentItem()
        return cluster_of(item) if item is not None else None

    def _press(self) -> None:
        if self.button.text() == "Stop":
            self.stop_wanted.emit()
        else:
            self._wish()

    def _wish(self) -> None:
        self.scan_wanted.emit(self.answer.text())

    def _selected(self) -> None:
        cluster = self.current()
        self.pin.setEnabled(cluster is not None)
        if cluster is not None:
            self.selected.emit(cluster)

    def _pin(self) -> None:
        cluster = self.current()
        if cluster is not None:
            self.pin_wanted.emit(cluster)


def cluster_of(item: QTreeWidgetItem) -> ClusterId:
    """The cluster that a row stands for."""
    return ClusterId(*item.data(0, CLUSTER))


def probability(logprob: float) -> str:
    """A probability with three digits, small ones as a power."""
    p = math.exp(logprob)
    return f"{p:.3f}" if p >= 0.0005 else f"{p:.0e}"
