"""The bridge's part for revisions: receipts afterwards, names, reverts, comparisons, patches, purges.

A patch's plan stays on the worker by the number of the dialog's turn; the window only ever holds its receipt.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.jobs import Job
from memstudio.ui import errands, revision_errands
from memstudio.ui.bridge import Bridge
from memstudio.ui.revision_views import (
    Compared,
    CompareRested,
    Done,
    Named,
    NameRefused,
    PatchRested,
    PatchView,
    RevertView,
)
from memstudio.ui.snapshots import Message, Studied

if TYPE_CHECKING:
    from memstudio.editing.plan import Plan
    from memstudio.session import Session

COMPARING, PATCHING, MEASURING = -2, -3, -4
"""Owners of progress; see `JobView`."""


class RevisionBridge(QObject):
    """Signals are emitted on the interface thread only."""

    revert_planned = Signal(RevertView)
    named = Signal(Named)
    name_refused = Signal(NameRefused)
    compared = Signal(Compared)
    compare_rested = Signal(CompareRested)
    patch_planned = Signal(PatchView)
    patch_rested = Signal(PatchRested)
    done = Signal(Done)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._comparing: Job | None = None
        self._patching: Job | None = None
        self._plans: dict[int, Plan] = {}
        for kind, signal in (
            (RevertView, self.revert_planned),
            (Named, self.named),
            (NameRefused, self.name_refused),
            (Compared, self.compared),
            (CompareRested, self.compare_rested),
            (PatchView, self.patch_planned),
            (PatchRested, self.patch_rested),
            (Done, self.done),
        ):
            bridge.carry(kind, signal)

    # One revision

    def measure(self, revision: int) -> None:
        """Measure what a revision did, now; `studied` follows."""

        def work(session: "Session", job: Job) -> Message:
            session.measure(revision, job=job)
            return Studied(errands.study_view(session))

        self._bridge.errand(f"Measuring what revision {revision} did", work, shown=True, owner=MEASURING)

    def name(self, revision: int, text: str) -> None:
        """Name a revision; `named` and `studied` follow, or `name_refused`."""
        self._name(lambda session: revision_errands.name(session, revision, text))

    def unname(self, text: str) -> None:
        """Take a name away; `named` and `studied` follow, or `name_refused`."""
        self._name(lambda session: revision_errands.unname(session, text))

    def _name(self, act: "Callable[[Session], Named]") -> None:
        def work(session: "Session", _: Job) -> Message:
            named = act(session)
            self._bridge.post(Studied(errands.study_view(session)))
            return named

        self._bridge.errand("Name", work, urgent=True, refused=NameRefused)

    def plan_revert(self, revision: int) -> None:
        """What a revert would take; `revert_planned` follows."""
        self._bridge.urgent("Revert", lambda session, _: revision_errands.revert_view(session, revision))

    def revert(self, revision: int, *, along: bool = False, again: bool = False) -> None:
        """Take a revision back; `committed` and `studied` follow. `again` works the later edits out anew, which takes seconds."""

        def work(session: "Session", job: Job) -> None:
            try:
                session.revert(revision, along=along, again=again, job=job)
            finally:  # run again, it may fail half-way and leave revisions beside the head
                self._bridge.post(Studied(errands.study_view(session)))

        self._bridge.errand(f"Reverting revision {revision}", work, shown=again, urgent=not again)

    # Two revisions

    def compare(self, a: int, b: int) -> None:
        """Compare two revisions; `compared` follows where it was not cancelled, and `compare_rested`."""
        self._comparing = self._bridge.errand(
            f"Comparing revisions {a} and {b}",
            lambda session, job: revision_errands.compared(session, a, b, job),
            shown=True,
            last=CompareRested(),
            refused=CompareRested,
            owner=COMPARING,
        )

    def stop_comparing(self) -> None:
        """Cancel it."""
        if self._comparing is not None:
            self._comparing.cancel()

    # Patches, purge

    def export_patch(self, out: Path, revisions: tuple[int, ...] | None) -> None:
        """Write a patch; `done` follows."""
        self._bridge.errand("Writing the patch", lambda session, _: revision_errands.export_patch(session, out, revisions), shown=True)

    def plan_patch(self, number: int, path: Path) -> None:
        """Measure a patch on the spare arm; `patch_planned` follows, and `patch_rested`."""

        def work(session: "Session", job: Job) -> Message:
            plan = revision_errands.planned_patch(session, path, job)
            self._plans = {number: plan}
            return revision_errands.patch_view(number, path, plan)

        self._patching = self._bridge.errand(
            "Measuring the patch",
            work,
            shown=True,
            last=PatchRested(number),
            refused=lambda line: PatchRested(number, line),
            owner=PATCHING,
        )

    def apply_patch(self, number: int, reason: str) -> None:
        """Commit the patch that was measured in that turn; `patch_rested` follows with its revision, or with why not."""

        def work(session: "Session", _: Job) -> Message:
            revision = revision_errands.apply_patch(session, self._plans[number], reason)
            del self._plans[number]
            self._bridge.post(Studied(errands.study_view(session)))
            return PatchRested(number, revision=revision)

        self._bridge.errand("Applying the patch", work, urgent=True, refused=lambda line: PatchRested(number, line))

    def forget_patch(self) -> None:
        """Cancel what is under way for the dialog, and drop its plan."""
        if self._patching is not None:
            self._patching.cancel()
        self._bridge.urgent("Forget", lambda _, __: self._plans.clear())

    def purge(self) -> None:
        """Let old blocks go for good; `studied` and `done` follow."""

        def work(session: "Session", job: Job) -> Message:
            done = revision_errands.purge(session, job)
            self._bridge.post(Studied(errands.study_view(session)))
            return done

        self._bridge.errand("Purging", work, shown=True)
