"""Samples what the process takes on a thread of its own, every two seconds and when a run or an edit is over."""

import threading
import weakref
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

from memstudio.ui.bridge import Bridge
from memstudio.ui.vitals import Vitals, sample

if TYPE_CHECKING:
    from memstudio.session import Session

EVERY_S = 2.0


class VitalsBridge(QObject):
    """Emits `measured` on the interface thread, where something changed."""

    measured = Signal(Vitals)
    _sampled = Signal(Vitals)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._session: weakref.ref[Session] | None = None
        self._whole = False
        self._wake, self._end = threading.Event(), False
        self._last: Vitals | None = None
        self._sampled.connect(self._show, Qt.ConnectionType.QueuedConnection)
        bridge.attend(self._watch)
        for over in (bridge.loaded, bridge.ended, bridge.traced, bridge.committed):
            over.connect(lambda _: self._wake.set())
        bridge.idle.connect(self._wake.set)
        self._thread = threading.Thread(target=self._loop, name="memstudio-vitals", daemon=True)
        self._thread.start()

    def watch_all(self, whole: bool) -> None:
        """Whether all that is resident is to be measured from now on; somebody looks at it."""
        self._whole = whole
        self._wake.set()

    def close(self) -> None:
        """End the thread; it takes no time."""
        self._end = True
        self._wake.set()
        self._thread.join()

    def _watch(self, session: "Session") -> None:
        """On the session's thread."""
        self._session = weakref.ref(session)  # a session that is let go takes its model with it

    def _loop(self) -> None:
        while not self._end:
            now = sample(self._session() if self._session is not None else None, self._whole)
            if now != self._last and not self._end:
                self._last = now
                self._sampled.emit(now)
            self._wake.wait(EVERY_S)
            self._wake.clear()

    def _show(self, vitals: Vitals) -> None:
        if not self._end:
            self.measured.emit(vitals)
