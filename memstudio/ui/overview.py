"""What all views of the whole bank share: one selection, one route, one colour measure. Tree, table, icicle and map never disagree."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from PySide6.QtCore import QObject, QPoint, Signal, SignalInstance

from memstudio.bank.values import ClusterId, Overlay
from memstudio.events import Hidden
from memstudio.ui.bridge import Bridge
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, NodeView, Opened, Studied

STATE = "State"
"""The name under which clusters are coloured by nothing but their state."""


class View(Protocol):
    """A view of the whole bank."""

    wanted: SignalInstance
    chosen: SignalInstance
    menu_wanted: SignalInstance

    def show_bank(self, bank: BankView, overlay: Overlay) -> None: ...
    def show_overlay(self, overlay: Overlay) -> None: ...
    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None: ...
    def show_route(self, clusters: Sequence[ClusterId]) -> None: ...
    def show_shades(self, shades: Shades | None) -> None: ...
    def show_chosen(self, chosen: Chosen) -> None: ...
    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None: ...


class Overview(QObject):
    """Emits `chosen` when another selection stands, `menu_wanted` where a view's context menu is asked for, `measured` with the names
    of the measures that there are and the one that colours."""

    chosen_changed = Signal(Chosen)
    menu_wanted = Signal(QPoint)
    measured = Signal(tuple, str)
    figures_changed = Signal()
    """A measure came, went or changed."""

    def __init__(self, bridge: Bridge, views: Sequence[View], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.views = tuple(views)
        self.chosen = Chosen()
        self.figures: dict[str, Shades] = {}
        self.colour = STATE
        self._sizes: tuple[int, ...] = ()
        for view in self.views:
            view.wanted.connect(bridge.ask_nodes)
            view.chosen.connect(self.choose)
            view.menu_wanted.connect(self.menu_wanted)
        bridge.opened.connect(self._opened)
        bridge.studied.connect(self._studied)
        bridge.hidden.connect(self._hidden)
        bridge.nodes.connect(self._nodes)

    # The selection

    def choose(self, chosen: Chosen) -> None:
        """Select in every view."""
        if chosen == self.chosen:
            return
        self.chosen = chosen
        for view in self.views:
            view.show_chosen(chosen)
        self.chosen_changed.emit(chosen)

    def pick(self, cluster: ClusterId | None) -> None:
        """Select one cluster, or none."""
        self.choose(choose(self._sizes, [] if cluster is None else [cluster]))

    # The colours

    def offer(self, name: str, shades: Shades | None, *, show: bool = False) -> None:
        """A measure of every cluster under a name; None: there is none any more. show: colour by it from now on."""
        known = name in self.figures
        if shades is None:
            self.figures.pop(name, None)
        else:
            self.figures[name] = shades
        if shades is None and self.colour == name:
            self.colour_by(STATE)
        elif show and self.colour != name:
            self.colour_by(name)
        elif self.colour == name:
            self._shade()
        self.figures_changed.emit()
        if known != (shades is not None):
            self.measured.emit((STATE, *self.figures), self.colour)

    def colour_by(self, name: str) -> None:
        """Colour every view by a measure that was offered, or by state."""
        self.colour = name if name in self.figures else STATE
        self._shade()
        self.measured.emit((STATE, *self.figures), self.colour)

    def _shade(self) -> None:
        shades = self.figures.get(self.colour)
        for view in self.views:
            view.show_shades(shades)

    # What comes back

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """Outline a route."""
        for view in self.views:
            view.show_route(clusters)

    def _opened(self, opened: Opened) -> None:
        self._sizes = tuple(level.clusters for level in opened.bank.levels)
        self.chosen, self.figures = choose(self._sizes), {}
        for view in self.views:
            view.show_bank(opened.bank, opened.study.overlay)
        self.colour_by(STATE)

    def _studied(self, studied: Studied) -> None:
        for view in self.views:
            view.show_overlay(studied.study.overlay)

    def _hidden(self, event: Hidden) -> None:
        for view in self.views:
            view.show_hidden(event.hidden, event.muted)

    def _nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        for view in self.views:
            view.show_nodes(nodes)
