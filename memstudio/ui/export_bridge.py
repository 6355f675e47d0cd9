"""The bridge's part for exports: the order of the blocks, the curve, what is written. What was worked out is kept until the study moves."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.jobs import Job
from memstudio.ui import export_errands
from memstudio.ui.bridge import Bridge
from memstudio.ui.crossing import Errand
from memstudio.ui.export_kept import Worked
from memstudio.ui.export_views import (
    CurveFound,
    CurveWish,
    DenseDone,
    DenseWish,
    ExportDone,
    ExportRefused,
    ExportRested,
    ExportWish,
    OrderFound,
    OrderWish,
    Outlook,
)
from memstudio.ui.snapshots import Message

if TYPE_CHECKING:
    from memstudio.session import Session


class ExportBridge(QObject):
    """Signals are emitted on the interface thread only. Errors come as `refused`, with the turn's number."""

    ordered = Signal(OrderFound)
    looked = Signal(Outlook)
    measured = Signal(CurveFound)
    done = Signal(ExportDone)
    dense_done = Signal(DenseDone)
    refused = Signal(ExportRefused)
    rested = Signal(ExportRested)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._worked = Worked()
        self._jobs: dict[int, Job] = {}
        for kind, signal in (
            (OrderFound, self.ordered),
            (Outlook, self.looked),
            (CurveFound, self.measured),
            (ExportDone, self.done),
            (DenseDone, self.dense_done),
            (ExportRefused, self.refused),
            (ExportRested, self.rested),
        ):
            bridge.carry(kind, signal)

    def order(self, number: int, wish: OrderWish) -> None:
        """Rank the blocks as they stand; `ordered` follows."""

        def work(session: "Session", job: Job) -> Message:
            return export_errands.ordered(session, self._worked, number, wish, job)

        self._turn(number, f"Ranking the blocks by {wish.rank_by}", work)

    def look(self, number: int, wish: CurveWish) -> None:
        """What is known of a curve, or would it take? `looked` follows."""

        def work(session: "Session", job: Job) -> Message:
            return export_errands.looked(session, self._worked, number, wish, job)

        self._turn(number, "Looking at what a curve would take", work)

    def measure(self, number: int, wish: CurveWish) -> None:
        """Measure a curve; `measured` follows."""

        def work(session: "Session", job: Job) -> Message:
            return export_errands.measured(session, self._worked, number, wish, job)

        self._turn(number, f"Measuring the curve of {wish.series}", work)

    def export(self, number: int, wish: ExportWish) -> None:
        """Write the bank, read it back, ask its facts; `done` follows. Nothing is left where it is cancelled or refused."""

        def work(session: "Session", job: Job) -> Message:
            return export_errands.exported(session, self._worked, number, wish, job)

        self._turn(number, f"Exporting {wish.out.name}", work)

    def export_dense(self, number: int, wish: DenseWish) -> None:
        """Write one route as an ordinary model and compare the two; `dense_done` follows. Nothing is left otherwise."""
        self._turn(number, f"Exporting {wish.out.name}", lambda session, job: export_errands.exported_dense(session, number, wish, job))

    def cancel(self, number: int) -> None:
        """Cancel what is under way for a turn; `rested` follows."""
        job = self._jobs.pop(number, None)
        if job is not None:
            job.cancel()

    def _turn(self, number: int, title: str, work: Errand) -> None:
        self._jobs = {turn: job for turn, job in self._jobs.items() if not job.future.done()}
        self._jobs[number] = self._bridge.errand(
            title, work, shown=True, last=ExportRested(number), refused=lambda line: ExportRefused(number, line), owner=number
        )
