"""Change or erase a fact: the request on the left, what the edit would do, measured, on the right. Nothing is written before Apply."""

import dataclasses
from itertools import count

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from memstudio.facts.values import Fact
from memstudio.ui.fact_views import Applied, BatchView, FactAsk, FactWish, Preview, Refusal, RequestView, Rested, Verb
from memstudio.ui.panels.parts import label, row, set_kind
from memstudio.ui.panels.phrasings_view import PhrasingsView
from memstudio.ui.panels.preview_view import PreviewView
from memstudio.ui.panels.requests_view import RequestsView
from memstudio.ui.panels.where_view import WhereView
from memstudio.ui.snapshots import JobView
from memstudio.ui.theme import Theme

SIZE = (1120, 640)
TITLES: dict[Verb, str] = {"update": "Change a fact", "erase": "Erase a fact"}


class FactDialog(QDialog):
    """One fact, or many at once. It holds no session: its signals name a turn, and what comes back for another turn is dropped."""

    asked = Signal(object)
    gathering = Signal(int, tuple)
    previewing = Signal(int, object)
    applying = Signal(int, object, str)
    applying_previewed = Signal(int, str)
    cancelling = Signal(int)
    forgotten = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.resize(*SIZE)
        self._numbers = count(1)
        self._verb: Verb = "update"
        self._request: RequestView | None = None
        self._batch: tuple[Fact, ...] = ()
        self._preview: Preview | None = None
        self._head = 0
        self._reading = self._working = 0
        self._asked_prompt = ""
        self.prompt, self.target = QLineEdit(), QLineEdit()
        self.prompt.setAccessibleName("Prompt")
        self.target.setAccessibleName("New answer")
        self.prompt.setPlaceholderText("The prompt whose answer is to change")
        self.target.setPlaceholderText("What it should answer from now on")
        self.answer = label("", "", wrap=True, selectable=True)
        self.phrasings = PhrasingsView(theme)
        self.requests = RequestsView()
        self.where = WhereView()
        self.preview = PreviewView(theme)
        self.line = label("", "error", wrap=True, selectable=True)
        self.preview_button, self.apply_button, self.close_button = QPushButton("Preview"), QPushButton("Apply"), QPushButton("Close")
        self.apply_button.setProperty("kind", "primary")
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(7)
        self._fields = [
            (label(name, "dim"), field)
            for name, field in (("Prompt", self.prompt), ("Answers now", self.answer), ("New answer", self.target))
        ]
        for name, field in self._fields:
            name.setFixedWidth(self.fontMetrics().horizontalAdvance("Answers now") + 10)
            line = row(name, field)
            line.setStretch(1, 1)
            left.addLayout(line)
        left.addWidget(self.phrasings, 1)
        left.addWidget(self.requests, 1)
        left.addWidget(self.where)
        body = QHBoxLayout()
        body.setSpacing(12)
        body.addLayout(left, 11)
        body.addWidget(self.preview, 10)
        foot = row(self.line, self.preview_button, self.apply_button, self.close_button, spacing=8)
        foot.setStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(10)
        column.addLayout(body, 1)
        column.addLayout(foot)
        for button in (self.preview_button, self.apply_button, self.close_button, self.phrasings.add_button, self.phrasings.remove_button):
            button.setAutoDefault(False)  # Return in a field is no commit

    def _connect(self) -> None:
        self.prompt.editingFinished.connect(self._prompt_written)
        self.prompt.returnPressed.connect(self.target.setFocus)
        self.target.textChanged.connect(self._refresh)
        self.target.returnPressed.connect(self._preview_or_cancel)
        self.phrasings.changed.connect(self._phrasings_changed)
        self.where.changed.connect(self._refresh)
        self.preview.reason.textChanged.connect(self._refresh)
        self.preview_button.clicked.connect(self._preview_or_cancel)
        self.apply_button.clicked.connect(self._apply)
        self.close_button.clicked.connect(self.close)

    # Opening

    def open_on(self, prompt: str, *, verb: Verb = "update", target: str = "") -> None:
        """Begin with a prompt; its phrasings and routes are asked for. One that is open already is only raised."""
        same = (prompt, verb) == (self._asked_prompt, self._verb) and target in ("", self.target.text())
        if self.isVisible() and not self._batch and same:
            self._raise(self.target if verb == "update" else self.prompt)
            return
        self._begin(verb, ())
        self._asked_prompt = ""
        self.prompt.setText(prompt)
        self.target.setText(target)
        if prompt:
            self._ask(draft=True)
        else:
            self.answer.setText("–")
            self._refresh()
        self._raise(self.target if verb == "update" and prompt else self.prompt)

    def open_batch(self, facts: tuple[Fact, ...]) -> None:
        """Begin with many facts that have their targets."""
        self._begin("update", facts)
        self.requests.show_facts(facts)
        self._reading = next(self._numbers)
        self.gathering.emit(self._reading, facts)
        self._refresh()
        self._raise(self.preview_button)

    def _begin(self, verb: Verb, batch: tuple[Fact, ...]) -> None:
        self._drop()
        self._verb, self._batch, self._request = verb, batch, None
        self.setWindowTitle(f"Change {len(batch):,} facts" if batch else TITLES[verb])
        for name, field in self._fields:
            shown = not batch and (field is not self.target or verb == "update")
            name.setVisible(shown)
            field.setVisible(shown)
        self.phrasings.setVisible(not batch)
        self.requests.setVisible(bool(batch))
        self.phrasings.clear()
        self.answer.setText("…")
        self.where.begin(verb, batch=bool(batch))
        self.preview.show_nothing(verb)
        self._say("")

    def _raise(self, focus: QWidget) -> None:
        self.show()
        self.raise_()
        self.activateWindow()
        focus.setFocus()

    # What the user wants

    @property
    def wish(self) -> FactWish | None:
        """The edit as the fields have it; None while the request is not read."""
        where, blocks = self.where.place, self.where.blocks
        if self._batch:
            return FactWish(self._batch, self._verb, self.where.method, where, blocks)
        if self._request is None:
            return None
        kept, fact = self.phrasings.kept(), self._request.fact
        withheld = tuple(each for each in fact.held_out if each not in kept)
        fact = dataclasses.replace(fact, target=self.target.text().strip(), phrasings=kept, held_out=withheld)
        return FactWish((fact,), self._verb, self.where.method, where, blocks)

    @property
    def fresh(self) -> bool:
        """The preview on show speaks of the fields and the study as they are."""
        seen = self._preview
        return seen is not None and seen.wish == self.wish and seen.base == self._head

    @property
    def busy(self) -> bool:
        """An edit is being measured or applied."""
        return bool(self._working)

    def _prompt_written(self) -> None:
        known = self._request.fact.prompt if self._request is not None else ""
        if self.prompt.text().strip() not in (known, self._asked_prompt):
            self._ask(draft=True)

    def _phrasings_changed(self) -> None:
        if self._request is not None:
            self._ask(draft=False)

    def _ask(self, *, draft: bool) -> None:
        if self._reading:
            self.cancelling.emit(self._reading)
        self._reading = next(self._numbers)
        self._asked_prompt = self.prompt.text().strip()
        prompt = self._asked_prompt if draft or self._request is None else self._request.fact.prompt
        if draft:
            self._request = None
            self.phrasings.clear()
            self.answer.setText("…")
        self._say("")
        self.asked.emit(FactAsk(self._reading, prompt, None if draft else self.phrasings.phrasings(), self.target.text().strip()))
        self._refresh()

    def _preview_or_cancel(self) -> None:
        if self.busy:
            self.cancelling.emit(self._working)
            self.preview_button.setText("Cancelling…")
            return
        wish = self.wish
        if wish is not None:
            self._work()
            self.previewing.emit(self._working, wish)

    def _apply(self) -> None:
        wish = self.wish
        if self.busy or wish is None:
            return
        if self.fresh and self._preview is not None:
            self._working = self._preview.number
            self._refresh()
            self.applying_previewed.emit(self._working, self.preview.reason.text().strip())
        else:
            self._work()
            self.applying.emit(self._working, wish, "")

    def _work(self) -> None:
        self._drop()
        self._say("")
        self._working = next(self._numbers)
        self.preview.show_progress(JobView(0, "Waiting for the model"))
        self._refresh()

    def _drop(self) -> None:
        """Whatever was previewed or is under way is forgotten; nothing of it was written."""
        for number in (self._reading, self._working, self._preview.number if self._preview else 0):
            if number:
                self.forgotten.emit(number)
        self._reading = self._working = 0
        self._preview = None

    # What comes back

    def show_head(self, head: int) -> None:
        """The study stands at a revision."""
        self._head = head
        seen = self._preview
        if seen is not None and seen.base != head and not self.busy:
            self._say(f"The study moved to revision {head}; this preview was made on {seen.base}. Preview again.", kind="notice")
        self._refresh()

    def show_request(self, view: RequestView) -> None:
        """Phrasings and routes of the prompt."""
        if view.number != self._reading:
            return
        self._reading = 0
        self._request = view
        if self.prompt.text().strip() != view.fact.prompt:
            self.prompt.setText(view.fact.prompt)  # it was one of the fact's phrasings
        self.answer.setText(view.answer.strip() or "(nothing)")
        self.phrasings.show_prompt(view.fact.prompt, view.route, view.phrasings)
        self.where.show_reach(view.reached, view.shared, view.writable, view.held)
        self._refresh()

    def show_batch(self, view: BatchView) -> None:
        """What many requests reach."""
        if view.number == self._reading:
            self._reading = 0
            self.where.show_reach(view.reached, None, (), view.held, facts=len(view.facts), phrasings=view.phrasings)
            self._refresh()

    def show_preview(self, view: Preview) -> None:
        """The measured receipt, and whether the gate holds it back."""
        if view.number != self._working:
            return
        self._preview = view
        self.preview.show_preview(view)
        self._refresh()

    def show_applied(self, applied: Applied) -> None:
        """It is a revision of the study now; the dialog's work is done."""
        if applied.number == self._working:
            self._preview, self._working = None, 0
            self.close()

    def show_refusal(self, refusal: Refusal) -> None:
        """A person's line."""
        if refusal.number in (self._reading, self._working):
            self._say(refusal.line)
            if refusal.number == self._reading:
                self._reading = 0
                self.answer.setText("–")
            elif self._preview is None:
                self.preview.show_nothing(self._verb)
            self._refresh()

    def show_rested(self, rested: Rested) -> None:
        """A turn is over, cancelled perhaps."""
        if rested.number == self._working:
            self._working = 0
            if self._preview is None:
                self.preview.show_nothing(self._verb)
            self._refresh()

    def show_job(self, job: JobView) -> None:
        """How far the measuring is."""
        if job.owner == self._working and self._preview is None and not job.ended:
            self.preview.show_progress(job)

    # Looks

    def _refresh(self) -> None:
        there = self.wish is not None and not self._reading and self.where.ready
        self.preview_button.setEnabled(self.busy or there)
        self.preview_button.setText("Cancel" if self.busy else "Preview again" if self._preview is not None else "Preview")
        stopped = self.fresh and self._preview is not None and bool(self._preview.broken)
        self.apply_button.setEnabled(there and not self.busy and (not stopped or bool(self.preview.reason.text().strip())))
        self.apply_button.setText("Apply anyway" if stopped else "Apply")
        self.apply_button.setToolTip(
            "Commit exactly what was previewed" if self.fresh else "Measure the edit, then commit it if its receipt holds to the limits"
        )
        self.preview.show_stale(self._preview is not None and not self.fresh)
        self.phrasings.mark(self.where.written)

    def _say(self, line: str, kind: str = "error") -> None:
        self.line.setText(line)
        set_kind(self.line, kind)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close()
            return
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._drop()
        super().closeEvent(event)
