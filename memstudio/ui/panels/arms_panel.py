"""An A/B/C: one prompt, two to five arms, one seed; answers stream side by side, below them A's tokens as likely as each arm finds them."""

from collections.abc import Sequence
from itertools import count

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDoubleSpinBox, QLineEdit, QPushButton, QSpinBox, QVBoxLayout, QWidget

from memstudio.events import Hidden
from memstudio.session.arm_wish import ArmWish
from memstudio.ui.arms_views import ArmsAsk, ArmsEnded, ArmsSaid, ArmsStand, ArmsWeighed
from memstudio.ui.models.arms_model import ArmsModel
from memstudio.ui.panels.arm_bar import ArmBar
from memstudio.ui.panels.arm_columns import ArmColumns, ShortLabel
from memstudio.ui.panels.arms_table import ArmsTable
from memstudio.ui.panels.parts import Body, EmptyState, Roomy, inset, label, pages, row, set_kind
from memstudio.ui.snapshots import StudyView
from memstudio.ui.texts import counted, plain_tip
from memstudio.ui.theme import Theme

MOST_SEEDS = 2**31 - 1
HINT = "All answers share the seed. The token at which one parts from the first, A, is framed."
READ = "Causal, in nats. Framed: parts from A; slanted: A's tokens, read on."
READ_TIP = "Δ log p of A's token against A. Where an arm has parted from A, A's own tokens were read to it all the same (teacher-forced)."
SEED_TIP = "All answers are drawn with this seed; greedy ones need none"
MOST_OF_SCREEN, MOST_OF_SMALL = 0.4, 0.22
"""The share of the screen's height that the panel asks for at most; with large letters it is less, and scrolls."""


class ArmsPanel(QWidget):
    """Emits `asked` with an `ArmsAsk`, `stop_wanted`, `copy_wanted` and `save_wanted` for the table, `token_selected` with a place in A,
    `change_wanted` with a prompt whose answer is to be another one.

    The prompt follows the prompt panel's until one is written here.
    """

    asked = Signal(ArmsAsk)
    stop_wanted = Signal()
    copy_wanted = Signal()
    save_wanted = Signal()
    token_selected = Signal(int)
    change_wanted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._numbers = count(1)
        self._ask: ArmsAsk | None = None
        self._own_prompt, self._key = False, ""
        self.running = False
        self.bar, self.columns, self.model = ArmBar(), ArmColumns(theme), ArmsModel(self)
        self.table = ArmsTable(theme, self.model)
        self.verdict, self.tried = ShortLabel("dim"), label("", "notice", wrap=True)
        self._said = "", ""
        self._theme = theme
        self._build_wishes()
        self._build_body()
        theme.resized.connect(self._size)
        self._connect()
        self._clear()

    def _build_wishes(self) -> None:
        self.text = QLineEdit()
        self.text.setPlaceholderText("A prompt for all")
        self.text.setAccessibleName("Prompt for all arms")
        self.run_button = QPushButton("Run")
        self.run_button.setProperty("kind", "primary")
        self.run_button.setMinimumWidth(84)
        self.temperature = QDoubleSpinBox()
        self.temperature.setAccessibleName("Temperature")
        self.temperature.setRange(0.0, 5.0)
        self.temperature.setSingleStep(0.1)
        self.temperature.setDecimals(1)
        self.temperature.setPrefix("temp. ")
        self.temperature.setSpecialValueText("greedy")
        self.temperature.setToolTip("Temperature: greedy takes the likeliest token; above 0 all draw with the same seed")
        self.seed = QSpinBox()
        self.seed.setAccessibleName("Seed")
        self.seed.setRange(0, MOST_SEEDS)
        self.seed.setPrefix("seed ")
        self.seed.setToolTip(SEED_TIP)
        self.seed.setEnabled(False)
        self.max_tokens = QSpinBox()
        self.max_tokens.setAccessibleName("Tokens at most")
        self.max_tokens.setRange(1, 2000)
        self.max_tokens.setValue(48)
        self.max_tokens.setSuffix(" tokens")
        self.max_tokens.setToolTip("The most tokens an answer may have")
        for box in (self.temperature, self.seed, self.max_tokens):
            inset(box)
        self.copy, self.save = QPushButton("Copy"), QPushButton("CSV…")
        for button in (self.copy, self.save):
            button.setProperty("kind", "chip")
        self.copy.setToolTip("Copy the table, for a spreadsheet's paste")
        self.save.setToolTip("Write the table as a CSV file")

    def _size(self) -> None:
        """By the size of the text."""
        for box, width in ((self.temperature, 88), (self.seed, 92), (self.max_tokens, 92)):
            box.setFixedWidth(self._theme.sized(width))
        self._room.ask_for(MOST_OF_SCREEN if self._theme.text_percent <= 100 else MOST_OF_SMALL)

    def _build_body(self) -> None:
        body = Body()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addLayout(row(self.text, self.temperature, self.seed, self.max_tokens, self.run_button))
        column.addWidget(self.bar)
        column.addWidget(self.tried)
        column.addWidget(self.columns, 1)
        column.addWidget(self.table)
        last = row(self.verdict, self.copy, self.save)
        last.setStretch(0, 1)
        column.addLayout(last)
        self.tried.hide()
        self._room = Roomy(body)
        self._size()
        hint = "Open a bank, then have its memories and revisions answer one prompt side by side: none, generic, as shipped, this revision."
        self._stack = pages(self, (8, 3, 8, 6), EmptyState("Nothing to answer yet", hint), self._room)

    def _connect(self) -> None:
        self.text.textEdited.connect(self._wrote)
        self.text.textChanged.connect(self._refresh)
        self.text.returnPressed.connect(self.start)
        self.run_button.clicked.connect(self._run_or_stop)
        self.temperature.valueChanged.connect(lambda value: self.seed.setEnabled(value > 0))
        self.bar.changed.connect(self._refresh)
        self.table.token_selected.connect(self.columns.reveal)
        self.table.token_selected.connect(self.token_selected)
        self.columns.change_wanted.connect(lambda said: self.change_wanted.emit((self._ask.text if self._ask else "") + said))
        self.copy.clicked.connect(self.copy_wanted)
        self.save.clicked.connect(self.save_wanted)

    # What is asked

    def show_bank(self, *, generic: bool) -> None:
        """Another bank: no answers, the arms of the beginning, and the prompt follows again. generic: whether it has generic blocks."""
        self._own_prompt, self._ask, self.running = False, None, False
        self.bar.show_bank(generic=generic)
        self._clear()

    def show_study(self, study: StudyView) -> None:
        """Another state of the study."""
        self._stack.setCurrentIndex(1)
        self.bar.show_study(study)

    def show_tried(self, tried: Hidden) -> None:
        """What is tried at run time counts in the arms too, so it is said."""
        said = [
            f"{counted(len(clusters), noun)} {what}"
            for clusters, noun, what in (
                (tried.muted, "block", "muted"),
                (tried.solo, "block", "solo"),
                (tried.hidden, "subtree", "hidden"),
            )
            if clusters
        ]
        if tried.pinned is not None:
            said.append(f"the route pinned to {tried.pinned[-1]}, save where an arm has its own")
        self.tried.setText(f"In every arm that fetches: {'; '.join(said)}.")
        self.tried.setVisible(bool(said))

    def follow(self, prompt: str, key: str = "", *, again: bool = False) -> None:
        """The prompt panel's prompt and key, taken over until a prompt is written here. again: from now on even if one is."""
        self._own_prompt = self._own_prompt and not again
        if not self._own_prompt:
            self._key = key
            self.text.setText(prompt.replace("\n", " "))

    def compare(self, wishes: Sequence[ArmWish]) -> None:
        """Have just these answer, now."""
        self.bar.choose(wishes)
        self.start()

    def start(self) -> None:
        """Ask all."""
        text = self.text.text().strip()
        if self.running or self.bar.why_not() or not text:
            return
        how = (self.max_tokens.value(), round(self.temperature.value(), 1), self.seed.value())
        self._ask = ArmsAsk(next(self._numbers), text, self.bar.wishes, *how, None if self._own_prompt else self._key or None)
        self.running = True
        self._clear()
        self._say("")
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

    def show_standing(self, stand: ArmsStand) -> None:
        """What the arms come to."""
        if self._is_now(stand.number):
            self.model.begin(stand.standing)
            self.columns.stand(stand.standing)

    def show_token(self, said: ArmsSaid) -> None:
        """A token of one arm."""
        if self._is_now(said.number):
            self.model.add(said.arm, said.token)
            self.columns.add(self.model, said.arm)
            self._enable_table()

    def show_weighed(self, weighed: ArmsWeighed) -> None:
        """A's answer as every arm gives it."""
        if self._is_now(weighed.number):
            self.model.end()
            self.model.weigh(weighed.weighed)

    def show_ended(self, ended: ArmsEnded) -> None:
        """All are through, stopped or refused."""
        if not self._is_now(ended.number):
            return
        self.running = False
        self._refresh()
        if ended.line:
            self._say(ended.line, "error")
            return
        if not ended.stopped:
            self.model.end()
        self.columns.end(self.model, " · stopped" if ended.stopped else "")
        self.verdict.more = READ_TIP
        self._say(READ if self.model.columnCount() else "A has no token: there is nothing to compare by.", "dim")

    def _is_now(self, number: int) -> bool:
        return self.running and self._ask is not None and number == self._ask.number

    def _say(self, line: str, kind: str = "") -> None:
        self._said = line, kind
        self._show_said()

    def _show_said(self) -> None:
        """What was said last; or, while another prompt stands above, which prompt the answers are of."""
        line, kind = self._said
        ask = self._ask
        if ask is not None and not self.running and self.model.columnCount() and ask.text != self.text.text().strip():
            line, kind = f"These answers are to “{ask.text}”.", "notice"
        set_kind(self.verdict, kind)
        self.verdict.say(line)

    def _clear(self) -> None:
        """No answers: those that will be, as they are chosen."""
        self.model.begin(())
        self.columns.begin(self._ask.wishes if self._ask else self.bar.wishes)
        self._say(HINT, "dim")
        self._enable_table()

    def _enable_table(self) -> None:
        there = self.model.columnCount() > 0
        self.table.setVisible(there)
        for button in (self.copy, self.save):
            button.setEnabled(there)

    def _refresh(self) -> None:
        why = self.bar.why_not() or ("" if self.text.text().strip() else "Write a prompt.")
        self.run_button.setText("Stop" if self.running else f"Run {len(self.bar.wishes)}")
        self.run_button.setEnabled(self.running or not why)
        self.run_button.setToolTip(plain_tip(why or "Have all answer this prompt with the same seed"))
        self._show_said()
        if self._ask is None:
            self.columns.begin(self.bar.wishes)
