"""Routing while somebody types: a thread of its own beside the session's, so that it waits neither for a model that loads nor for an
answer that is being written. It reads the tree, the encoder and labels, which nobody writes to."""

import threading
import weakref
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.ui.aside import Aside
from memstudio.ui.bridge import Bridge
from memstudio.ui.route_views import RouteAsk, RouteSaid

if TYPE_CHECKING:
    from memstudio.session import Session
    from memstudio.session.router import KeyRoute, Router


class RouteBridge(QObject):
    """Emits `said` on the interface thread only. Of questions that come faster than they are answered only the newest is answered."""

    said = Signal(RouteSaid)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._aside = Aside(bridge, "memstudio-routes")
        self._router: weakref.ref[Router] | None = None
        self._newest: RouteAsk | None = None
        self._lock = threading.Lock()
        bridge.carry(RouteSaid, self.said)
        bridge.attend(self._opened)

    def route(self, ask: RouteAsk) -> None:
        """Find out where a key goes; `said` follows, unless a newer question comes before its turn."""
        with self._lock:
            waiting, self._newest = self._newest is not None, ask
        if not waiting:
            self._aside.submit("Routing", self._work)

    def close(self) -> None:
        """The window goes: end the thread."""
        with self._lock:
            self._newest = None
        self._aside.close()

    # On the session's thread

    def _opened(self, session: "Session") -> None:
        self._router = weakref.ref(session.router)  # a session that is let go takes its model with it

    # On the thread of its own

    def _work(self, _: Job) -> RouteSaid | None:
        with self._lock:
            ask, self._newest = self._newest, None
        router = self._router() if self._router is not None else None
        return None if ask is None or router is None else RouteSaid(ask, _answer(router, ask))


def _answer(router: "Router", ask: RouteAsk) -> "KeyRoute | str":
    try:
        return router.route(router.key_of(ask.prompt) if ask.key is None else ask.key, ask.hidden, ask.pinned)
    except UserError as error:
        return str(error)
