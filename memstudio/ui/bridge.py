"""The one thread crossing: errands go to the worker that owns the session, frozen snapshots come back as Qt signals.

Every method returns at once. A person's error comes back as `failed` (one line), a bug as `crashed` (with its traceback).
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from memstudio.bank.values import ClusterId
from memstudio.errors import BankMoved, UserError
from memstudio.events import Committed, Did, Event, Finished, Generated, Hidden, Routed, Traced
from memstudio.jobs import Cancelled, Job, Worker
from memstudio.session.findings import Findings
from memstudio.session.script import Deed, deed_of
from memstudio.ui import errands, open_errands
from memstudio.ui.build_errands import is_model_folder
from memstudio.ui.build_views import ModelFound
from memstudio.ui.job_told import JobTold
from memstudio.ui.outcome import outcome
from memstudio.ui.snapshots import (
    Ask,
    Asked,
    BankSought,
    BlockNeurons,
    CardView,
    Crashed,
    Ended,
    Failed,
    JobView,
    Loaded,
    Message,
    Nodes,
    Noted,
    Opened,
    Said,
    Settled,
    Studied,
    Wish,
)

if TYPE_CHECKING:
    from memstudio.editing.plan import Edit
    from memstudio.session import Session

Errand = Callable[["Session", Job], Message | None]
Answer = Callable[[str], Message]
"""What a person's error becomes, where it is not a line for the whole window."""


class Bridge(QObject):
    """Runs one session on one worker. Signals are emitted on the interface thread only.

    What it does for facts and for revisions stands in fact_bridge.py and revision_bridge.py: those bring their own signals (`carry`)
    and errands (`errand`, `background`).
    """

    opened = Signal(Opened)
    bank_sought = Signal(BankSought)
    loaded = Signal(Loaded)
    studied = Signal(Studied)
    committed = Signal(Committed)
    hidden = Signal(Hidden)
    asked = Signal(Ask)
    routed = Signal(int, Routed)
    generated = Signal(int, tuple)
    finished = Signal(int, Finished)
    ended = Signal(int)
    traced = Signal(Traced)
    nodes = Signal(object)
    found = Signal(Findings)
    card = Signal(CardView)
    neurons = Signal(BlockNeurons)
    job = Signal(JobView)
    noted = Signal(Noted)
    deed = Signal(Deed)
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
        self._expected: dict[str, str] = {}
        self._ask = 0
        self._numbers = count(1)
        self._jobs: dict[int, Job] = {}
        self._unseen: dict[int, Job] = {}
        """Long work by its number: what the status bar shows, and what it does not."""
        self._attendants: list[Callable[[Session], None]] = []
        self._answering: Job | None = None
        self._background: Job | None = None
        self._carried: dict[type, Any] = {
            Opened: self.opened,
            BankSought: self.bank_sought,
            Loaded: self.loaded,
            Studied: self.studied,
            Findings: self.found,
            CardView: self.card,
            BlockNeurons: self.neurons,
            JobView: self.job,
            Noted: self.noted,
            Crashed: self.crashed,
            Deed: self.deed,
        }
        self._at_work: Job | None = None
        self._nudge = threading.Event()
        self._lock = threading.Lock()
        self._mail: deque[Message] = deque()
        self._closed = False
        self._under_way = 0
        self._wake.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    # Errands, called on the interface thread

    def open(self, wish: Wish) -> None:
        """Open a bank or study; `opened` follows, or `ModelFound`. An open session goes when the new one is there."""

        def work(_: Job) -> Message:
            if is_model_folder(wish.path):
                return ModelFound(Path(wish.path).absolute(), wish.device, wish.encoder)
            try:
                if self._session is not None and open_errands.goes_first(self._session, wish):
                    self._let_go()
                session = errands.open_bank(wish)
            except BankMoved as moved:
                return BankSought(wish, str(moved))
            self._let_go()
            self._session = session
            session.listen(self._hear, deeds=True)
            for attendant in self._attendants:
                attendant(session)
            facts = session.facts()
            self._expected = errands.expected_answers(facts)
            self.post(errands.opening_deed(session, wish))
            return errands.opened(session, facts)

        self._submit(f"Opening {Path(wish.path).name}", work, shown=True)

    def load(self) -> None:
        """Load the model, and what draws its traces; `loaded` follows."""
        self.errand("Loading the model", lambda session, _: open_errands.loaded(session), shown=True)

    def generate(self, ask: Ask) -> None:
        """Answer; `asked`, `routed`, `generated` …, `finished` and, whatever happens, `ended` follow."""
        self._answering = self.errand("Answering", lambda session, job: self._answer(session, job, ask), last=Ended(ask.number))

    def stop(self) -> None:
        """Stop the answer after this token."""
        if self._answering is not None:
            self._answering.cancel()
            self._nudge.set()

    def recompute(self) -> None:
        """Have the answer at work read its text again under the blocks of now."""
        self.urgent("Recompute", lambda session, _: session.recompute())

    def trace(self, ask: Ask) -> None:
        """Trace a prompt; `traced` follows. Of a prompt that the bank's facts hold the right answer is explained."""

        def work(session: "Session", _: Job) -> None:
            session.trace(ask.text, key=ask.key, answer=self._expected.get(ask.text))

        self.errand("Tracing", work, shown=True)

    def edit(self, verb: str, make: Callable[["Session"], "Edit"]) -> None:
        """Commit an edit of blocks, between two tokens where an answer is being written; `committed` and `studied` follow."""

        def work(session: "Session", _: Job) -> Message:
            session.apply(make(session))
            return Studied(errands.study_view(session))

        self.urgent(verb, work)

    def undo(self) -> None:
        """Go back to the head's parent."""
        self.urgent("Undo", lambda session, _: (session.undo(), Studied(errands.study_view(session)))[1])

    def redo(self) -> None:
        """Go on to what was undone."""
        self.urgent("Redo", lambda session, _: (session.redo(), Studied(errands.study_view(session)))[1])

    def checkout(self, revision: int) -> None:
        """Go to a revision."""
        self.urgent("Checkout", lambda session, _: (session.checkout(revision), Studied(errands.study_view(session)))[1])

    def hide(self, clusters: frozenset[ClusterId]) -> None:
        """Replace the set of hidden subtrees; `hidden` follows."""
        self.urgent("Hide", lambda session, _: session.hide(clusters))

    def mute(self, clusters: frozenset[ClusterId]) -> None:
        """Replace the set of muted blocks; `hidden` follows."""
        self.urgent("Mute", lambda session, _: session.mute(clusters))

    def solo(self, clusters: frozenset[ClusterId]) -> None:
        """Replace the set of blocks that alone are added; `hidden` follows."""
        self.urgent("Solo", lambda session, _: session.solo(clusters))

    def pin(self, cluster: ClusterId | None) -> None:
        """Have every run take the route to a block, or, None, its own; `hidden` follows."""
        self.urgent("Pin", lambda session, _: session.pin(None if cluster is None else session.bank.tree.route_to(cluster)))

    def ask_nodes(self, clusters: frozenset[ClusterId]) -> None:
        """Labels for the tree; `nodes` follows."""
        self.urgent("Labels", lambda session, _: Nodes(errands.nodes_of(session, clusters)))

    def find(self, text: str) -> None:
        """Search; `found` follows. One for a token reads every block, so it takes its turn and can be cancelled."""
        slow = text.strip().startswith("token:")
        self.errand("Searching", lambda session, job: session.search(text, job=job), shown=slow, urgent=not slow)

    def ask_card(self, cluster: ClusterId) -> None:
        """A cluster's card; `card` follows."""
        self.urgent("Card", lambda session, _: errands.card_of(session, cluster))

    def ask_neurons(self, cluster: ClusterId) -> None:
        """A block's own neurons; `neurons` follows."""
        gives_way = self._background is not None and not self._background.future.done()  # it needs no arm, so it does not end that
        self.errand("Neurons", lambda session, _: errands.neurons_of(session, cluster), urgent=gives_way)

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
        if number in self._jobs:
            self._jobs[number].cancel()

    def close(self) -> None:
        """Cancel what runs, close the session on its own thread, end the thread. Waits for it: the window is gone by then."""
        if self._closed:
            return
        self._closed = True
        self.stop()
        for job in (*self._jobs.values(), *self._unseen.values()):
            job.cancel()

        self._worker.submit("Closing", lambda _: self._let_go())
        self._worker.close()

    # On the worker's thread

    def _answer(self, session: "Session", job: Job, ask: Ask) -> None:
        self.post(Asked(ask))
        self._ask = ask.number
        due = time.monotonic()
        try:
            for _ in errands.answer(session, ask, job):
                if ask.tokens_per_second:
                    due = max(due + 1 / ask.tokens_per_second, time.monotonic())
                    self._linger(job, due)
        finally:
            self._ask = 0

    def _linger(self, job: Job, due: float) -> None:
        """Keep the pace that was asked for; edits and stop do not wait for it."""
        while (left := due - time.monotonic()) > 0 and not job.cancelled:
            if self._nudge.wait(left):
                self._nudge.clear()
                self._worker.run_urgent()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Traced) and self._at_work is not None and self._at_work.cancelled:
            return
        self.post(deed_of(event) if isinstance(event, Did) else Said(event, self._ask))

    def _let_go(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    # Between the threads

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
        number = next(self._numbers)
        if not background:
            self._under_way += 1
            if not urgent:
                self._end_background()

        told = JobTold(self.post, number, title, owner) if shown else None

        def begin(job: Job) -> Message | None:
            outer, self._at_work = self._at_work, job
            try:
                if told is not None:
                    told(job)
                result = work(job)
            finally:
                self._at_work = outer
            if job.cancelled:  # it could not be interrupted, so what it brought is dropped
                raise Cancelled(title)
            return result

        def settle(future: Future[Any]) -> None:
            self._jobs.pop(number, None)
            self._unseen.pop(number, None)
            if told is not None:
                told.end(job)
            for message in (outcome(title, future, refused or Failed), last, None if background else Settled()):
                if message is not None:
                    self.post(message)

        job = self._worker.submit(title, begin, urgent=urgent, on_progress=told)
        if urgent:
            self._nudge.set()
        if not urgent:  # those end soon, and what a person did last is still done
            (self._jobs if shown else self._unseen)[number] = job
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
        for is_token, group in groupby(mail, key=lambda m: isinstance(m, Said) and isinstance(m.event, Generated)):
            if is_token:
                self._deliver_tokens([m for m in group if isinstance(m, Said)])
            else:
                for message in group:
                    self._deliver(message)
        if mail and not self._under_way:
            self.idle.emit()

    def _deliver_tokens(self, said: list[Said]) -> None:
        for ask, group in groupby(said, key=lambda m: m.ask):
            if ask:
                self.generated.emit(ask, tuple(m.event.token for m in group if isinstance(m.event, Generated)))

    def _deliver(self, message: Message) -> None:
        if isinstance(message, Said):
            self._deliver_event(message.event, message.ask)
        elif isinstance(message, Asked):
            self.asked.emit(message.ask)
        elif isinstance(message, Ended):
            self.ended.emit(message.ask)
        elif isinstance(message, Settled):
            self._under_way -= 1
        elif isinstance(message, Nodes):
            self.nodes.emit(message.nodes)
        elif isinstance(message, Failed):
            self.failed.emit(message.line)
        else:
            self._carried[type(message)].emit(message)

    def _deliver_event(self, event: Event, ask: int) -> None:
        if isinstance(event, Committed):
            self.committed.emit(event)
        elif isinstance(event, Hidden):
            self.hidden.emit(event)
        elif isinstance(event, Traced):
            self.traced.emit(event)
        elif isinstance(event, Routed) and ask:
            self.routed.emit(ask, event)
        elif isinstance(event, Finished) and ask:
            self.finished.emit(ask, event)
