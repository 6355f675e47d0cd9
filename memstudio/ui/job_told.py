"""What the window hears of a piece of work: its progress a few times a second, and how it ended."""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.ui.snapshots import JobEnd, JobView

_PROGRESS_S = 0.05


class JobTold:
    """Posts `JobView`s of one job, from whatever thread it is at work on."""

    def __init__(self, post: Callable[[JobView], None], number: int, title: str, owner: int = 0) -> None:
        self._post = post
        self._number, self._title, self._owner = number, title, owner
        self._told = -math.inf

    def __call__(self, job: Job) -> None:
        """It began or went on; work may report as often as it likes."""
        if time.monotonic() - self._told >= _PROGRESS_S:
            self._told = time.monotonic()
            self._post(JobView(self._number, self._title, job.done, job.total, owner=self._owner))

    def end(self, job: Job) -> None:
        """It is over: its future is done."""
        end, line = job_end(job.future)
        self._post(JobView(self._number, self._title, job.done, job.total, True, self._owner, end, line))


def job_end(future: Future[Any]) -> tuple[JobEnd, str]:
    """How it ended, and where it failed its line: a person's, or that it is a bug. The future is done."""
    error = None if future.cancelled() else future.exception()
    if future.cancelled() or isinstance(error, Cancelled):
        return "cancelled", ""
    if error is None:
        return "done", ""
    return "failed", str(error) if isinstance(error, UserError) else f"a bug, see the log: {type(error).__name__}: {error}"
