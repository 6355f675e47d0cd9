"""The bridge's part for counting how prompts use the blocks: one count at a time, what was found so far, what the study keeps."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.jobs import Job
from memstudio.ui.bridge import Bridge
from memstudio.ui.use_views import UseAsk, UseKept, UseRested, UseSaid

if TYPE_CHECKING:
    from memstudio.session import Session


class UseBridge(QObject):
    """Signals are emitted on the interface thread only: `said` … and, whatever happens, `rested`; `kept` with what the study keeps."""

    said = Signal(UseSaid)
    rested = Signal(UseRested)
    kept = Signal(UseKept)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._job: Job | None = None
        bridge.carry(UseSaid, self.said)
        bridge.carry(UseRested, self.rested)
        bridge.carry(UseKept, self.kept)

    def count(self, ask: UseAsk) -> None:
        """Count a set of prompts."""

        def work(session: "Session", job: Job) -> None:
            session.count_use(ask.file, effects=ask.effects, job=job, told=lambda counted: self._bridge.post(UseSaid(ask.number, counted)))

        title, last = "Measuring effects" if ask.effects else "Counting use", UseRested(ask.number)
        self._job = self._bridge.errand(title, work, shown=True, last=last, refused=lambda line: UseRested(ask.number, line))

    def stop(self) -> None:
        """End the count after this batch; what was counted is kept."""
        if self._job is not None:
            self._job.cancel()

    def reload(self, *, runs: bool = False) -> None:
        """Ask for what the study keeps, or of single runs alone; `kept` follows."""
        self._bridge.urgent("Kept counts", lambda session, _: kept_of(session, runs=runs))

    def forget(self, use_id: int) -> None:
        """Let a count go; `kept` follows."""

        def work(session: "Session", _: Job) -> UseKept:
            session.forget_use(use_id)
            return kept_of(session)

        self._bridge.urgent("Remove a count", work)


def kept_of(session: "Session", *, runs: bool = False) -> UseKept:
    """What the study keeps, and the blocks of its bank."""
    held = tuple(session.bank.held(level) for level in range(1, session.bank.tree.depth + 1))
    return UseKept(tuple(session.uses(sets=not runs)), held, runs)
