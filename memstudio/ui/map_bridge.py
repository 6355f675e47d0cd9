"""The bridge's part for the map: read, made and asked on a thread of its own, so that a run on the session's worker goes on meanwhile.

Only the bank's tree is read there, from a bank that this thread opened itself; UMAP is a process of its own (`session.umap_child`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from memstudio.jobs import Job
from memstudio.session.centroid_map import Map, centroid_map, map_file, place_key, read_map
from memstudio.session.umap_child import CHILD
from memstudio.ui.aside import Aside
from memstudio.ui.bridge import Bridge
from memstudio.ui.job_told import JobTold
from memstudio.ui.map_views import KeyPlaced, KeyRead, MapFound, MapRested
from memstudio.ui.snapshots import Message

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank
    from memstudio.session import Session

TITLE = "Making the map"


class MapBridge(QObject):
    """Signals are emitted on the interface thread only. Whatever a turn asked for, answers to it bear its number."""

    found = Signal(MapFound)
    key_read = Signal(KeyRead)
    placed = Signal(KeyPlaced)
    rested = Signal(MapRested)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self.child: Sequence[str] = CHILD
        """The command that runs UMAP."""
        self._bridge = bridge
        self._aside = Aside(bridge, "memstudio-map")
        self._making: Job | None = None
        self._bank: Bank | None = None
        self._keep = Path()
        self._map: Map | None = None
        """These three belong to the map's thread."""
        for kind, signal in ((MapFound, self.found), (KeyRead, self.key_read), (KeyPlaced, self.placed), (MapRested, self.rested)):
            bridge.carry(kind, signal)

    def open(self, turn: int, bank: Path, study: Path) -> None:
        """Another bank: `found` follows, with the map that the study's folder keeps of it. What is at work for the one before ends."""
        self.cancel()

        def work(_: Job) -> Message:
            from memstudio.bank.bank import open_bank

            self._bank = self._map = None
            self._bank = open_bank(bank)
            self._keep = map_file(study, self._bank.digest)
            self._map = read_map(self._bank, self._keep)
            return MapFound(turn, self._map)

        self._aside.submit("Reading the map", work)

    def make(self, turn: int) -> int:
        """Make the map: `found` or nothing, then `rested`. Gives the number under which the window lists it."""
        number, child = self._bridge.number(), self.child
        told = JobTold(self._bridge.post, number, TITLE)

        def work(job: Job) -> Message | None:
            if self._bank is None:
                return None
            self._map = centroid_map(self._bank, self._keep, job, child=child)
            return MapFound(turn, self._map)

        def end(job: Job) -> None:
            told.end(job)
            self._bridge.post(MapRested(turn))

        self._making = self._aside.submit(TITLE, work, tell=told, last=end)
        return number

    def cancel(self) -> None:
        """End the making of the map, its process with it; nothing is kept of it."""
        if self._making is not None:
            self._making.cancel()
            self._making = None

    def read_key(self, ask: int, key: str | None, prompt: str) -> None:
        """Have the session's worker read the vector of a key that it has just routed (None: the prompt's own); `key_read` follows."""

        def work(session: "Session", _: Job) -> Message:
            running = session.running
            return KeyRead(ask, running.key_vectors([running.key_of(prompt) if key is None else key])[0])

        self._bridge.errand("Reading the key", work, urgent=True)

    def place(self, turn: int, ask: int, key: NDArray[np.float32]) -> None:
        """Find where a key [dim] lies; `placed` follows where there is a map by then."""

        def work(_: Job) -> Message | None:
            if self._bank is None or self._map is None:
                return None
            return KeyPlaced(turn, ask, place_key(self._map, self._bank.tree, key))

        self._aside.submit("Placing the key", work)

    def close(self) -> None:
        """End what is at work, its process with it, and the thread. Waits for it: a few seconds where the process is stubborn."""
        self.cancel()
        self._aside.close()
