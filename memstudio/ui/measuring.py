"""Measures what each new revision did, after it was committed and when nothing else is to be done, so that every one gets its receipt."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from memstudio.events import Committed
from memstudio.jobs import Job
from memstudio.ui import errands
from memstudio.ui.bridge import Bridge
from memstudio.ui.snapshots import MeasureEnded, Message, Opened, Studied

if TYPE_CHECKING:
    from memstudio.session import Session

PAUSE_MS = 500


class Measuring(QObject):
    """The revisions that wait for their receipt, newest first. Turned off, none is added. Emits `measured` with each that is done."""

    measured = Signal(int)
    _ended = Signal(MeasureEnded)

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.on = True
        self._bridge = bridge
        self._waiting: list[int] = []
        self._newest = 0
        self._at_work: int | None = None
        self._gave_way = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._begin)
        bridge.carry(MeasureEnded, self._ended)
        self._ended.connect(self._end)
        bridge.opened.connect(self._opened)
        bridge.committed.connect(self._committed)
        bridge.gave_way.connect(self._give_way)
        bridge.idle.connect(self._idle)

    def _opened(self, opened: Opened) -> None:
        self._waiting.clear()
        self._newest = max(revision.id for revision in opened.study.log)

    def _committed(self, committed: Committed) -> None:
        revision = committed.revision
        if revision.id <= self._newest:
            return
        self._newest = revision.id
        if self.on and not revision.receipt.get("measured"):
            self._waiting.insert(0, revision.id)

    def _idle(self) -> None:
        if self.on and self._waiting and self._at_work is None:
            self._pause.start()

    def _begin(self) -> None:
        if not (self.on and self._waiting and self._bridge.resting) or self._at_work is not None:
            return
        number = self._waiting[0]
        self._at_work, self._gave_way = number, False

        def work(session: "Session", job: Job) -> Message:
            session.measure(number, job=job)
            return Studied(errands.study_view(session))

        self._bridge.background(f"Measuring what revision {number} did", work, MeasureEnded(number))

    def _give_way(self) -> None:
        self._gave_way = True

    def _end(self, ended: MeasureEnded) -> None:
        self._at_work = None
        if not self._gave_way and ended.revision in self._waiting:
            self._waiting.remove(ended.revision)  # done, or cancelled by the user
            self.measured.emit(ended.revision)
