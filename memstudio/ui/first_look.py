"""When the window was first painted, when its bank was open and when it first showed a route: what a start costs, told as one JSON line."""

import json
import sys
import time

from PySide6.QtCore import QEvent, QObject, QTimer

from memstudio.session.resident import process_memory
from memstudio.ui.main_window import MainWindow

PROMPT = "The atomic number of gold is"
"""What is asked where the bank brings no prompt of its own."""


class FirstLook(QObject):
    """Notes the moments (seconds of `time.time`), with a processor's seconds and what is in memory then; closes the window at the last."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.moments: dict[str, float] = {}
        """painted, opened, route; each with _cpu_s too, and with _bytes, where this system says what a process has in memory now."""
        self.problem: str | None = None
        bridge = window.studio.bridge
        window.studio.opened.connect(self._opened)
        window.routes.shown.connect(lambda _: self._seen("route", last=True))
        bridge.failed.connect(self._fail)
        window.studio.crashed.connect(lambda crash: self._fail(f"{crash.title} failed"))
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The window is painted when what is queued behind its first paint begins."""
        if event.type() == QEvent.Type.Paint:
            self._window.removeEventFilter(self)
            self._seen("painted")
        return super().eventFilter(watched, event)

    def tell(self) -> None:
        """Print the moments."""
        sys.stdout.write(json.dumps(self.moments) + "\n")

    def _opened(self) -> None:
        self._seen("opened")
        if not self._window.panels.prompt.has_prompt:
            self._window.panels.prompt.write(PROMPT)

    def _seen(self, what: str, *, last: bool = False) -> None:
        def note() -> None:
            if what not in self.moments:
                self.moments[what] = time.time()
                self.moments[f"{what}_cpu_s"] = time.process_time()
                size, peak = process_memory()
                if size is not None and not peak:
                    self.moments[f"{what}_bytes"] = size
            if last:
                self._window.close()

        QTimer.singleShot(0, self, note)

    def _fail(self, line: str) -> None:
        self.problem = line
        self._window.close()
