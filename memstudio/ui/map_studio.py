"""What the window does about the map: between the map panel and the map bridge, and the prompt's key into it."""

import math
from itertools import count

from PySide6.QtCore import QObject, Signal

from memstudio.events import Routed, Traced
from memstudio.ui.bridge import Bridge
from memstudio.ui.map_bridge import TITLE, MapBridge
from memstudio.ui.map_views import KeyPlaced, KeyRead, MapFound, MapRested
from memstudio.ui.panels.map_panel import MapPanel
from memstudio.ui.panels.status_bar import StatusBar
from memstudio.ui.snapshots import Ask, JobView, Opened


class MapStudio(QObject):
    """Emits `changed` when the map can be made, or no longer."""

    changed = Signal()

    def __init__(self, bridge: Bridge, panel: MapPanel, status: StatusBar, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panel, self.bridge = panel, MapBridge(bridge)
        self._turns = count(1)
        self._turn = 0
        self._found = False
        self._job: int | None = None
        self._ask: Ask | None = None
        self._key: KeyRead | None = None
        for signal, slot in (
            (bridge.opened, self._opened),
            (bridge.asked, self._asked),
            (bridge.routed, self._routed),
            (bridge.traced, self._traced),
            (bridge.job, self._worked),
            (panel.make_wanted, self.make),
            (panel.cancel_wanted, self.bridge.cancel),
            (status.cancel_wanted, self._cancel),
            (self.bridge.found, self._show),
            (self.bridge.key_read, self._key_read),
            (self.bridge.placed, self._placed),
            (self.bridge.rested, self._rested),
        ):
            signal.connect(slot)

    @property
    def there(self) -> bool:
        """Whether there is a map, or one is being made."""
        return self._found or self._job is not None

    def make(self) -> None:
        """Make the map of the open bank; a run goes on meanwhile."""
        if not self.there and self._turn:
            self._job = self.bridge.make(self._turn)
            self._panel.show_progress(JobView(self._job, TITLE))
            self.changed.emit()

    def close(self) -> None:
        """The window goes: end what is at work."""
        self.bridge.close()

    def _cancel(self, number: int) -> None:
        if number == self._job:
            self.bridge.cancel()

    def _opened(self, opened: Opened) -> None:
        self._turn = next(self._turns)
        self._found, self._job, self._ask, self._key = False, None, None, None
        self.bridge.open(self._turn, opened.bank.folder, opened.study.folder)
        self.changed.emit()

    def _show(self, found: MapFound) -> None:
        if found.turn == self._turn:
            self._found = found.map is not None
            self._panel.show_map(found.map)
            self._place()
            self.changed.emit()

    def _worked(self, job: JobView) -> None:
        if job.number == self._job and not job.ended:
            self._panel.show_progress(job)

    def _rested(self, rested: MapRested) -> None:
        if rested.turn == self._turn:
            self._job = None
            self._panel.show_progress(None)
            self.changed.emit()

    # The prompt's key

    def _asked(self, ask: Ask) -> None:
        self._ask = ask
        self._forget_key()

    def _routed(self, number: int, event: Routed) -> None:
        """A route that was pinned or named was not chosen by a key, so none is drawn."""
        if self._ask is not None and self._ask.number == number and event.route.distances and math.isfinite(event.route.distances[0]):
            self.bridge.read_key(number, self._ask.key, self._ask.text)

    def _traced(self, event: Traced) -> None:
        if self._ask is None or event.trace.prompt != self._ask.text:
            self._forget_key()  # it is another prompt's, whose route is shown now

    def _forget_key(self) -> None:
        self._key = None
        self._panel.show_key(None)

    def _key_read(self, read: KeyRead) -> None:
        if self._ask is not None and read.ask == self._ask.number:
            self._key = read
            self._place()

    def _place(self) -> None:
        if self._key is not None and self._found:
            self.bridge.place(self._turn, self._key.ask, self._key.key)

    def _placed(self, placed: KeyPlaced) -> None:
        if placed.turn == self._turn and self._key is not None and placed.ask == self._key.ask:
            self._panel.show_key(placed.place)
