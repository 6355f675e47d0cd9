"""The bridge's part for building: estimates and builds, on a worker of their own: the open bank stays usable meanwhile.

What comes back crosses to the interface thread as all else does, through `Bridge.post`.
"""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.ui import build_errands
from memstudio.ui.aside import Aside
from memstudio.ui.bridge import Bridge
from memstudio.ui.build_views import (
    BankBuilt,
    BuildEnded,
    BuildRefused,
    BuildSaid,
    BuildStage,
    BuildWish,
    EstimateView,
    Field,
    LookEnded,
    Looking,
    ModelFound,
    ModelView,
    PlaceView,
)
from memstudio.ui.job_told import Paced, job_end
from memstudio.ui.remaining import Remaining
from memstudio.ui.snapshots import JobView, Message

Ended = LookEnded | BuildEnded


class BuildBridge(QObject):
    """Signals are emitted on the interface thread only. One estimate or build is at work; a newer estimate ends the one before."""

    model_found = Signal(ModelFound)
    model_seen = Signal(ModelView)
    place_seen = Signal(PlaceView)
    looking = Signal(Looking)
    estimated = Signal(EstimateView)
    look_ended = Signal(LookEnded)
    refused = Signal(BuildRefused)
    staged = Signal(BuildStage)
    said = Signal(BuildSaid)
    built = Signal(BankBuilt)
    build_ended = Signal(BuildEnded)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self.device = "auto"
        self.encoder: Path | None = None
        self._bridge = bridge
        self._aside = Aside(bridge, "memstudio-build")
        self._looking: Job | None = None
        self._building: Job | None = None
        self.job = 0
        """The number under which the build is shown among the jobs."""
        for kind, signal in (
            (ModelFound, self.model_found),
            (ModelView, self.model_seen),
            (PlaceView, self.place_seen),
            (Looking, self.looking),
            (EstimateView, self.estimated),
            (LookEnded, self.look_ended),
            (BuildRefused, self.refused),
            (BuildStage, self.staged),
            (BuildSaid, self.said),
            (BankBuilt, self.built),
            (BuildEnded, self.build_ended),
        ):
            bridge.carry(kind, signal)

    def look(self, number: int, wish: BuildWish) -> None:
        """Look at what is wished for: `model_seen` and `place_seen`, then `estimated` where there is enough to estimate, each or
        `refused`; `look_ended` follows whatever happens."""
        self.stop_looking()

        def work(job: Job) -> Message | None:
            model = not wish.model or self._seen(number, "model", lambda: build_errands.look_at_model(number, wish.model))
            job.breathe()
            place = not wish.out or self._seen(number, "place", lambda: build_errands.look_at_place(number, wish))
            if not (wish.complete and model and place):
                return None
            return build_errands.estimated(number, wish, job, self.device, self.encoder)

        told = Paced(lambda job: self._bridge.post(Looking(number, job.title, job.done, job.total)))
        self._looking = self._submit("Estimating", wish, work, LookEnded(number), told)

    def stop_looking(self) -> None:
        """End the estimate under way; only its `look_ended` still comes."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def build(self, number: int, wish: BuildWish, by_stage: dict[str, float]) -> None:
        """Build, or go on with what was begun: `staged` and `said` …, `built` or `refused`; `build_ended` follows whatever happens.

        by_stage: the estimate's seconds, for the time that remains.
        """
        self.stop_looking()
        clock, self.job = Remaining(by_stage), self._bridge.number()
        shown, name = self.job, Path(wish.out).name

        def tell(job: Job) -> None:
            left = clock.left(job.title, job.done, job.total, time.monotonic())
            self._bridge.post(BuildStage(number, job.title, job.done, job.total, left))
            self._bridge.post(JobView(shown, f"Building {name}: {job.title}", job.done, job.total, left_s=left))

        def work(job: Job) -> Message:
            job.breathe()
            begun = time.monotonic()
            made = build_errands.built(
                number, wish, job, lambda line: self._bridge.post(BuildSaid(number, line)), self.device, self.encoder
            )
            self._bridge.post(BuildSaid(number, f"done in {time.monotonic() - begun:.0f} s"))
            return made

        def end(job: Job) -> None:
            how, line = job_end(job.future)
            self._bridge.post(JobView(shown, f"Building {name}", ended=True, end=how, line=line))

        self._building = self._submit("Building", wish, work, BuildEnded(number), Paced(tell), end)

    def cancel(self) -> None:
        """End the build under way at its next step; what is done is kept."""
        if self._building is not None:
            self._building.cancel()

    def close(self) -> None:
        """Cancel what runs and end the thread; a build goes on the next time it is asked for."""
        self.stop_looking()
        self.cancel()
        self._aside.close()

    def _seen(self, number: int, field: Field, look: Callable[[], Message]) -> bool:
        """Look at one part; a refusal is that part's, and the others are still looked at."""
        try:
            self._bridge.post(look())
        except UserError as error:
            self._bridge.post(BuildRefused(number, str(error), field))
            return False
        return True

    def _submit(
        self,
        title: str,
        wish: BuildWish,
        work: Callable[[Job], Message | None],
        last: Ended,
        told: Paced,
        end: Callable[[Job], None] = lambda _: None,
    ) -> Job:
        def refused(line: str) -> Message:
            return BuildRefused(last.number, line, build_errands.field_of(line, wish))

        def over(job: Job) -> None:
            self._bridge.post(last)
            end(job)

        return self._aside.submit(title, work, tell=told, refused=refused, last=over)
