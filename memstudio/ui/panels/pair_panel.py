"""An A/B: one prompt, two revisions, the same seed; both answers stream side by side and the token at which they part is framed in both."""

from itertools import count

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QFrame, QLineEdit, QPushButton, QSizePolicy, QSpinBox, QSplitter, QVBoxLayout, QWidget

from memstudio.anchor.values import Token
from memstudio.ui.panels.answer_view import AnswerView
from memstudio.ui.panels.parts import EmptyState, inset, label, pages, row, set_kind
from memstudio.ui.panels.revision_boxes import RevisionPair
from memstudio.ui.revision_views import PairAsk, PairEnded, PairSaid
from memstudio.ui.snapshots import StudyView
from memstudio.ui.texts import counted, first_difference, visible
from memstudio.ui.theme import Theme

MOST_SEEDS = 2**31 - 1


class PairPanel(QWidget):
    """Emits `asked` with a `PairAsk`, and `stop_wanted`. The prompt follows the prompt panel's until one is written here."""

    asked = Signal(PairAsk)
    stop_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._numbers = count(1)
        self._ask: PairAsk | None = None
        self._own_prompt = False
        self.running = False
        self.pair = RevisionPair(self)
        self._build_wishes()
        self.views = (AnswerView(theme), AnswerView(theme))
        self.titles = (label("", "dim"), label("", "dim"))
        sides = QSplitter(Qt.Orientation.Horizontal)
        for title, view in zip(self.titles, self.views, strict=True):
            title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            sides.addWidget(_side(title, view))
        sides.setChildrenCollapsible(False)
        sides.setHandleWidth(8)
        sides.setSizes([1000, 1000])
        self.verdict = label("", "", wrap=True)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addLayout(row(self.text, self.run_button))
        wishes = row(*self.pair.boxes, self.temperature, self.seed, self.max_tokens)
        for place in (0, 1):
            wishes.setStretch(place, 1)
        column.addLayout(wishes)
        column.addWidget(sides, 1)
        column.addWidget(self.verdict)
        no_study = EmptyState("No revisions yet", "Open a bank, then have two of its revisions answer the same prompt side by side.")
        self._stack = pages(self, (8, 3, 8, 6), no_study, body)
        self._clear()

    def _build_wishes(self) -> None:
        self.text = QLineEdit()
        self.text.setPlaceholderText("A prompt for both")
        self.text.textEdited.connect(self._wrote)
        self.text.returnPressed.connect(self.start)
        self.run_button = QPushButton("Run both")
        self.run_button.setProperty("kind", "primary")
        self.run_button.setMinimumWidth(84)
        self.run_button.clicked.connect(self._run_or_stop)
        self.temperature = QDoubleSpinBox()
        self.temperature.setRange(0.0, 5.0)
        self.temperature.setSingleStep(0.1)
        self.temperature.setDecimals(1)
        self.temperature.setPrefix("temp. ")
        self.temperature.setSpecialValueText("greedy")
        self.temperature.setToolTip("Temperature: greedy takes the likeliest token; above 0 both draw with the same seed")
        self.seed = QSpinBox()
        self.seed.setRange(0, MOST_SEEDS)
        self.seed.setPrefix("seed ")
        self.seed.setToolTip("Both answers are drawn with this seed; greedy ones need none")
        self.seed.setEnabled(False)
        self.temperature.valueChanged.connect(lambda value: self.seed.setEnabled(value > 0))
        self.max_tokens = QSpinBox()
        self.max_tokens.setRange(1, 2000)
        self.max_tokens.setValue(48)
        self.max_tokens.setSuffix(" tokens")
        self.max_tokens.setToolTip("The most tokens an answer may have")
        for box, width in ((self.temperature, 88), (self.seed, 92), (self.max_tokens, 92)):
            box.setFixedWidth(width)
            inset(box)
        self.text.textChanged.connect(self._refresh)

    # What is asked

    def show_study(self, study: StudyView) -> None:
        """Another state of the study."""
        self._stack.setCurrentIndex(1)
        self.pair.show_study(study)
        self._refresh()

    def forget(self) -> None:
        """Another bank: no answers, and the prompt follows again."""
        self._own_prompt = False
        self._ask = None
        self._end()
        self._clear()

    def follow(self, prompt: str) -> None:
        """The prompt panel's prompt, taken over until one is written here."""
        if not self._own_prompt:
            self.text.setText(prompt.replace("\n", " "))

    def start(self) -> None:
        """Ask both."""
        values, text = self.pair.values, self.text.text().strip()
        if self.running or values is None or not text:
            return
        self._ask = PairAsk(
            next(self._numbers), text, *values, self.max_tokens.value(), round(self.temperature.value(), 1), self.seed.value()
        )
        self.running = True
        self._clear()
        for view in self.views:
            view.begin(text)
        self._title()
        self._refresh()
        self.asked.emit(self._ask)

    def _run_or_stop(self) -> None:
        if self.running:
            self.stop_wanted.emit()
        else:
            self.start()

    def _wrote(self, text: str) -> None:
        self._own_prompt = bool(text)

    # What comes back

    def show_token(self, said: PairSaid) -> None:
        """A token of one side."""
        if self._ask is None or said.number != self._ask.number:
            return
        self.views[said.side].add((said.token,))
        self._title()
        self._compare(ended=False)

    def show_ended(self, ended: PairEnded) -> None:
        """Both are through, stopped or refused."""
        if self._ask is None or ended.number != self._ask.number or not self.running:
            return
        self._end()
        if ended.line:
            self._say(ended.line, "error")
            return
        self._compare(ended=not ended.stopped)
        for view in self.views:
            view.reveal(view.difference or 0)
        self._title(" · stopped" if ended.stopped else "")

    @property
    def difference(self) -> int | None:
        """The token at which they part, as far as they have come."""
        return self.views[0].difference

    def _compare(self, *, ended: bool) -> None:
        one, other = (view.tokens for view in self.views)
        at = first_difference(one, other)
        if at is None and ended and len(one) != len(other):
            at = min(len(one), len(other))
        for view in self.views:
            view.mark_difference(at)
        if at is not None:
            self._say(f"They part at token {at}: “{_piece(one, at)}” and “{_piece(other, at)}”")
        else:
            self._say("Both answers are the same." if ended else "No difference so far." if one or other else "")

    def _say(self, line: str, kind: str = "") -> None:
        set_kind(self.verdict, kind)
        self.verdict.setText(line)

    def _title(self, end: str = "") -> None:
        if self._ask is not None:
            for title, view, revision, letter in zip(self.titles, self.views, (self._ask.a, self._ask.b), "AB", strict=True):
                title.setText(f"{letter} · revision {revision} · {counted(len(view.tokens), 'token')}{end}")

    def _clear(self) -> None:
        for view in self.views:
            view.begin("")
        for title, letter in zip(self.titles, "AB", strict=True):
            title.setText(letter)
        self._say("Both answers share the seed; the token at which they part is marked in each." if self._ask is None else "", "dim")

    def _end(self) -> None:
        self.running = False
        self._refresh()

    def _refresh(self) -> None:
        self.run_button.setText("Stop" if self.running else "Run both")
        self.run_button.setEnabled(self.running or bool(self.text.text().strip()))


def _piece(tokens: tuple[Token, ...], at: int) -> str:
    return visible(tokens[at].text) if at < len(tokens) else "the end"


def _side(title: QWidget, view: QWidget) -> QFrame:
    made = QFrame()
    made.setProperty("kind", "panel")
    column = QVBoxLayout(made)
    column.setContentsMargins(8, 5, 6, 4)
    column.setSpacing(2)
    column.addWidget(title)
    column.addWidget(view, 1)
    return made
