"""The prompt and its answer: what to ask and how, the route it took, the text as it streams, the earlier answer beside it."""

from typing import cast

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QTextCursor
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from memstudio.anchor.values import Run, Token
from memstudio.bank.values import ClusterId, Memory, Route
from memstudio.ui.panels.answer_view import AnswerView
from memstudio.ui.panels.breadcrumb import Breadcrumb
from memstudio.ui.panels.parts import inset, label, row
from memstudio.ui.panels.token_foot import TokenFoot
from memstudio.ui.panels.token_view import TokenView
from memstudio.ui.snapshots import Ask
from memstudio.ui.texts import counted, first_difference, visible
from memstudio.ui.theme import Theme

MEMORIES: tuple[tuple[str, Memory], ...] = (("Fetched blocks", "fetched"), ("Generic blocks", "generic"), ("No memory", "none"))
PACES: tuple[tuple[str, float | None], ...] = (("Full speed", None), ("10 tokens/s", 10.0), ("3 tokens/s", 3.0))
KEPT_ANSWERS = 200


class PromptEdit(QPlainTextEdit):
    """Undoes typing while there is typing to undo; otherwise Ctrl+Z and Ctrl+Shift+Z are the study's."""

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            undo = event.matches(QKeySequence.StandardKey.Undo) and not self.document().isUndoAvailable()
            redo = event.matches(QKeySequence.StandardKey.Redo) and not self.document().isRedoAvailable()
            if undo or redo:
                event.ignore()
                return False
        return super().event(event)


class PromptPanel(QWidget):
    """Asks and shows. Emits `wished` when the prompt's text changes, `selected` with a block, `change_wanted` with a prompt."""

    wished = Signal()
    selected = Signal(object)
    change_wanted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._ask: Ask | None = None
        self._answers: dict[str, Run] = {}
        self._earlier_run: Run | None = None
        self._build_wishes()
        self.breadcrumb = Breadcrumb()
        self.breadcrumb.selected.connect(self.selected)
        self._build_bar()
        self.beside = True
        """Whether each token is measured under lesser memories too."""
        self.now, self.earlier = TokenView(theme), TokenView(theme)
        self.now.setPlaceholderText("Run answers the prompt here (Ctrl+Return).")
        self.foot = TokenFoot(theme)
        for view in (self.now, self.earlier):
            view.change_wanted.connect(lambda view=view: self._change(view))
        self._now_title, self._earlier_title = label("", "dim"), label("", "dim")
        for title in (self._now_title, self._earlier_title):
            title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._verdict = label("")
        self._verdict.hide()
        self._earlier_side = _side(self._earlier_title, self.earlier)
        self._sides = QSplitter(Qt.Orientation.Horizontal)
        self._sides.addWidget(self._earlier_side)
        self._sides.addWidget(_side(self._now_title, self.now))
        self._sides.setChildrenCollapsible(False)
        self._sides.setHandleWidth(8)
        self._earlier_side.hide()
        self._size()
        theme.resized.connect(self._size)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 6)
        column.setSpacing(7)
        column.addLayout(row(self.text, self.run_button, spacing=8))
        column.addLayout(row(self.key, self.memory, self.max_tokens, self.pace))
        column.addWidget(self.breadcrumb)
        column.addWidget(self.bar)
        column.addWidget(self._sides, 1)
        column.addWidget(self._verdict)
        column.addWidget(self.foot)

    def _size(self) -> None:
        """Two lines for the prompt, by the size of the text."""
        for widget in (self.text, self.run_button):
            widget.setFixedHeight(2 * self.fontMetrics().lineSpacing() + 20)

    def _build_wishes(self) -> None:
        self.text = PromptEdit()
        self.text.setAccessibleName("Prompt")
        self.text.setPlaceholderText("Write a prompt, then press Ctrl+Return")
        self.text.setTabChangesFocus(True)
        self.text.textChanged.connect(self.wished)
        self.run_button = QPushButton("Run")
        self.run_button.setProperty("kind", "primary")
        self.run_button.setMinimumWidth(84)
        self.key = QLineEdit()
        self.key.setAccessibleName("Key")
        self.key.setPlaceholderText("Key: as the prompt")
        self.key.setClearButtonEnabled(True)
        self.key.setToolTip("The text that is routed; leave it empty to route the prompt itself")
        self.memory = QComboBox()
        for text, memory in MEMORIES:
            self.memory.addItem(text, memory)
        self.memory.setToolTip("Which memory is added: the fetched route, every level's generic block, or none")
        self.max_tokens = QSpinBox()
        self.max_tokens.setAccessibleName("Tokens at most")
        self.max_tokens.setRange(1, 2000)
        self.max_tokens.setValue(64)
        self.max_tokens.setSuffix(" tokens")
        inset(self.max_tokens)
        self.max_tokens.setToolTip("The most tokens an answer may have")
        self.pace = QComboBox()
        for text, pace in PACES:
            self.pace.addItem(text, pace)
        self.pace.setToolTip("Slow the answer down to edit it while it is written")

    def _build_bar(self) -> None:
        self.bar = QFrame()
        self.bar.setProperty("kind", "bar")
        self.bar_text = label("", wrap=True)
        self.continue_button, self.recompute_button = QPushButton("Continue"), QPushButton("Recompute")
        inside = row(self.bar_text, self.continue_button, self.recompute_button)
        inside.setStretch(0, 1)
        inside.setContentsMargins(10, 5, 6, 5)
        self.bar.setLayout(inside)
        self.bar.hide()

    def put_on_top(self, widget: QWidget) -> None:
        """Room for a bar above the prompt."""
        layout = self.layout()
        if isinstance(layout, QVBoxLayout):
            layout.insertWidget(0, widget)

    # What is asked

    def ask(self, number: int) -> Ask:
        """The question as it stands on the panel."""
        return Ask(
            number,
            self.text.toPlainText().strip(),
            self.key.text().strip() or None,
            cast(Memory, self.memory.currentData()),
            self.max_tokens.value(),
            tokens_per_second=self.pace.currentData(),
            beside=self.beside,
        )

    def write(self, prompt: str) -> None:
        """Put a prompt into the box, the cursor behind it."""
        self.text.setPlainText(prompt)
        self.text.moveCursor(QTextCursor.MoveOperation.End)

    def to_change(self) -> str:
        """The prompt whose answer the user may want changed: up to the part of the answer that is selected, else as it is written."""
        chosen = self.now.selected_answer()
        return chosen[0] if chosen is not None else self.text.toPlainText().strip()

    def _change(self, view: AnswerView) -> None:
        chosen = view.selected_answer()
        if chosen is not None:
            self.change_wanted.emit(chosen[0])

    @property
    def has_prompt(self) -> bool:
        """Whether there is something to run."""
        return bool(self.text.toPlainText().strip())

    # What comes back

    def begin(self, ask: Ask) -> None:
        """The worker took up a question. Tokens that it keeps stay; otherwise its earlier answer moves beside it."""
        self._ask = ask
        self.hide_bar()
        if not ask.kept:
            self._earlier_run = self._answers.get(ask.text)
            self._show_earlier(ask.text)
        kept = self.now.tokens[: len(ask.kept)] if ask.kept else ()
        self.now.begin(ask.text)
        self.now.add(kept)
        self._now_title.setText("This run …")
        if ask.memory != "fetched":
            self.breadcrumb.show_route(None, f"No route: this run adds {'generic blocks' if ask.memory == 'generic' else 'no memory'}.")
        self._compare()

    def show_route(self, route: Route) -> None:
        """The run chose its blocks."""
        self.breadcrumb.show_route(route)

    def add(self, tokens: tuple[Token, ...]) -> None:
        """Tokens came."""
        self.now.add(tokens)
        self._compare()

    def finish(self, run: Run) -> None:
        """The run ended."""
        if run.tokens != self.now.tokens:
            self.now.show_answer(run.prompt, run.tokens)
        self._now_title.setText(title_of("This run", run))
        self._answers.pop(run.prompt, None)
        self._answers[run.prompt] = run
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.pop(next(iter(self._answers)))
        self._compare(ended=True)

    def forget(self) -> None:
        """Another bank: no answer, no route."""
        self._ask, self._answers, self._earlier_run = None, {}, None
        self._earlier_side.hide()
        self._verdict.hide()
        self.now.begin("")
        self._now_title.setText("")
        self.breadcrumb.show_route(None, "The prompt chooses one block a level when it runs.")
        self.hide_bar()

    def show_bar(self, revision: int, tokens: int) -> None:
        """Offer to go on or to recompute, after an edit in the middle of the run."""
        self.bar_text.setText(
            f"Revision {revision} speaks from token {tokens}. The {counted(tokens, 'token')} before it "
            f"{'was' if tokens == 1 else 'were'} read by the blocks as they were."
        )
        self.bar.show()

    def hide_bar(self) -> None:
        """The choice was made, or is moot."""
        self.bar.hide()

    def show_labels(self, labels: dict[ClusterId, str]) -> None:
        """Labels that came."""
        self.breadcrumb.show_labels(labels)

    @property
    def earlier_run(self) -> Run | None:
        """The run whose answer stands beside this one."""
        return self._earlier_run

    @property
    def verdict(self) -> str:
        """The line that compares both answers; empty where there is one only."""
        return self._verdict.text() if self._verdict.isVisibleTo(self) else ""

    def _show_earlier(self, prompt: str) -> None:
        run = self._earlier_run
        self._earlier_side.setVisible(run is not None)
        if run is not None:
            self.earlier.show_answer(prompt, run.tokens)
            self._earlier_title.setText(title_of("Earlier", run))
            self._sides.setSizes([1000, 1000])

    def _compare(self, ended: bool = False) -> None:
        run = self._earlier_run
        if run is None:
            self._verdict.hide()
            return
        one, other = self.earlier.tokens, self.now.tokens
        at = first_difference(one, other)
        if at is None and ended and len(one) != len(other):
            at = min(len(one), len(other))
        self.earlier.mark_difference(at)
        self.now.mark_difference(at)
        if ended:
            self.earlier.reveal(at or 0)
            self.now.reveal(at or 0)
        if at is not None:
            self._verdict.setText(f"First difference at token {at}: “{_piece(one, at)}” → “{_piece(other, at)}”")
        else:
            self._verdict.setText("Both answers are the same." if ended else "No difference so far.")
        self._verdict.show()


def title_of(name: str, run: Run) -> str:
    """Caption of an answer: under which revision and memory, how fast, whether it was stopped."""
    revisions = sorted({token.revision for token in run.tokens} | {run.revision})
    parts = [name, "revision " + " → ".join(str(revision) for revision in revisions)]
    if run.memory != "fetched":
        parts.append("generic blocks" if run.memory == "generic" else "no memory")
    parts.append(counted(len(run.tokens), "token") + (", stopped" if run.stopped else ""))
    return " · ".join(parts)


def _piece(tokens: tuple[Token, ...], at: int) -> str:
    return visible(tokens[at].text) if at < len(tokens) else "end"


def _side(title: QWidget, view: QWidget) -> QWidget:
    made = QFrame()
    made.setProperty("kind", "panel")
    column = QVBoxLayout(made)
    column.setContentsMargins(8, 5, 6, 4)
    column.setSpacing(2)
    column.addWidget(title)
    column.addWidget(view, 1)
    return made
