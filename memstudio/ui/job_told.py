"""What the window hears of a piece of work: its progress a few times a second, and how it ended."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.ui.snapshots import JobEnd, JobView

_PROGRESS_S = 0.1


class Paced:
    """Tells of a job's progress a few times a second, and at once when its stage (the job's title) is another one."""

    def __init__(self, tell: Callable[[Job], None]) -> None:
        self._tell = tell
        self._title, self._at = "", 0.0

    def __call__(self, job: Job) -> None:
        """It began or went on; work may report as often as it likes."""
        now = time.monotonic()
        if job.title != self._title or now - self._at >= _PROGRESS_S:
            self._title, self._at = job.title, now
            self._tell(job)


class JobTold:
    """Posts `JobView`s of one job, from whatever thread it is at work on. title: of the whole; while it is at work its stage is told.
    waits: it stands behind other work, which is told at once."""

    def __init__(self, post: Callable[[JobView], None], number: int, title: str, owner: int = 0, *, waits: bool = False) -> None:
        self._post = post
        self._number, self._title, self._owner = number, title, owner
        self._paced = Paced(self._say)
        if waits:
            post(JobView(number, title, owner=owner, waiting=True))

    def __call__(self, job: Job) -> None:
        """It began or went on."""
        self._paced(job)

    def end(self, job: Job) -> None:
        """It is over: its future is done."""
        end, line = job_end(job.future)
        self._post(JobView(self._number, self._title, job.done, job.total, True, self._owner, end, line))

    def _say(self, job: Job) -> None:
        self._post(JobView(self._number, job.title, job.done, job.total, owner=self._owner))


def job_end(future: Future[Any]) -> tuple[JobEnd, str]:
    """How it ended, and where it failed its line: a person's, or that it is a bug. The future is done."""
    error = None if future.cancelled() else future.exception()
    if future.cancelled() or isinstance(error, Cancelled):
        return "cancelled", ""
    if error is None:
        return "done", ""
    return "failed", str(error) if isinstance(error, UserError) else f"a bug, see the log: {type(error).__name__}: {error}"
