"""What the window does about routes: the prompt is routed as it is typed, what would be fetched is shown before any run."""

from itertools import count

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from memstudio.bank.values import ClusterId, Memory
from memstudio.events import Hidden
from memstudio.session.router import KeyRoute
from memstudio.ui.panels.route_panel import RoutePanel
from memstudio.ui.route_bridge import RouteBridge
from memstudio.ui.route_views import RouteAsk, RouteSaid, source_of
from memstudio.ui.snapshots import Loaded, Opened, Studied
from memstudio.ui.studio import Studio

OUTLINE_MS = 150
"""All views outline the route when typing pauses for so long."""
NO_CHIPS = "The prompt chooses one block a level."


class RouteStudio(QObject):
    """Emits `shown` with the number of the question whose answer now stands on the panel."""

    shown = Signal(int)

    def __init__(self, studio: Studio, panel: RoutePanel, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self._panel = studio, panel
        self.bridge = RouteBridge(studio.bridge)
        self._numbers = count(1)
        self.newest = 0
        self._tried = Hidden(frozenset(), frozenset())
        self._found: KeyRoute | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(OUTLINE_MS)
        prompt, bridge = studio.panels.prompt, studio.bridge
        for signal, slot in (
            (prompt.text.textChanged, self.ask),
            (prompt.key.textChanged, self.ask),
            (prompt.memory.currentIndexChanged, self._show_fetched),
            (bridge.opened, self._opened),
            (bridge.studied, self._studied),
            (bridge.hidden, self._hidden),
            (bridge.loaded, self._loaded),
            (bridge.ended, self._show_fetched),
            (studio.overview.chosen_changed, panel.show_chosen),
            (self.bridge.said, self._said),
            (self._pause.timeout, self._outline),
            (panel.selected, studio.pick),
            (panel.run_wanted, studio.run_on),
            (panel.pin_wanted, studio.bridge.pin),
            (panel.show_wanted, self._show),
        ):
            signal.connect(slot)

    def ask(self) -> None:
        """Route what stands in the key field, else the prompt."""
        self.newest = next(self._numbers)
        wish = self._studio.panels.prompt.ask(self.newest)
        if self._studio.bank is None or not (wish.key or wish.text):
            self._show_none("No route yet", "Write a prompt: where it goes is shown here as you type.")
            return
        self.bridge.route(RouteAsk(self.newest, wish.text, wish.key, self._tried.hidden, self._tried.pinned))

    @property
    def path(self) -> tuple[tuple[ClusterId, str], ...]:
        """The clusters that a run of the prompt would take, each with its label; none where there is no route."""
        found = self._found
        if found is None:
            return ()
        labels = {each.cluster: each.label for each in (*found.pinned, *(each for fork in found.forks for each in fork.candidates))}
        return tuple((cluster, labels.get(cluster, "")) for cluster in found.fetched.clusters)

    def close(self) -> None:
        """End the routing thread."""
        self._pause.stop()
        self.bridge.close()

    def _said(self, said: RouteSaid) -> None:
        if said.ask.number != self.newest:
            return
        if isinstance(said.found, str):
            self._show_none("No route", said.found)
        else:
            self._found = said.found
            self._panel.show_route(said.found, source_of(said.ask, said.found.key))
            self._show_chips()
            self._pause.start()
        self.shown.emit(said.ask.number)

    def _show_none(self, title: str, why: str) -> None:
        self._found = None
        self._panel.show_nothing(why, title=title)
        if self._idle:
            self._studio.panels.prompt.breadcrumb.show_route(None, NO_CHIPS)
        self._pause.start()

    def _show_fetched(self) -> None:
        """Below the prompt and outlined in every view: what a run would fetch."""
        if self._found is not None:
            self._show_chips()
        self._outline()

    def _show_chips(self) -> None:
        """The chips below the prompt; while a run is at work they are the run's."""
        found, chips, memory = self._found, self._studio.panels.prompt.breadcrumb, self._memory
        if found is None or not self._idle:
            return
        if memory == "fetched":
            near = (*found.pinned, *(each for fork in found.forks for each in fork.candidates))
            chips.show_route(found.fetched, labels={each.cluster: each.label for each in near})
        else:
            chips.show_route(None, f"No route: a run adds {'generic blocks' if memory == 'generic' else 'no memory'}.")

    def _outline(self) -> None:
        if self._idle:
            self._studio.overview.show_route(self._found.fetched.clusters if self._found and self._memory == "fetched" else ())

    @property
    def _memory(self) -> Memory:
        return self._studio.panels.prompt.ask(0).memory

    @property
    def _idle(self) -> bool:
        return not self._studio.situation.running

    def _show(self, cluster: ClusterId) -> None:
        self._studio.pick(cluster)
        self._studio.panels.tree.reveal(cluster, select=False)

    def _opened(self, opened: Opened) -> None:
        self._tried = Hidden(frozenset(), frozenset())
        self._panel.show_study(opened.study.overlay)
        self._panel.show_tried(self._tried)
        self.ask()

    def _loaded(self, _: Loaded) -> None:
        """Now the anchor's chat template is known, and with it what of a conversation is the key."""
        self.ask()

    def _studied(self, studied: Studied) -> None:
        self._panel.show_study(studied.study.overlay)

    def _hidden(self, event: Hidden) -> None:
        self._tried = event
        self._panel.show_tried(event)
        self.ask()
