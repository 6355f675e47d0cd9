"""The bridge's part for facts: requests, previews and commits of fact edits, fact files and their scores.

A preview's plan stays on the worker, by the number of the dialog's turn; the window only ever holds its receipt.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.bank.values import Memory
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.ui import errands, fact_errands
from memstudio.ui.bridge import Bridge
from memstudio.ui.crossing import Errand
from memstudio.ui.fact_views import (
    Applied,
    BatchView,
    FactAsk,
    FactsScored,
    FactsView,
    FactWish,
    Located,
    Preview,
    Refusal,
    RequestView,
    Rested,
)
from memstudio.ui.snapshots import Message, Studied

if TYPE_CHECKING:
    from memstudio.editing.plan import Plan
    from memstudio.session import Session

SCORING = -1
"""Owner of the scoring's progress."""


class FactBridge(QObject):
    """Signals are emitted on the interface thread only. Errors of the dialog's errands come as `refused`, with the turn's number."""

    requested = Signal(RequestView)
    gathered = Signal(BatchView)
    previewed = Signal(Preview)
    applied = Signal(Applied)
    refused = Signal(Refusal)
    rested = Signal(Rested)
    listed = Signal(FactsView)
    scored = Signal(FactsScored)
    located = Signal(Located)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._plans: dict[int, Plan] = {}
        self._jobs: dict[int, Job] = {}
        self._scoring: Job | None = None
        for kind, signal in (
            (RequestView, self.requested),
            (BatchView, self.gathered),
            (Preview, self.previewed),
            (Applied, self.applied),
            (Refusal, self.refused),
            (Rested, self.rested),
            (FactsView, self.listed),
            (FactsScored, self.scored),
            (Located, self.located),
        ):
            bridge.carry(kind, signal)

    # The dialog

    def request(self, ask: FactAsk) -> None:
        """Phrasings and routes of a prompt; `requested` follows."""
        self._turn(ask.number, "Reading the routes", lambda session, job: fact_errands.request_of(session, ask, job))

    def gather(self, number: int, facts: tuple[Fact, ...]) -> None:
        """What many requests reach; `gathered` follows."""
        self._turn(number, "Reading the routes", lambda session, job: fact_errands.batch_of(session, number, facts, job))

    def preview(self, number: int, wish: FactWish) -> None:
        """Measure an edit on the spare arm; `previewed` follows, and the plan waits for `apply_previewed` or `forget`."""

        def work(session: "Session", job: Job) -> Message:
            plan = fact_errands.planned(session, wish, job)
            self._plans = {number: plan}
            return fact_errands.preview_of(number, wish, plan)

        self._turn(number, "Measuring the edit", work)

    def apply(self, number: int, wish: FactWish, reason: str = "") -> None:
        """Measure an edit and commit it; where its receipt breaks a limit `previewed` follows instead of `applied`."""

        def work(session: "Session", job: Job) -> Message:
            plan = fact_errands.planned(session, wish, job)
            self._plans = {number: plan}
            seen = fact_errands.preview_of(number, wish, plan)
            return seen if seen.broken and not reason else self._commit(session, number, reason)

        self._turn(number, "Measuring and applying the edit", work)

    def apply_previewed(self, number: int, reason: str = "") -> None:
        """Commit exactly what was previewed in that turn, between two tokens where an answer is being written; `applied` follows."""
        self._turn(number, "Applying the edit", lambda session, _: self._commit(session, number, reason), urgent=True)

    def forget(self, number: int) -> None:
        """Cancel what is under way for a turn, and drop its plan."""
        job = self._jobs.pop(number, None)
        if job is not None:
            job.cancel()

        def work(_: "Session", __: Job) -> None:
            self._plans.pop(number, None)

        self._bridge.urgent("Forget", work)

    def cancel(self, number: int) -> None:
        """Cancel what is under way for a turn; `rested` follows."""
        if number in self._jobs:
            self._jobs[number].cancel()

    def _turn(self, number: int, title: str, work: Errand, *, urgent: bool = False) -> None:
        self._jobs[number] = self._bridge.errand(
            title,
            work,
            shown=not urgent,
            urgent=urgent,
            last=Rested(number),
            refused=lambda line: Refusal(number, line),
            owner=number,
        )

    def _commit(self, session: "Session", number: int, reason: str) -> Message:
        revision = fact_errands.apply_plan(session, self._plans[number], reason)
        del self._plans[number]
        self._bridge.post(Studied(errands.study_view(session)))
        return Applied(number, revision)

    # The panel

    def list_own(self) -> None:
        """The bank's own facts, or its probes; `listed` follows."""
        self._bridge.errand("Facts and probes", lambda session, _: fact_errands.own_facts(session))

    def read(self, file: Path) -> None:
        """A fact file; `listed` follows."""
        self._bridge.errand(f"Reading {file.name}", lambda _, __: fact_errands.read_file(file), shown=True)

    def score(self, view: FactsView | FactsScored, memory: Memory) -> None:
        """Score a list at the head; `scored` follows."""
        self._scoring = self._bridge.errand(
            f"Scoring the {view.noun}s", lambda session, job: fact_errands.score(session, view, memory, job), shown=True, owner=SCORING
        )

    def stop_scoring(self) -> None:
        """Cancel it; what was scored before stays."""
        if self._scoring is not None:
            self._scoring.cancel()

    def locate(self, fact: Fact) -> None:
        """Where a fact's prompt leads; `located` follows."""
        self._bridge.errand("Route", lambda session, _: fact_errands.located(session, fact))
