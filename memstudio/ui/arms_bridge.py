"""The bridge's part for A/B/C: one at a time, each token as it comes, stopped by what the user does."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.anchor.values import Sampling
from memstudio.jobs import Job
from memstudio.ui.arms_views import ArmsAsk, ArmsEnded, ArmsSaid, ArmsStand, ArmsWeighed
from memstudio.ui.bridge import Bridge
from memstudio.ui.models.arms_sheet import ArmsSheet
from memstudio.ui.models.csv_file import write_csv
from memstudio.ui.snapshots import Noted
from memstudio.ui.texts import counted

if TYPE_CHECKING:
    from memstudio.session import Session


class ArmsBridge(QObject):
    """Signals are emitted on the interface thread only: `stand`, `said` …, `weighed` where it was not stopped and, always, `ended`."""

    stand = Signal(ArmsStand)
    said = Signal(ArmsSaid)
    weighed = Signal(ArmsWeighed)
    ended = Signal(ArmsEnded)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._job: Job | None = None
        for kind, signal in ((ArmsStand, self.stand), (ArmsSaid, self.said), (ArmsWeighed, self.weighed), (ArmsEnded, self.ended)):
            bridge.carry(kind, signal)

    def answer(self, ask: ArmsAsk) -> None:
        """Have the arms answer; what the signals tell follows, and whatever happens `ended`."""

        def work(session: "Session", job: Job) -> ArmsEnded:
            sampling = Sampling(ask.max_tokens, ask.temperature, seed=ask.seed)
            arms = session.arms(ask.text, ask.wishes, sampling, key=ask.key, job=job)
            self._bridge.post(ArmsStand(ask.number, arms.standing))
            for number, token in arms.tokens():
                self._bridge.post(ArmsSaid(ask.number, number, token))
            self._bridge.post(ArmsWeighed(ask.number, arms.weigh()))
            return ArmsEnded(ask.number)

        last = ArmsEnded(ask.number, stopped=True)  # what comes after `work` told its own end is dropped
        self._job = self._bridge.errand("Answering side by side", work, last=last, refused=lambda line: ArmsEnded(ask.number, line=line))

    def stop(self) -> None:
        """Stop all after this token."""
        if self._job is not None:
            self._job.cancel()

    def save(self, sheet: ArmsSheet, file: Path) -> None:
        """Write the table as CSV; a line in the status bar follows."""

        def work(_: "Session", __: Job) -> Noted:
            return Noted(f"{file}: {counted(write_csv(file, sheet.header(), sheet.lines()), 'row')} written.")

        self._bridge.errand("Writing the table", work, shown=True)
