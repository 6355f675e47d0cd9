"""The one thread crossing: errands go to the worker that owns the session, frozen messages come back. What is asked stands in bridge.py.

Every method returns at once. A person's error comes back as `failed` (one line), a bug as `crashed` (with its traceback).
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job, Worker
from memstudio.ui.job_told import JobTold
from memstudio.ui.outcome import moved_away, outcome
from memstudio.ui.snapshots import Crashed, Failed, JobView, Message, Settled

if TYPE_CHECKING:
    from memstudio.session import Session

Errand = Callable[["Session", Job], Message | None]
Answer = Callable[[str], Message]
"""What a person's error becomes, where it is not a line for the whole window."""


class Crossing(QObject):
    """Runs one session on one worker. Signals are emitted on the interface thread only."""

    job = Signal(JobView)
    failed = Signal(str)
    crashed = Signal(Crashed)
    gave_way = Signal()
    """Background work was ended, because something else is to be done."""
    idle = Signal()
    """Nothing is under way and everything was delivered."""

    _wake = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = Worker("memstudio-session")
        self._session: Session | None = None
        self._numbers = count(1)
        self._jobs: dict[int, Job] = {}
        self._unseen: dict[int, Job] = {}
        """Long work by its number: what the status bar shows, and what it does not."""
        self._urgent: dict[int, Job] = {}
        """Urgent work, which is done even where the window goes: it was what a person did last."""
        self._attendants: list[Callable[[Session], None]] = []
        self._background: Job | None = None
        self._carried: dict[type, Any] = {JobView: self.job, Crashed: self.crashed}
        self._at_work: Job | None = None
        self._nudge = threading.Event()
        self._lock = threading.Lock()
        self._mail: deque[Message] = deque()
        self._closed = False
        self._under_way = 0
        self._wake.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    @property
    def resting(self) -> bool:
        """Nothing is under way but what nobody waits for."""
        return not self._under_way

    @property
    def busy_with(self) -> str:
        """The title of the shown work that comes before what is asked next; "" where there is none, or none that does not give way."""
        return next((job.title for job in self._jobs.values() if job is not self._background), "")

    def number(self) -> int:
        """A number for a job of another thread, as `JobView` bears it."""
        return next(self._numbers)

    def cancel(self, number: int) -> None:
        """Cancel a job that the status bar shows."""
        job = self._jobs.get(number) or self._urgent.get(number)
        if job is not None:
            job.cancel()

    def close(self) -> None:
        """Cancel what runs, close the session on its own thread, end the thread. Waits for it: the window is gone by then."""
        if self._closed:
            return
        self._closed = True
        for job in (*self._jobs.values(), *self._unseen.values()):
            job.cancel()
        self._nudge.set()
        self._worker.submit("Closing", lambda _: self._let_go())
        self._worker.close()

    def _let_go(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def carry(self, kind: type, signal: Any) -> None:
        """Have messages of a kind emitted by `signal` (a bound Qt signal), whole."""
        self._carried[kind] = signal

    def attend(self, attendant: Callable[["Session"], None]) -> None:
        """Have every session that is opened shown to `attendant`, on the worker's thread, before `opened`."""
        self._attendants.append(attendant)

    def errand(
        self,
        title: str,
        errand: Errand,
        *,
        shown: bool = False,
        urgent: bool = False,
        last: Message | None = None,
        refused: Answer | None = None,
        owner: int = 0,
    ) -> Job:
        """Queue work on the open session; what it returns is posted, or its error (as `refused` makes it), then `last`.

        shown: in the status bar, with cancel. urgent: between two breaths of what is at work. owner: see `JobView`.
        """
        return self._submit(title, self._on_session(errand), shown=shown, urgent=urgent, last=last, refused=refused, owner=owner)

    def urgent(self, title: str, errand: Errand) -> None:
        """An errand between two tokens."""
        self.errand(title, errand, urgent=True)

    def background(self, title: str, errand: Errand, last: Message) -> None:
        """Work that nobody waits for: it is shown, it keeps nothing from being idle, and any other long errand ends it first."""
        self._background = self._submit(title, self._on_session(errand), shown=True, last=last, background=True)

    def _on_session(self, errand: Errand) -> Callable[[Job], Message | None]:
        def work(job: Job) -> Message | None:
            if self._session is None:
                raise UserError("no bank is open: open a bank folder first")
            with self._session.apart():
                return errand(self._session, job)

        return work

    def _submit(
        self,
        title: str,
        work: Callable[[Job], Message | None],
        *,
        shown: bool = False,
        urgent: bool = False,
        last: Message | None = None,
        refused: Answer | None = None,
        owner: int = 0,
        background: bool = False,
    ) -> Job:
        """See `errand`."""
        number, place = next(self._numbers), self._urgent if urgent else self._jobs if shown else self._unseen
        if not background:
            self._under_way += 1
            if not urgent:
                self._end_background()

        told = JobTold(self.post, number, title, owner, waits=not urgent and bool(self._jobs or self._unseen)) if shown else None

        def begin(job: Job) -> Message | None:
            outer, self._at_work = self._at_work, job
            try:
                if told is not None:
                    told(job)
                result = work(job)
            finally:
                self._at_work = outer
            if job.cancelled and not (urgent and shown):  # it could not be interrupted, so what it brought is dropped; an edit stands
                raise Cancelled(title)
            return result

        def settle(future: Future[Any]) -> None:
            place.pop(number, None)
            if told is not None:
                told.end(job)
            for message in (outcome(title, future, refused or Failed), moved_away(future), last, None if background else Settled()):
                if message is not None:
                    self.post(message)

        job = self._worker.submit(title, begin, urgent=urgent, on_progress=told)
        if urgent:
            self._nudge.set()
        place[number] = job
        job.future.add_done_callback(settle)
        return job

    def _end_background(self) -> None:
        if self._background is not None and not self._background.future.done():
            self._background.cancel()
            self.gave_way.emit()
        self._background = None

    def post(self, message: Message) -> None:
        """From any thread; wakes the interface thread once for all that has gathered."""
        with self._lock:
            first = not self._mail
            self._mail.append(message)
        if first and not self._closed:
            self._wake.emit()

    @Slot()
    def _drain(self) -> None:
        if self._closed:
            return  # the window is gone, and what its parts would be told with it
        with self._lock:
            mail = list(self._mail)
            self._mail.clear()
        self._deliver_all(mail)
        if mail and not self._under_way:
            self.idle.emit()

    def _deliver_all(self, mail: list[Message]) -> None:
        for message in mail:
            self._deliver(message)

    def _deliver(self, message: Message) -> None:
        if isinstance(message, Settled):
            self._under_way -= 1
        elif isinstance(message, Failed):
            self.failed.emit(message.line)
        else:
            self._carried[type(message)].emit(message)
