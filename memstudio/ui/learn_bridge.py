"""The bridge's part for documents that are taught: what they reach, a trial, its commit. A trial's plan stays on the worker."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.jobs import Job
from memstudio.ui import errands, learn_errands
from memstudio.ui.bridge import Bridge
from memstudio.ui.crossing import Errand
from memstudio.ui.learn_views import Kept, LearnRefused, LearnRested, LearnWish, Reach, TaughtView, TeachWish, Tried
from memstudio.ui.snapshots import Message, Studied

if TYPE_CHECKING:
    from memstudio.editing.plan import Plan
    from memstudio.session import Session


class LearnBridge(QObject):
    """Signals are emitted on the interface thread only. Errors come as `refused`, with the turn's number."""

    reached = Signal(Reach)
    tried = Signal(Tried)
    kept = Signal(Kept)
    refused = Signal(LearnRefused)
    rested = Signal(LearnRested)
    taught = Signal(TaughtView)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._plans: dict[int, Plan] = {}
        self._jobs: dict[int, Job] = {}
        for kind, signal in (
            (Reach, self.reached),
            (Tried, self.tried),
            (Kept, self.kept),
            (LearnRefused, self.refused),
            (LearnRested, self.rested),
            (TaughtView, self.taught),
        ):
            bridge.carry(kind, signal)

    def list_taught(self) -> None:
        """What the study taught; `taught` follows."""
        self._bridge.urgent("Taught documents", lambda session, _: learn_errands.taught(session))

    def look(self, number: int, wish: TeachWish) -> None:
        """What the documents reach; `reached` follows."""
        self._turn(number, "Reading the documents", lambda session, job: learn_errands.reach_of(session, number, wish, job))

    def try_out(self, number: int, wish: LearnWish) -> None:
        """Work the edit out on the spare arm and measure it; `tried` follows, and the plan waits for `keep` or `forget`."""

        def work(session: "Session", job: Job) -> Message:
            plan = learn_errands.tried(session, wish, job)
            self._plans = {number: plan}
            return learn_errands.view_of(number, wish, plan)

        self._turn(number, learn_errands.words_of(wish), work)

    def keep(self, number: int, reason: str) -> None:
        """Commit exactly what was tried in that turn, between two tokens where an answer is being written; `kept` follows."""

        def work(session: "Session", _: Job) -> Message:
            revision = learn_errands.keep(session, self._plans[number], reason)
            del self._plans[number]
            self._bridge.post(Studied(errands.study_view(session)))
            return Kept(number, revision)

        self._turn(number, "Committing the edit", work, urgent=True)

    def cancel(self, number: int) -> None:
        """Cancel what is under way for a turn; `rested` follows."""
        if number in self._jobs:
            self._jobs[number].cancel()

    def forget(self, number: int) -> None:
        """Cancel what is under way for a turn, and drop its plan."""
        job = self._jobs.pop(number, None)
        if job is not None:
            job.cancel()

        def work(_: "Session", __: Job) -> None:
            self._plans.pop(number, None)

        self._bridge.urgent("Forget", work)

    def _turn(self, number: int, title: str, work: Errand, *, urgent: bool = False) -> None:
        self._jobs[number] = self._bridge.errand(
            title,
            work,
            shown=not urgent,
            urgent=urgent,
            last=LearnRested(number),
            refused=lambda line: LearnRefused(number, line),
            owner=number,
        )
