"""The clusters by meaning: a map of all centroids with the prompt's key and its route drawn in, made when it is asked for."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from memstudio.bank.values import BASE, ClusterId, Overlay
from memstudio.session.centroid_map import Map
from memstudio.ui.models.measure_texts import measure_line
from memstudio.ui.panels.hover_card import HoverCard
from memstudio.ui.panels.legend import Legend
from memstudio.ui.panels.map_bar import MapBar
from memstudio.ui.panels.map_states import MapAsked, MapRunning
from memstudio.ui.panels.parts import EmptyState, label, pages, row
from memstudio.ui.plots.map_cloud import Cloud, Mask, gather, towards
from memstudio.ui.plots.map_paint import EDITED, PASSED, PLAIN, PRUNED
from memstudio.ui.plots.map_plot import MapPlot, Tool
from memstudio.ui.plots.marks import passed_masks, state_masks
from memstudio.ui.selection import Chosen, choose, join, together
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, JobView, NodeView
from memstudio.ui.texts import counted, plain_tip, state_words
from memstudio.ui.theme import Theme

_NO_BANK, _ASKED, _RUNNING, _MAP = range(4)


class MapPanel(QWidget):
    """A view of the whole bank (see `overview.View`). Emits `make_wanted` and `cancel_wanted` too: the map is made elsewhere."""

    wanted = Signal(object)
    chosen = Signal(object)
    menu_wanted = Signal(QPoint)
    make_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._bank: BankView | None = None
        self._overlay: Overlay = {}
        self._tried: tuple[frozenset[ClusterId], frozenset[ClusterId]] = (frozenset(), frozenset())
        self._map: Map | None = None
        self._shades: Shades | None = None
        self._route: tuple[ClusterId, ...] = ()
        self._key: tuple[float, float] | None = None
        self._chosen = Chosen()
        self._labels: dict[ClusterId, str] = {}
        self._asked: set[ClusterId] = set()
        self._job: int | None = None
        self.plot = MapPlot(theme.tone)
        self.plot.scene.labels = self._labels
        self.legend = Legend(theme.tone)
        self.count = label("", "dim")
        self.count.setObjectName("map_count")
        self.bar = MapBar(self.count)
        self.shade_box = self.bar.shade_box
        self.read = label("", "dim", wrap=True)
        self.not_made, self.running = MapAsked(), MapRunning()
        self.not_made.make_wanted.connect(self.make_wanted)
        self.running.cancel_wanted.connect(self.cancel_wanted)
        self._card = HoverCard(self)
        self._build()
        theme.changed.connect(self._retone)

    def _build(self) -> None:
        body = QFrame()
        body.setProperty("kind", "panel")
        column = QVBoxLayout(body)
        column.setContentsMargins(8, 6, 8, 5)
        column.setSpacing(5)
        column.addWidget(self.bar)
        column.addWidget(self.plot, 1)
        column.addLayout(row(self.read, self.legend))
        empty = EmptyState("The map of the clusters", "Open a bank: its clusters can be laid out by what they mean.")
        self._stack = pages(self, (8, 0, 8, 6), empty, self.not_made, self.running, body)
        plot, bar = self.plot, self.bar
        bar.tool_taken.connect(self._take_tool)
        bar.whole_wanted.connect(plot.fit)
        bar.filtered.connect(self._filter)
        plot.clicked.connect(self._clicked)
        plot.swept.connect(self._swept)
        plot.hovered.connect(self._hover)
        plot.ranged.connect(self._card.hide)
        plot.settled.connect(self._settle)
        plot.keyed.connect(self._keyed)

    # What is shown

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none; its map has to be shown anew."""
        self._bank, self._overlay = bank, overlay
        self._labels.clear()
        self._asked.clear()
        self._tried, self._shades, self._route, self._key, self._job = (frozenset(), frozenset()), None, (), None, None
        self._chosen = choose(self._sizes)
        self.not_made.show_count(self._total)
        self.bar.show_bank(bank)
        self.show_map(None)

    def show_map(self, found: Map | None) -> None:
        """The bank's map; None, or one of another bank: there is none yet."""
        cloud = None if found is None or self._bank is None else gather(self._bank.levels, found.points)
        self._map = None if cloud is None else found
        self.plot.show_cloud(Cloud() if cloud is None else cloud)
        scene = self.plot.scene
        scene.labels, scene.route, scene.key = self._labels, self._route, self._key
        self._filter()
        self._mark()
        self.show_shades(self._shades)
        self.show_chosen(self._chosen)
        self._turn_page()

    def show_progress(self, job: JobView | None) -> None:
        """How far the map is; None, or a job that ended: none is being made."""
        number = None if job is None or job.ended else job.number
        if job is not None and number is not None:
            if number != self._job:
                self.running.begin()
            self.running.show_job(job)
        self._job = number
        self._turn_page()

    def show_key(self, place: tuple[float, float] | None) -> None:
        """Where the prompt's key lies (an estimate); None: there is no prompt."""
        self._key = self.plot.scene.key = place
        self.plot.update()

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        self._overlay = overlay
        self._mark()

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self._tried = (hidden, muted)
        self._mark()

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt; a line through them."""
        self._route = self.plot.scene.route = tuple(clusters)
        self.plot.update()

    def show_shades(self, shades: Shades | None) -> None:
        """Another measure, or another state of it."""
        self._shades = shades
        self.plot.scene.colour_by(shades)
        self.legend.setVisible(shades is not None)
        self.read.setVisible(shades is not None)
        if shades is None:
            self.read.setText("")
        else:
            self.legend.show_shades(shades, self._theme.tone)
            self.read.setText(f"{shades.title} ({shades.kind}) · {shades.measured:,} of {self._total:,} measured")
            self.read.setToolTip(plain_tip(shades.unit))
        self.plot.touch()

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere; the current one is brought into view."""
        self._take_chosen(chosen)
        at = None if chosen.current is None else self.plot.scene.cloud.row(chosen.current)
        if at is not None:
            self.plot.reveal(at)

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came; shorter ones make room for more."""
        self._labels.update((cluster, one.label) for cluster, one in nodes.items())
        self.plot.touch()

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(level.clusters for level in self._bank.levels) if self._bank is not None else ()

    @property
    def _total(self) -> int:
        """Clusters that are not absent."""
        return sum(int((level.documents > 0).sum()) for level in self._bank.levels) if self._bank is not None else 0

    def _turn_page(self) -> None:
        page = _NO_BANK if self._bank is None else _MAP if self._map is not None else _ASKED if self._job is None else _RUNNING
        self._stack.setCurrentIndex(page)

    def _mark(self) -> None:
        scene, bank = self.plot.scene, self._bank
        if self._map is not None and bank is not None:
            pruned, edited = (scene.cloud.flat(masks) for masks in state_masks(self._sizes, self._overlay))
            passed = scene.cloud.flat(passed_masks(self._sizes, [level.branching for level in bank.levels], *self._tried))
            scene.signs = np.select([pruned, passed, edited], [PRUNED, PASSED, EDITED], PLAIN).astype(np.uint8)
            self.plot.touch()

    def _take_chosen(self, chosen: Chosen) -> None:
        self._chosen = self.plot.scene.chosen = chosen
        cloud = self.plot.scene.cloud
        fits = tuple(len(mask) for mask in chosen.masks) == cloud.sizes
        self.plot.scene.picked = cloud.flat(chosen.masks).astype(bool) if fits and cloud.count else np.zeros(cloud.count, bool)
        self.plot.touch()

    # Which levels, which tool

    def _filter(self) -> None:
        self.plot.scene.drawn = self.plot.scene.cloud.of_levels(self.bar.shown)
        self.plot.touch()
        self._card.hide()
        self._say_count()

    def _say_count(self) -> None:
        made, drawn = self._map, int(self.plot.scene.drawn.sum())
        if made is None:
            self.count.setText("")
            return
        how = f"UMAP {made.umap} of the centroids" if made.method == "umap" else "the two principal components of the centroids"
        near = f" · {self.plot.in_view:,} in view" if self.plot.closeness > 1.01 else ""
        self.count.setText(f"{drawn:,} of {counted(self._total, 'cluster')} drawn{near} · {how}")
        key = "The star is the prompt's key; its place is an estimate, the mean of its nearest clusters."
        self.count.setToolTip(plain_tip(f"None is left out; of several on one pixel the strongest is seen. {key}"))

    def _take_tool(self, tool: Tool) -> None:
        self.plot.tool = tool
        self.plot.setCursor(Qt.CursorShape.ArrowCursor if tool == "move" else Qt.CursorShape.CrossCursor)

    # What the user does

    def _settle(self) -> None:
        """The view stands still: say what is in it, and ask for the labels that there is room for."""
        self._say_count()
        if self._map is None:
            return
        missing = frozenset(self.plot.named) - self._asked
        if missing:
            self._asked |= missing
            self.wanted.emit(missing)

    def _clicked(self, cluster: ClusterId | None, more: bool) -> None:
        self._card.hide()
        if cluster is not None:
            self._choose(join(self._chosen, cluster) if more else choose(self._sizes, [cluster]))
        elif not more and self._chosen.count:
            self._choose(choose(self._sizes))

    def _swept(self, found: Mask, more: bool) -> None:
        masks = self.plot.scene.cloud.masks(found)
        if more:
            self._choose(together(self._chosen, masks))
            return
        rows = np.flatnonzero(found)
        heaviest = rows[self.plot.scene.cloud.documents[rows].argmax()] if len(rows) else None
        self._choose(Chosen(masks, None if heaviest is None else self.plot.scene.cloud.cluster(int(heaviest))))

    def _choose(self, chosen: Chosen) -> None:
        self._take_chosen(chosen)
        self.chosen.emit(chosen)

    def _keyed(self, key: int) -> None:
        """Escape selects nothing; an arrow goes to the next cluster that way, the first time to the one with most documents in view."""
        scene, keys = self.plot.scene, Qt.Key
        if key == keys.Key_Escape:
            self._clicked(None, more=False)
            return
        current = None if self._chosen.current is None else scene.cloud.row(self._chosen.current)
        if current is None:
            to = self.plot.heaviest()
        else:
            right, down = {keys.Key_Left: (-1, 0), keys.Key_Right: (1, 0), keys.Key_Up: (0, -1), keys.Key_Down: (0, 1)}[Qt.Key(key)]
            to = towards(scene.cloud, self.plot.look, current, right, down, scene.drawn)
        if to is not None:
            self._clicked(scene.cloud.cluster(to), more=False)
            self.plot.reveal(to)

    def _hover(self, cluster: ClusterId | None, at: QPoint) -> None:
        if cluster is None or self._bank is None:
            self._card.hide()
            return
        if cluster not in self._asked:
            self._asked.add(cluster)
            self.wanted.emit(frozenset({cluster}))
        level = self._bank.levels[cluster.level - 1]
        lines = [f"{cluster}  {self._labels.get(cluster, '')}", counted(int(level.documents[cluster.index]), "document")]
        if self.plot.scene.shades is not None:
            shades = self.plot.scene.shades
            lines.append(measure_line(shades, cluster))
        lines.append("no block: width 0" if not level.block_bytes else state_words(self._overlay.get(cluster, BASE)))
        if cluster in self._tried[0] or cluster in self._tried[1]:
            lines.append("hidden" if cluster in self._tried[0] else "muted")
        self._card.show_lines(lines, at)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            cluster = self.plot.cluster_at(self.plot.mapFrom(self, event.pos()).toPointF()) if self._map is not None else None
            if cluster is None:
                return
            if cluster not in self._chosen:
                self._clicked(cluster, more=False)
        if self._map is not None and self._chosen.count:
            self.menu_wanted.emit(event.globalPos())

    def _retone(self) -> None:
        self.plot.retone(self._theme.tone)
        self.show_shades(self._shades)
