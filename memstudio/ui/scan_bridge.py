"""The bridge's part for scans: one at a time, what was found so far a few times a second, stopped by what the user does."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.jobs import Job
from memstudio.ui.bridge import Bridge
from memstudio.ui.scan_views import ScanAsk, ScanRested, ScanSaid

if TYPE_CHECKING:
    from memstudio.session import Session


class ScanBridge(QObject):
    """Signals are emitted on the interface thread only: `said` …, and, whatever happens, `rested`."""

    said = Signal(ScanSaid)
    rested = Signal(ScanRested)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._job: Job | None = None
        bridge.carry(ScanSaid, self.said)
        bridge.carry(ScanRested, self.rested)

    def scan(self, ask: ScanAsk) -> None:
        """Read the answer under every path."""

        def work(session: "Session", job: Job) -> ScanSaid:
            found = session.scan(
                ask.text, ask.answer or None, key=ask.key, job=job, told=lambda scan: self._bridge.post(ScanSaid(ask.number, scan))
            )
            return ScanSaid(ask.number, found, over=True)

        title, last = "Scanning the paths", ScanRested(ask.number)
        self._job = self._bridge.errand(title, work, shown=True, last=last, refused=lambda line: ScanRested(ask.number, line))

    def stop(self) -> None:
        """End the scan after this batch; what was found stays."""
        if self._job is not None:
            self._job.cancel()
