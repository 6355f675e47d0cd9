"""How long the interface thread lets one wait: a timer that should ring every few milliseconds, and a look at what held it up."""

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 4
LATE_MS = 16.0
_LOOK_S = 0.004
_HOME = str(Path(__file__).parents[1])


@dataclass(frozen=True, slots=True)
class Beats:
    """How late the timer rang, in milliseconds: what a click at that moment would have waited before it was heard.

    p50, p95, p99, longest: None where it never rang. late: the share over 16 ms. own: what the thread itself computed between two beats,
    waiting for a core or for the interpreter not counted. slow: the places in the program that were at work while it was late, and how
    often each was seen, most often first.
    """

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    longest_ms: float | None
    late: float | None
    own_p95_ms: float | None
    own_longest_ms: float | None
    slow: tuple[tuple[str, int], ...]


class Heartbeat(QObject):
    """Rings from `start` to `stop`, on the thread that made it. A second thread looks at what that one does while a beat is late."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = threading.get_ident()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._last = 0.0
        self._own = 0.0
        self._late_ms: list[float] = []
        self._own_ms: list[float] = []
        self._seen: Counter[str] = Counter()
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Begin anew."""
        self._late_ms, self._own_ms, self._seen = [], [], Counter()
        self._last, self._own = time.perf_counter(), time.thread_time()
        self._over.clear()
        self._watcher = threading.Thread(target=self._watch, name="heartbeat", daemon=True)
        self._watcher.start()
        self._timer.start()

    def stop(self) -> Beats:
        """What was heard since `start`."""
        self._timer.stop()
        self._over.set()
        if self._watcher is not None:
            self._watcher.join()
        return beats(self._late_ms, self._own_ms, self._seen)

    def _beat(self) -> None:
        now, own = time.perf_counter(), time.thread_time()
        self._late_ms.append(max(0.0, (now - self._last) * 1000 - BEAT_MS))
        self._own_ms.append((own - self._own) * 1000)
        self._last, self._own = now, own

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            if (time.perf_counter() - self._last) * 1000 > BEAT_MS + LATE_MS:
                self._seen[place_of(sys._current_frames().get(self._thread))] += 1


def beats(late_ms: list[float], own_ms: list[float], seen: Counter[str]) -> Beats:
    """The figures of a series of delays, and of what was computed meanwhile."""
    if not late_ms:
        return Beats(0, *(None,) * 7, ())
    late, own = np.array(late_ms), np.array(own_ms)
    p50, p95, p99 = (float(np.percentile(late, share)) for share in (50, 95, 99))
    own95 = float(np.percentile(own, 95))
    over = float((late > LATE_MS).mean())
    return Beats(late.size, p50, p95, p99, float(late.max()), over, own95, float(own.max()), tuple(seen.most_common(8)))


def place_of(frame: FrameType | None) -> str:
    """The innermost line of this program in a stack, as `ui/studio.py:120 open`; where there is none, what else is at work."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_HOME) and file != __file__:
            return f"{Path(file).relative_to(_HOME).as_posix()}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return "outside the program: Qt, the system, or another thread that held the interpreter"
