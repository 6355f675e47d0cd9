"""Routing while somebody types: a thread of its own beside the session's, so that it waits neither for a model that loads nor for an
answer that is being written. It reads the tree, the encoder and labels, which nobody writes to."""

import threading
import traceback
from concurrent.futures import Future
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

from memstudio.errors import UserError
from memstudio.jobs import Job, Worker
from memstudio.ui.bridge import Bridge
from memstudio.ui.route_views import RouteAsk, RouteSaid
from memstudio.ui.snapshots import Crashed

if TYPE_CHECKING:
    from memstudio.session import Session
    from memstudio.session.router import KeyRoute, Router


class RouteBridge(QObject):
    """Emits `said` on the interface thread only. Of questions that come faster than they are answered only the newest is answered."""

    said = Signal(RouteSaid)
    _came = Signal(RouteSaid)
    _broke = Signal(Crashed)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._worker = Worker("memstudio-routes")
        self._router: Router | None = None
        self._newest: RouteAsk | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._came.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._broke.connect(bridge.crashed, Qt.ConnectionType.QueuedConnection)
        bridge.attend(self._opened)

    def route(self, ask: RouteAsk) -> None:
        """Find out where a key goes; `said` follows, unless a newer question comes before its turn."""
        with self._lock:
            waiting, self._newest = self._newest is not None, ask
        if not waiting:
            self._worker.submit("Routing", self._work).future.add_done_callback(self._settle)

    def close(self) -> None:
        """End the thread."""
        if not self._closed:
            self._closed = True
            self._worker.close()

    def _deliver(self, said: RouteSaid) -> None:
        if not self._closed:
            self.said.emit(said)

    # On the session's thread

    def _opened(self, session: "Session") -> None:
        self._router = session.router

    # On the thread of its own

    def _work(self, _: Job) -> None:
        with self._lock:
            ask, self._newest = self._newest, None
        router = self._router
        if ask is not None and router is not None and not self._closed:
            self._came.emit(RouteSaid(ask, _answer(router, ask)))

    def _settle(self, future: Future[None]) -> None:
        error = future.exception()
        if error is not None:
            self._broke.emit(Crashed("Routing", "".join(traceback.format_exception(error))))


def _answer(router: "Router", ask: RouteAsk) -> "KeyRoute | str":
    try:
        return router.route(router.key_of(ask.prompt) if ask.key is None else ask.key, ask.hidden, ask.pinned)
    except UserError as error:
        return str(error)
