"""Long work with progress and cancel: a thread with a queue. That of a session owns model, blocks and database.

Urgent calls (edits) are taken between two tokens of a running job: the job calls `Job.breathe()`, and whatever was
submitted with `urgent=True` runs there, on the same thread.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_STRETCH = 4096


class Cancelled(Exception):
    """The user cancelled the job; raised out of `Job.breathe`."""


class Job:
    """One piece of long work, as its own code sees it: report progress, notice a cancel, let urgent calls in."""

    def __init__(self, title: str, worker: "Worker | None" = None, on_progress: Callable[["Job"], None] | None = None) -> None:
        self.title = title
        self.done = 0
        self.total: int | None = None
        self.future: Future[Any] = Future()
        self._worker = worker
        self._on_progress = on_progress
        self._cancel = threading.Event()

    def cancel(self) -> None:
        """Ask the job to end; it ends at its next `breathe` or `progress`."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def progress(self, done: int, total: int | None = None) -> None:
        """Report `done` of `total` units, then breathe."""
        self._tell(done, total)
        self.breathe()

    def heed(self, done: int, total: int | None = None) -> None:
        """As `progress` where no urgent call may come in between: in the middle of a transaction.

        Raises:
            Cancelled: the user cancelled the job.
        """
        self._tell(done, total)
        self._end_where_cancelled()

    def through(self, items: Iterable[T]) -> Iterator[T]:
        """Many items that take little each: breathes every few thousand of them."""
        for number, item in enumerate(items):
            if number % _STRETCH == 0:
                self.breathe()
            yield item

    def breathe(self) -> None:
        """Run the urgent calls that wait.

        Raises:
            Cancelled: the user cancelled the job.
        """
        if self._worker is not None:
            self._worker.run_urgent()
        self._end_where_cancelled()

    def _tell(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total
        if self._on_progress is not None:
            self._on_progress(self)

    def _end_where_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled(self.title)


Work = Callable[[Job], Any]


class Worker:
    """One thread, two queues: ordinary jobs run in order; urgent ones run between, or between two breaths of the job at work."""

    def __init__(self, name: str = "memstudio-worker") -> None:
        self._jobs: queue.SimpleQueue[tuple[Job, Work] | None] = queue.SimpleQueue()
        self._urgent: queue.SimpleQueue[tuple[Job, Work]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def submit(self, title: str, work: Work, *, urgent: bool = False, on_progress: Callable[[Job], None] | None = None) -> Job:
        """Queue `work(job)`; its result or exception arrives in `job.future`. No urgent call comes in where an urgent one breathes."""
        job = Job(title, None if urgent else self, on_progress)
        if urgent:
            self._urgent.put((job, work))
            self._jobs.put((Job("wake", self), lambda _: self.run_urgent()))
        else:
            self._jobs.put((job, work))
        return job

    def run_urgent(self) -> None:
        """Run the urgent calls that wait; only on the worker's own thread."""
        while True:
            try:
                job, work = self._urgent.get_nowait()
            except queue.Empty:
                return
            _finish(job, work)

    def close(self, timeout_s: float = 30.0) -> None:
        """Let queued work finish, then end the thread."""
        self._jobs.put(None)
        self._thread.join(timeout_s)

    def _loop(self) -> None:
        while (item := self._jobs.get()) is not None:
            self.run_urgent()
            _finish(*item)


def _finish(job: Job, work: Work) -> None:
    if not job.future.set_running_or_notify_cancel():
        return
    try:
        if job.cancelled:
            raise Cancelled(job.title)
        job.future.set_result(work(job))
    except BaseException as error:  # whoever waits on the future gets it, as a person's line or as a bug
        job.future.set_exception(error)
