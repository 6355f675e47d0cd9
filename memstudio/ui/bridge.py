"""What the window asks of a session, each a method that returns at once, and the signals that tell of it: see crossing.py for how."""

import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from memstudio.anchor.values import Token
from memstudio.bank.values import ClusterId
from memstudio.errors import BankMoved
from memstudio.events import Committed, Did, Event, Finished, Generated, Hidden, Routed, Traced
from memstudio.jobs import Job
from memstudio.session.findings import Findings
from memstudio.session.script import Deed, deed_of
from memstudio.ui import errands, open_errands
from memstudio.ui.build_errands import is_model_folder
from memstudio.ui.build_views import ModelFound
from memstudio.ui.crossing import Crossing
from memstudio.ui.snapshots import (
    Ask,
    Asked,
    BankSought,
    BlockNeurons,
    CardView,
    DeviceFailed,
    Ended,
    Loaded,
    Message,
    Nodes,
    Noted,
    Opened,
    Said,
    Studied,
    Wish,
)

if TYPE_CHECKING:
    from memstudio.editing.plan import Edit
    from memstudio.session import Session


class Bridge(Crossing):
    """Signals are emitted on the interface thread only.

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
    device_failed = Signal(DeviceFailed)
    noted = Signal(Noted)
    deed = Signal(Deed)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._expected: dict[str, str] = {}
        self._ask = 0
        self._answering: Job | None = None
        self._tracing: Job | None = None
        self._explaining: Job | None = None
        for kind, signal in (
            (Opened, self.opened),
            (BankSought, self.bank_sought),
            (Loaded, self.loaded),
            (Studied, self.studied),
            (Findings, self.found),
            (CardView, self.card),
            (BlockNeurons, self.neurons),
            (DeviceFailed, self.device_failed),
            (Noted, self.noted),
            (Deed, self.deed),
        ):
            self.carry(kind, signal)

    # Errands, called on the interface thread

    def open(self, wish: Wish) -> None:
        """Open a bank or study; `opened` follows, or `ModelFound`. An open session goes when the new one is there.

        A cancel is heeded as long as the open session stands; after that `opened` follows all the same, for it is what stands now.
        """

        def work(job: Job) -> Message | None:
            if is_model_folder(wish.path):
                return ModelFound(Path(wish.path).absolute(), wish.device, wish.encoder)
            try:
                if self._session is not None and open_errands.goes_first(self._session, wish):
                    self._let_go()
                session = errands.open_bank(wish)
            except BankMoved as moved:
                return BankSought(wish, str(moved))
            if job.cancelled and self._session is not None:
                session.close()
                return None
            self._let_go()
            self._session = session
            session.listen(self._hear, deeds=True)
            for attendant in self._attendants:
                attendant(session)
            facts = session.facts()
            self._expected = errands.expected_answers(facts)
            self.post(errands.opening_deed(session, wish))
            self.post(errands.opened(session, facts))
            return None

        self._stop_tracing()
        self.stop_explaining()
        self._submit(f"Opening {Path(wish.path).name}", work, shown=True)

    def load(self) -> None:
        """Load the model, and what draws its traces; `loaded` follows."""
        self.errand("Loading the model", lambda session, _: open_errands.loaded(session), shown=True)

    def run_on(self, device: str) -> None:
        """Have the model run on another device from now on; `loaded` follows."""
        self.errand(f"Moving the model to the {device.upper()}", lambda session, _: open_errands.moved(session, device), shown=True)

    def generate(self, ask: Ask) -> None:
        """Answer; `asked`, `routed`, `generated` …, `finished` and, whatever happens, `ended` follow. What was traced until then ends."""
        self._stop_tracing()
        self.stop_explaining()
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
        """Trace a prompt; `traced` follows, unless another one is asked for. Of a prompt that the bank's facts hold the right answer is
        explained."""

        def work(session: "Session", job: Job) -> None:
            session.trace(ask.text, key=ask.key, answer=self._expected.get(ask.text), job=job)

        self._stop_tracing()
        self._tracing = self.errand("Tracing", work, shown=True)

    def explain(self, text: str, route: tuple[ClusterId, ...], prefix: tuple[int, ...], token: Token) -> None:
        """Trace a token of an answer, behind those before it; `traced` follows, unless another token is to be explained."""

        def work(session: "Session", job: Job) -> None:
            session.trace(text, route=route, prefix=prefix, answer=(token.id,), job=job)

        self.stop_explaining()
        self._explaining = self.errand(f"Explaining token {token.index}", work, shown=True)

    def stop_explaining(self) -> None:
        """End the trace of a token."""
        if self._explaining is not None:
            self._explaining.cancel()

    def _stop_tracing(self) -> None:
        if self._tracing is not None:
            self._tracing.cancel()

    def edit(self, verb: str, make: Callable[["Session"], "Edit"]) -> None:
        """Commit an edit of blocks, between two tokens where an answer is being written; `committed` and `studied` follow, unless it was
        cancelled before all was written."""

        def work(session: "Session", job: Job) -> Message:
            session.apply(make(session), job=job)
            return Studied(errands.study_view(session))

        self.errand(verb.capitalize(), work, shown=True, urgent=True)

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

    # On the interface thread

    def _deliver_all(self, mail: list[Message]) -> None:
        """Tokens that gathered are shown together."""
        for is_token, group in groupby(mail, key=lambda m: isinstance(m, Said) and isinstance(m.event, Generated)):
            if is_token:
                self._deliver_tokens([m for m in group if isinstance(m, Said)])
            else:
                for message in group:
                    self._deliver(message)

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
        elif isinstance(message, Nodes):
            self.nodes.emit(message.nodes)
        else:
            super()._deliver(message)

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
