"""The answers of an A/B/C beside each other: a column an arm, scrolled together, the token at which it parts from A framed."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from memstudio.session.arm_wish import THIS, ArmWish
from memstudio.session.arms import Standing
from memstudio.ui.arms_views import LETTERS
from memstudio.ui.models.arms_model import ArmsModel
from memstudio.ui.panels.answer_view import AnswerView
from memstudio.ui.texts import counted, plain_tip, visible
from memstudio.ui.theme import Theme

LEAST_WIDTH = 186


class ShortLabel(QLabel):
    """A line that ends in … where it does not fit; its tooltip says it whole, and `more` below it."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("kind", kind)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.whole, self.more = "", ""

    def say(self, text: str) -> None:
        """Another line."""
        self.whole = text
        self.setToolTip(plain_tip("\n".join(filter(None, (text, self.more)))))
        self.setAccessibleName(text)
        self._fit()

    def _fit(self) -> None:
        self.setText(self.fontMetrics().elidedText(self.whole, Qt.TextElideMode.ElideRight, self.width()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


class ArmColumn(QFrame):
    """One arm: who it is, what it says, how that stands to A's answer."""

    def __init__(self, theme: Theme, place: int, wish: ArmWish) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self._place, self._name = place, wish.title
        self.title, self.line = ShortLabel("strong"), ShortLabel("dim")
        self.view = AnswerView(theme)
        self.view.setMinimumHeight(28)
        self.setMinimumWidth(LEAST_WIDTH)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 4, 3)
        column.setSpacing(1)
        column.addWidget(self.title)
        column.addWidget(self.line)
        column.addWidget(self.view, 1)
        self.setAccessibleName(f"{LETTERS[place]}, {wish.title}")
        self.entitle()

    def entitle(self, end: str = "") -> None:
        """Say who it is. end: words behind that."""
        self.title.say(f"{LETTERS[self._place]} · {self._name}{end}")

    def stand(self, standing: Standing) -> None:
        """What it comes to: its revision and route."""
        route = " › ".join(map(str, standing.route)) or "no route"
        revision = f"revision {standing.revision}, {route}" if standing.wish.memory == "fetched" else "no block of the tree is fetched"
        self.title.more = revision
        if standing.wish == THIS:
            self._name = f"{standing.wish.title} ({standing.revision})"
        self.entitle()


class ArmColumns(QScrollArea):
    """The columns; where they do not fit they scroll sideways. Emits `change_wanted` with an answer up to the part that is selected."""

    change_wanted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._scrolling = False
        self.setAccessibleName("Answers side by side")
        self.columns: tuple[ArmColumn, ...] = ()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setAutoFillBackground(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(84)

    def begin(self, wishes: Sequence[ArmWish]) -> None:
        """Other arms, which have said nothing yet. The prompt stands above them all, and is not repeated in each."""
        body = QWidget()
        across = QHBoxLayout(body)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(6)
        self.columns = tuple(ArmColumn(self._theme, place, wish) for place, wish in enumerate(wishes))
        for column in self.columns:
            column.view.verticalScrollBar().valueChanged.connect(lambda value, one=column: self._scrolled(one, value))
            column.view.change_wanted.connect(lambda view=column.view: self._change(view))
            across.addWidget(column, 1)
        self.setWidget(body)
        body.setAutoFillBackground(False)

    def stand(self, standing: Sequence[Standing]) -> None:
        """What the arms come to."""
        for column, each in zip(self.columns, standing, strict=True):
            column.stand(each)

    def add(self, model: ArmsModel, arm: int) -> None:
        """Show the last token of one arm, and how that leaves it and A."""
        column = self.columns[arm]
        column.view.add(model.answers[arm][-1:])
        self._compare(model, arm)

    def end(self, model: ArmsModel, words: str = "") -> None:
        """All are through; words: behind every title."""
        for arm, column in enumerate(self.columns[: model.rowCount()]):
            column.entitle(words)
            self._compare(model, arm)
            column.view.reveal(column.view.difference or 0)

    def _compare(self, model: ArmsModel, arm: int) -> None:
        """Frame where an arm parts from A, in both, and say it."""
        at = model.parts_at(arm)
        column = self.columns[arm]
        column.line.more = f"A says {_piece(model, 0, at)} there" if arm and at is not None else ""
        column.line.say(_line(model, arm, at))
        if arm and at is not None:
            column.view.mark_difference(at)
            first = self.columns[0].view
            first.mark_difference(at if first.difference is None else min(at, first.difference))

    def reveal(self, at: int) -> None:
        """Have a token be seen in every answer."""
        for column in self.columns:
            column.view.reveal(at)

    def _change(self, view: AnswerView) -> None:
        chosen = view.selected_answer()
        if chosen is not None:
            self.change_wanted.emit(chosen[0])

    def _scrolled(self, one: ArmColumn, value: int) -> None:
        """Scroll the others as far."""
        if self._scrolling:
            return
        self._scrolling = True
        for column in self.columns:
            if column is not one:
                column.view.verticalScrollBar().setValue(value)
        self._scrolling = False


def _line(model: ArmsModel, arm: int, at: int | None) -> str:
    same = model.standing[arm].same
    if same != arm:
        why = ": what is left out is not fetched here" if model.standing[arm].wish.without else ""
        return f"Same blocks as {LETTERS[same]}{why}"
    if arm == 0:
        return counted(len(model.answers[0]), "token")
    if at is None:
        return "The same answer as A" if model.ended else "No difference so far" if model.answers[arm] else ""
    return f"Parts at token {at}: {_piece(model, arm, at)}"


def _piece(model: ArmsModel, arm: int, at: int) -> str:
    own = model.answers[arm]
    return f"“{visible(own[at].text)}”" if at < len(own) else "the end"
