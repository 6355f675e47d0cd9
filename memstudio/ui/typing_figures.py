"""How long a person who types waits for the route: from each key to its route painted, on the real window."""

import time

from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtTest import QTest

from memstudio.errors import UserError
from memstudio.ui.docks import show_dock
from memstudio.ui.main_window import MainWindow

TEXT = "The atomic number of gold is smaller than that of lead, and the capital of France lies on the river Seine, not far off."
_PATIENCE_MS = 60_000


def keystrokes_ms(window: MainWindow, count: int = 100) -> list[float]:
    """Type `count` keys into the prompt of a window with a bank open, each after the route of the one before was painted.

    Returns milliseconds [count] from the key to the end of the route panel's paint. The prompt is left as typed, the panel in front.

    Raises:
        UserError: no bank is open, or a route did not come within a minute.
    """
    if window.studio.bank is None:
        raise UserError("no bank is open: open one before its routes are timed")
    prompt = window.panels.prompt
    prompt.key.clear()
    prompt.text.clear()
    show_dock(window.docks["route"])
    prompt.text.setFocus()
    sight = _Sight(window)
    try:
        return [sight.of_key(TEXT[at % len(TEXT)]) for at in range(count)]
    finally:
        sight.done()


class _Sight(QObject):
    """Sees when the newest route has been painted."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._view = window.route.list.viewport()
        self._loop = QEventLoop()
        self._patience = QTimer()
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(lambda: self._loop.exit(1))
        self._came = False
        window.routes.shown.connect(self._shown)
        self._view.installEventFilter(self)

    def of_key(self, letter: str) -> float:
        """Milliseconds from one key to its route painted.

        Raises:
            UserError: it did not come.
        """
        self._came = False
        self._patience.start(_PATIENCE_MS)
        began = time.perf_counter()
        QTest.keyClicks(self._window.panels.prompt.text, letter)
        if self._loop.exec():
            raise UserError(f"no route was painted within {_PATIENCE_MS // 1000} s of a key")
        return (time.perf_counter() - began) * 1000

    def done(self) -> None:
        """Look no more."""
        self._patience.stop()
        self._window.routes.shown.disconnect(self._shown)
        self._view.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The first paint after the newest route came is that route's; what is queued behind it runs when it is done."""
        if self._came and event.type() == QEvent.Type.Paint:
            self._came = False
            QTimer.singleShot(0, self._loop, self._loop.quit)
        return super().eventFilter(watched, event)

    def _shown(self, number: int) -> None:
        if number == self._window.routes.newest:
            self._came = True
            self._view.update()
