"""The whole bank at a glance: an icicle of the tree, what it is coloured by, what its widths mean, and where one has zoomed to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QComboBox, QFrame, QPushButton, QVBoxLayout, QWidget

from memstudio.bank.values import BASE, ClusterId, Overlay
from memstudio.ui.panels.hover_card import HoverCard
from memstudio.ui.panels.legend import Legend
from memstudio.ui.panels.parts import EmptyState, FlowLayout, label, pages, row
from memstudio.ui.panels.shade_box import ShadeBox
from memstudio.ui.plots.icicle_layout import Layout, Width, lay_out
from memstudio.ui.plots.icicle_plot import IciclePlot
from memstudio.ui.plots.marks import passed_masks, state_masks
from memstudio.ui.saving import save_widget
from memstudio.ui.selection import Chosen, choose, join
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, NodeView
from memstudio.ui.texts import counted, on_button, plain_tip, state_words
from memstudio.ui.theme import Theme

ASK_PAUSE_MS = 80
WIDTHS: tuple[tuple[str, Width, str], ...] = (
    ("Documents", "documents", "As wide as its share of its parent's documents"),
    ("Parameters", "parameters", "As wide as the parameters of its subtree"),
    ("Use", "use", "As wide as its share of the prompts that were counted"),
)


class IciclePanel(QWidget):
    """A view of the whole bank (see `overview.View`)."""

    wanted = Signal(object)
    chosen = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._bank: BankView | None = None
        self._overlay: Overlay = {}
        self._tried: tuple[frozenset[ClusterId], frozenset[ClusterId]] = (frozenset(), frozenset())
        self._use: tuple[NDArray[np.float32], ...] | None = None
        self._labels: dict[ClusterId, str] = {}
        self._asked: set[ClusterId] = set()
        self.plot = IciclePlot(theme.tone)
        self.plot.setToolTip("")
        self.width_box = QComboBox()
        self.width_box.setObjectName("icicle_width")
        self.width_box.setAccessibleName("What the width of a cluster means")
        for at, (name, _, tip) in enumerate(WIDTHS):
            self.width_box.addItem(f"Width: {name.lower()}")
            self.width_box.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)
        self.width_box.activated.connect(self._lay_out)
        self.shade_box = ShadeBox()
        self.legend = Legend(theme.tone)
        self.read = label("", "dim")
        self._crumbs = FlowLayout(2)
        self._crumb_box = QWidget()
        self._crumb_box.setLayout(self._crumbs)
        self._card = HoverCard(self)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(ASK_PAUSE_MS)
        self._pause.timeout.connect(self._ask)
        self._build()
        theme.changed.connect(self._retone)

    def _build(self) -> None:
        body = QFrame()
        body.setProperty("kind", "panel")
        column = QVBoxLayout(body)
        column.setContentsMargins(8, 6, 8, 5)
        column.setSpacing(5)
        top = row(self._crumb_box, self.shade_box, self.width_box)
        top.setStretch(0, 1)
        column.addLayout(top)
        column.addWidget(self.plot, 1)
        column.addLayout(row(self.read, 1, self.legend))
        self._stack = pages(self, (8, 0, 8, 6), EmptyState("The whole bank", "Open a bank: every cluster of its tree is drawn here."), body)
        plot = self.plot
        plot.clicked.connect(self._clicked)
        plot.entered.connect(self.zoom_to)
        plot.swept.connect(self._swept)
        plot.hovered.connect(self._hover)
        plot.ranged.connect(self._ranged)
        plot.keyed.connect(self._keyed)

    # What is shown

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self._bank, self._overlay, self._use = bank, overlay, None
        self._labels, self._asked, self._tried = {}, set(), (frozenset(), frozenset())
        scene = self.plot.scene
        scene.labels, scene.shades, scene.route, scene.passed = self._labels, None, (), ()
        scene.chosen = choose(self._sizes)
        self.width_box.setCurrentIndex(0)
        self._stack.setCurrentIndex(0 if bank is None else 1)
        self.plot.left, self.plot.right = 0.0, 1.0
        self._mark()
        self._lay_out()
        self.show_shades(None)

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        self._overlay = overlay
        self._mark()

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self._tried = (hidden, muted)
        self._mark()

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt; outlined."""
        self.plot.scene.route = tuple(clusters)
        self.plot.update()

    def show_shades(self, shades: Shades | None) -> None:
        """Another measure, or another state of it."""
        self.plot.scene.shades = shades
        self.legend.setVisible(shades is not None)
        if shades is None:
            self.read.setText("Not coloured by a measure: trace a prompt, or scan for a fact." if self._bank else "")
        else:
            low = f"−{shades.bound:.3g}" if shades.signed else "0"
            self.legend.show_scale(shades.table(self._theme.tone.dark), low, f"{shades.bound:.3g}", self._theme.tone)
            total = sum(int((level.documents > 0).sum()) for level in self._bank.levels) if self._bank is not None else 0
            self.read.setText(f"{shades.title} ({shades.kind}) · {shades.measured:,} of {total:,} measured")
            self.read.setToolTip(plain_tip(shades.unit))
        self.plot.update()

    def show_use(self, use: tuple[NDArray[np.float32], ...] | None) -> None:
        """How often each cluster was fetched, float32 [clusters] a level; None: nothing was counted."""
        self._use = use
        if self._how == "use":
            self._lay_out()

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere; brought into view where the view is zoomed past it."""
        self.plot.scene.chosen = chosen
        if chosen.current is not None and self.plot.scene.layout.levels:
            start, end = self.plot.scene.layout.span(chosen.current)
            width = self.plot.right - self.plot.left
            if end < self.plot.left or start > self.plot.right:
                self.plot.look((start + end - width) / 2, (start + end + width) / 2)
        self.plot.update()

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self._labels.update((cluster, one.label) for cluster, one in nodes.items())
        self._draw_crumbs()
        self.plot.update()

    @property
    def _sizes(self) -> list[int]:
        return [level.clusters for level in self._bank.levels] if self._bank is not None else []

    @property
    def _how(self) -> Width:
        return WIDTHS[max(0, self.width_box.currentIndex())][1]

    def _mark(self) -> None:
        scene, branching = self.plot.scene, [level.branching for level in self._bank.levels] if self._bank is not None else []
        scene.pruned, scene.edited = state_masks(self._sizes, self._overlay)
        scene.passed = passed_masks(self._sizes, branching, *self._tried)
        self.plot.update()

    def _lay_out(self) -> None:
        levels = self._bank.levels if self._bank is not None else ()
        self.plot.scene.layout = lay_out(levels, self._how, self._use) if levels else Layout((), ())
        if self._how == "use" and self._use is None:
            self.read.setText("No prompt was counted yet: widths are even until one is.")
        self.plot.updateGeometry()
        self.plot.update()
        self._ranged()

    # Where one has zoomed to

    def zoom_to(self, cluster: ClusterId | None) -> None:
        """Fill the width with a cluster's subtree; None: the whole bank."""
        self.plot.look(*((0.0, 1.0) if cluster is None else self.plot.scene.layout.span(cluster)))

    @property
    def root(self) -> ClusterId | None:
        """The deepest cluster that fills the view; None for the whole bank."""
        layout, found = self.plot.scene.layout, None
        middle, slack = (self.plot.left + self.plot.right) / 2, 1e-6 * (self.plot.right - self.plot.left)
        for level in range(1, layout.levels + 1):
            cluster = layout.at(level, middle)
            if cluster is None:
                break
            start, end = layout.span(cluster)
            if start > self.plot.left + slack or end < self.plot.right - slack:
                break
            found = cluster
        return found if self.plot.right - self.plot.left < 1.0 else None

    def _path(self, cluster: ClusterId | None) -> list[ClusterId]:
        path: list[ClusterId] = []
        while cluster is not None and self._bank is not None:
            path.insert(0, cluster)
            above = cluster.index // self._bank.levels[cluster.level - 1].branching
            cluster = ClusterId(cluster.level - 1, above) if cluster.level > 1 else None
        return path

    def _ranged(self) -> None:
        self._card.hide()
        self._draw_crumbs()
        self._pause.start()

    def _draw_crumbs(self) -> None:
        self._crumbs.clear()
        for cluster in [None, *self._path(self.root)]:
            text = "All" if cluster is None else f"› {self._labels.get(cluster) or cluster}"
            press = QPushButton(on_button(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 150)))
            press.setProperty("kind", "chip")
            press.setToolTip(plain_tip("The whole bank" if cluster is None else f"Zoom to {cluster}"))
            press.clicked.connect(lambda _=False, c=cluster: self.zoom_to(c))
            self._crumbs.addWidget(press)

    def _ask(self) -> None:
        missing = (self.plot.labelled() | frozenset(self._path(self.root))) - self._asked
        if missing:
            self._asked |= missing
            self.wanted.emit(missing)

    # What the user does

    def _clicked(self, cluster: ClusterId, more: bool) -> None:
        self._card.hide()
        self._choose(join(self.plot.scene.chosen, cluster) if more else choose(self._sizes, [cluster]))

    def _swept(self, level: int, first: int, last: int) -> None:
        if self._bank is not None:
            present = np.flatnonzero(self._bank.levels[level - 1].documents[first : last + 1] > 0) + first
            found = [ClusterId(level, int(index)) for index in present]
            self._choose(choose(self._sizes, found, found[0] if found else None))

    def _choose(self, chosen: Chosen) -> None:
        self.plot.scene.chosen = chosen
        self.plot.update()
        self.chosen.emit(chosen)

    def _keyed(self, key: int) -> None:
        current, layout, keys = self.plot.scene.chosen.current, self.plot.scene.layout, Qt.Key
        if key == keys.Key_Home:
            self.zoom_to(None)
        elif key == keys.Key_Backspace:
            path = self._path(self.root)
            self.zoom_to(path[-2] if len(path) > 1 else None)
        elif current is None:
            first = layout.at(1, self.plot.left + 1e-12) if layout.levels else None
            if first is not None:
                self._clicked(first, more=False)
        elif key in (keys.Key_Return, keys.Key_Enter):
            self.zoom_to(current)
        else:
            self._step(current, key)

    def _step(self, current: ClusterId, key: int) -> None:
        """Up to the parent, down to the first child, left and right along the level."""
        layout, keys = self.plot.scene.layout, Qt.Key
        start, end = layout.span(current)
        to: ClusterId | None
        if key in (keys.Key_Up, keys.Key_Down):
            level = current.level + (1 if key == keys.Key_Down else -1)
            to = layout.at(level, start + (end - start) * 1e-6) if 1 <= level <= layout.levels else None
        else:
            widths = layout.ends[current.level - 1] - layout.starts[current.level - 1]
            after = np.flatnonzero(widths > 0)
            place = int(np.searchsorted(after, current.index)) + (1 if key == keys.Key_Right else -1)
            to = ClusterId(current.level, int(after[place])) if 0 <= place < len(after) else None
        if to is not None:
            self._clicked(to, more=False)
            self.show_chosen(self.plot.scene.chosen)

    def _hover(self, cluster: ClusterId | None, at: QPoint) -> None:
        if cluster is None or self._bank is None:
            self._card.hide()
            return
        if cluster not in self._asked:
            self._asked.add(cluster)
            self.wanted.emit(frozenset({cluster}))
        level, shades = self._bank.levels[cluster.level - 1], self.plot.scene.shades
        lines = [f"{cluster}  {self._labels.get(cluster, '')}", counted(int(level.documents[cluster.index]), "document")]
        if shades is not None:
            value = shades.at(cluster)
            lines.append(f"{shades.title}: {'not measured' if value is None else f'{value:.4g}'} ({shades.kind})")
        state = self._overlay.get(cluster, BASE)
        lines.append("no block: width 0" if not level.block_bytes else state_words(state))
        self._card.show_lines(lines, at)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        cluster = self.plot.cluster_at(self.plot.mapFrom(self, event.pos()).toPointF())
        if cluster is not None:
            if cluster not in self.plot.scene.chosen:
                self._clicked(cluster, more=False)
            self.menu_wanted.emit(event.globalPos())

    def save_to(self, file: Path) -> None:
        """Write the icicle as it is shown, as PNG or SVG by the file's name.

        Raises:
            UserError: another kind of file, or it cannot be written there.
        """
        save_widget(self.plot, file)

    def _retone(self) -> None:
        self.plot.retone(self._theme.tone)
        self.show_shades(self.plot.scene.shades)
