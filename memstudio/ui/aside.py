"""Work beside the session's worker, on a thread of its own; what it brings crosses as all else does, through `Bridge.post`."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from memstudio.jobs import Job, Worker
from memstudio.ui.bridge import Bridge
from memstudio.ui.outcome import outcome
from memstudio.ui.snapshots import Failed, Message


class Aside:
    """One thread, begun when there is first something to do."""

    def __init__(self, bridge: Bridge, name: str) -> None:
        self._bridge, self._name = bridge, name
        self._worker: Worker | None = None
        self._closed = False

    def submit(
        self,
        title: str,
        work: Callable[[Job], Message | None],
        *,
        tell: Callable[[Job], None] | None = None,
        refused: Callable[[str], Message] = Failed,
        last: Callable[[Job], None] | None = None,
    ) -> Job:
        """Queue work; what it returns is posted, or its error as `refused` makes it. tell: hears of progress; last: called at the end.

        Both are called on this thread. What comes after `close` is not begun.
        """
        if self._closed:
            late = Job(title)
            late.future.cancel()
            return late
        if self._worker is None:
            self._worker = Worker(self._name)

        def settle(future: Future[Any]) -> None:
            found = outcome(title, future, refused)
            if found is not None:
                self._bridge.post(found)
            if last is not None:
                last(job)

        job = self._worker.submit(title, work, on_progress=tell)
        job.future.add_done_callback(settle)
        return job

    def close(self) -> None:
        """Wait for what is queued and end the thread; whoever has long work there cancels it first."""
        self._closed = True
        if self._worker is not None:
            self._worker.close()
