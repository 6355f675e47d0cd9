"""The whole bank at a glance: an icicle of the tree, what it is coloured by, what its widths mean, and where one has zoomed to."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QToolTip, QVBoxLayout, QWidget

from memstudio.bank.values import BASE, ClusterId, Overlay
from memstudio.ui.panels.hover_card import HoverCard
from memstudio.ui.panels.icicle_parts import IcicleCrumbs, WidthBox, card_lines
from memstudio.ui.panels.legend import Legend
from memstudio.ui.panels.parts import EmptyState, label, pages, row
from memstudio.ui.panels.shade_box import ShadeBox
from memstudio.ui.plots.icicle_layout import Direction, Layout, lay_out, path, rooted, step
from memstudio.ui.plots.icicle_picture import SIGNS
from memstudio.ui.plots.icicle_plot import HELP, IciclePlot
from memstudio.ui.plots.marks import passed_masks, state_masks
from memstudio.ui.selection import Chosen, choose, join
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, LevelView, NodeView
from memstudio.ui.texts import plain_tip
from memstudio.ui.theme import Theme

ASK_PAUSE_MS = 80
ARROWS: dict[int, Direction] = {Qt.Key.Key_Up: "up", Qt.Key.Key_Down: "down", Qt.Key.Key_Left: "left", Qt.Key.Key_Right: "right"}
NO_SHADES = "Not coloured by a measure: trace a prompt, or scan for a fact."
NO_USE = "No prompt was counted yet: siblings are equally wide until one is."


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
        self._under: tuple[ClusterId, QPoint] | None = None
        self.plot = IciclePlot(theme.tone)
        self.width_box = WidthBox()
        self.width_box.activated.connect(self._rewidth)
        self.shade_box = ShadeBox()
        self.legend = Legend(theme.tone)
        self.read = label("", "dim")
        self.read.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.signs = QToolButton()
        self.signs.setText("Signs")
        self.signs.setObjectName("icicle_signs")
        self.signs.setAccessibleName("What the signs on the clusters mean")
        self.signs.setAccessibleDescription(SIGNS)
        self.signs.setToolTip(plain_tip(f"{SIGNS}\n\n{HELP}"))
        self.signs.clicked.connect(lambda: QToolTip.showText(self.signs.mapToGlobal(QPoint(0, 0)), self.signs.toolTip(), self.signs))
        self.crumbs = IcicleCrumbs()
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
        top = row(self.crumbs, self.shade_box, self.width_box)
        top.setStretch(0, 1)
        column.addLayout(top)
        column.addWidget(self.plot, 1)
        bottom = row(self.read, self.legend, self.signs)
        bottom.setStretch(0, 1)
        column.addLayout(bottom)
        self._stack = pages(self, (8, 0, 8, 6), EmptyState("The whole bank", "Open a bank: every cluster of its tree is drawn here."), body)
        plot = self.plot
        plot.clicked.connect(self._clicked)
        plot.entered.connect(self.zoom_to)
        plot.swept.connect(self._swept)
        plot.hovered.connect(self._hover)
        plot.ranged.connect(self._ranged)
        plot.keyed.connect(self._keyed)
        self.crumbs.taken.connect(self._take_crumb)

    # What is shown

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self._bank, self._overlay, self._use = bank, overlay, None
        self._labels, self._asked, self._tried, self._under = {}, set(), (frozenset(), frozenset()), None
        scene = self.plot.scene
        scene.labels, scene.shades, scene.route, scene.passed = self._labels, None, (), ()
        scene.chosen = choose(self._sizes)
        self.width_box.setCurrentIndex(0)
        self.width_box.offer_use(self._use is not None)
        self._stack.setCurrentIndex(0 if bank is None else 1)
        self._mark()
        self._lay_out()
        self.plot.look(0.0, 1.0)
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
        if shades is not None:
            self.legend.show_shades(shades, self._theme.tone)
        self._read()
        self._card_again()
        self.plot.update()

    def _read(self) -> None:
        """The line below: what colours and, where it says nothing yet, what the widths mean."""
        shades, levels = self.plot.scene.shades, self._levels
        if shades is None:
            text, tip = NO_SHADES if levels else "", ""
        else:
            total = sum(int((level.documents > 0).sum()) for level in levels)
            text, tip = f"{shades.title} ({shades.kind}) · {shades.measured:,} of {total:,} measured", f"{shades.title}: {shades.unit}"
        if self.width_box.how == "use" and self._use is None:
            text = f"{NO_USE} {text}"
        self.read.setText(text)
        self.read.setToolTip(plain_tip("\n".join(filter(None, (text, tip)))))

    def show_use(self, use: tuple[NDArray[np.float32], ...] | None) -> None:
        """How often each cluster was fetched, float32 [clusters] a level; None: nothing was counted."""
        self._use = use
        self.width_box.offer_use(self._use is not None)
        if self.width_box.how == "use":
            self._lay_out()
            self.plot.look(*self.plot.goal)

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere; brought into view where the view is zoomed past it."""
        self.plot.scene.chosen = chosen
        if chosen.current is not None and self.plot.scene.layout.levels:
            (start, end), (left, right) = self.plot.scene.layout.span(chosen.current), self.plot.goal
            if end <= left or start >= right:
                self.plot.glide((start + end - right + left) / 2, (start + end + right - left) / 2)
        self.plot.update()

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self._labels.update((cluster, one.label) for cluster, one in nodes.items())
        self._draw_crumbs()
        if self._under is not None and self._under[0] in nodes:
            self._card_again()
        self.plot.update()

    @property
    def _levels(self) -> tuple[LevelView, ...]:
        return self._bank.levels if self._bank is not None else ()

    @property
    def _sizes(self) -> list[int]:
        return [level.clusters for level in self._levels]

    def _mark(self) -> None:
        scene = self.plot.scene
        scene.pruned, scene.edited = state_masks(self._sizes, self._overlay)
        scaled = {cluster: state for cluster, state in self._overlay.items() if state.source == BASE.source}
        scene.scaled = state_masks(self._sizes, scaled)[1] if scaled else ()
        scene.passed = passed_masks(self._sizes, [level.branching for level in self._levels], *self._tried)
        self._card_again()
        self.plot.update()

    def _rewidth(self) -> None:
        """Other widths, with the same cluster filling the view."""
        root = self.root
        self._lay_out()
        self.plot.look(*self._stretch(root))

    def _lay_out(self) -> None:
        self.plot.scene.layout = lay_out(self._levels, self.width_box.how, self._use) if self._levels else Layout((), ())
        self._read()
        self.plot.updateGeometry()
        self.plot.update()
        self._ranged()

    # Where one has zoomed to

    def zoom_to(self, cluster: ClusterId | None) -> None:
        """Fill the width with a cluster's subtree, or with what it lies in where it has no width; None: the whole bank."""
        self.plot.glide(*self._stretch(cluster))

    def _stretch(self, cluster: ClusterId | None) -> tuple[float, float]:
        spans = (self.plot.scene.layout.span(each) for each in reversed(path(self._levels, cluster)))
        return next(((start, end) for start, end in spans if end > start), (0.0, 1.0))

    @property
    def root(self) -> ClusterId | None:
        """The deepest cluster that fills the view, or will where it is on its way; None for the whole bank."""
        return rooted(self.plot.scene.layout, self.plot.goal)

    def _go_up(self) -> None:
        """To the whole of what the view lies in, or one level above it."""
        root, (left, right) = self.root, self.plot.goal
        start, end = self._stretch(root)
        whole = right - left >= (end - start) * (1 - 1e-6)
        self.zoom_to(step(self._levels, self.plot.scene.layout, root, "up") if root is not None and whole else root)

    def _take_crumb(self, cluster: ClusterId | None) -> None:
        self.plot.setFocus()  # the button that was pressed may go, and the keys go on from here
        self.zoom_to(cluster)

    def _ranged(self) -> None:
        self._under = None
        self._card.hide()
        self._draw_crumbs()
        self._pause.start()

    def _draw_crumbs(self) -> None:
        self.crumbs.show_way(path(self._levels, self.root), self._labels)

    def _ask(self) -> None:
        needed = {*self.plot.labelled(), *path(self._levels, self.root), *([self._under[0]] if self._under else [])}
        missing = frozenset(needed - self._asked)
        if missing:
            self._asked |= missing
            self.wanted.emit(missing)

    # What the user does

    def _clicked(self, cluster: ClusterId, more: bool) -> None:
        self._card.hide()
        self._choose(join(self.plot.scene.chosen, cluster) if more else choose(self._sizes, [cluster]))

    def _swept(self, level: int, first: int, last: int) -> None:
        masks = tuple(np.zeros(size, bool) for size in self._sizes)
        masks[level - 1][first : last + 1] = self._levels[level - 1].documents[first : last + 1] > 0
        there = np.flatnonzero(masks[level - 1])
        if there.size:
            self._choose(Chosen(masks, ClusterId(level, int(there[0]))))

    def _choose(self, chosen: Chosen) -> None:
        self.plot.scene.chosen = chosen
        self.plot.update()
        self.chosen.emit(chosen)

    def _keyed(self, key: int) -> None:
        current, layout, keys = self.plot.scene.chosen.current, self.plot.scene.layout, Qt.Key
        if key == keys.Key_Home:
            self.zoom_to(None)
        elif key in (keys.Key_Backspace, keys.Key_Escape):
            self._go_up()
        elif current is None:
            first = layout.at(1, sum(self.plot.goal) / 2) if layout.levels else None
            if first is not None:
                self._clicked(first, more=False)
        elif key in ARROWS:
            to = step(self._levels, layout, current, ARROWS[key])
            if to is not None:
                self._clicked(to, more=False)
                self.show_chosen(self.plot.scene.chosen)
        else:
            self.zoom_to(current)

    def _hover(self, cluster: ClusterId | None, at: QPoint) -> None:
        self._under = None if cluster is None else (cluster, at)
        if cluster is None:
            self._card.hide()
            return
        if cluster not in self._asked:
            self._pause.start()
        self._card.show_lines(self._lines(cluster), at)

    def _card_again(self) -> None:
        """What it says may have changed."""
        if self._under is not None and self._card.isVisible():
            self._card.show_lines(self._lines(self._under[0]), self._under[1])

    def _lines(self, cluster: ClusterId) -> list[str]:
        return card_lines(self._levels, self.plot.scene, self._overlay, self._tried, cluster)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        current = self.plot.scene.chosen.current
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            if current is not None:
                x = sum(self.plot.x_of(place) for place in self.plot.scene.layout.span(current)) / 2
                spot = QPoint(int(min(max(0.0, x), self.plot.width() - 1.0)), int(self.plot.row(current.level).center().y()))
                self.menu_wanted.emit(self.plot.mapToGlobal(spot))
            return
        cluster = self.plot.cluster_at(self.plot.mapFrom(self, event.pos()).toPointF())
        if cluster is not None:
            if cluster not in self.plot.scene.chosen:
                self._clicked(cluster, more=False)
            self.menu_wanted.emit(event.globalPos())

    def _retone(self) -> None:
        self.plot.retone(self._theme.tone)
        self.show_shades(self.plot.scene.shades)
