"""An answer whose tokens can be asked about: the strip behind and below them, a token cursor for the keys, a click that chooses one."""

from bisect import bisect_right

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QTextCursor
from PySide6.QtWidgets import QToolTip

from memstudio.anchor.values import Token
from memstudio.bank.values import Memory
from memstudio.ui.panels.answer_view import AnswerView
from memstudio.ui.panels.token_card import card_html, said_of
from memstudio.ui.panels.token_strip import paint_bars, paint_ground, strip_colours
from memstudio.ui.theme import Theme

BLANK_WIDTH = 7.0
KEYS = "Left and right go from token to token, Enter explains one, Escape goes back to the prompt"
_STILL = 4
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class TokenView(AnswerView):
    """Emits `pointed` when the token cursor moves, and `token_chosen` with the token's place, or None where the prompt was meant."""

    pointed = Signal()
    token_chosen = Signal(object)
    line_height_percent = 200

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.memory: Memory = "fetched"
        """What the answer was written with."""
        self.bound = 1.0
        """Nats at the ends of the colour scale."""
        self.cursor_at: int | None = None
        self.chosen: int | None = None
        self._pressed = QPoint()
        self.setAccessibleName("Answer")
        self.setAccessibleDescription(KEYS)

    def begin(self, prompt: str) -> None:
        self.cursor_at = self.chosen = None
        super().begin(prompt)

    def _retone(self) -> None:
        at, chosen = self.cursor_at, self.chosen
        super()._retone()
        self.cursor_at, self.chosen = at, chosen

    # What is asked about

    def show_bound(self, bound: float) -> None:
        """Colour by another scale."""
        if bound != self.bound:
            self.bound = bound
            self.viewport().update()

    def point(self, place: int | None) -> None:
        """Move the token cursor."""
        if place == self.cursor_at:
            return
        self.cursor_at = place
        if place is not None:
            spot = QTextCursor(self.document())
            spot.setPosition(self._span(place)[0])
            self.setTextCursor(spot)
            self.ensureCursorVisible()
        self.setAccessibleDescription(KEYS if place is None else said_of(self.tokens[place], self.memory))
        self.viewport().update()
        self.pointed.emit()

    def choose(self, place: int | None) -> None:
        """Frame the token that the other panels speak of; None: none."""
        if place != self.chosen:
            self.chosen = place
            self.viewport().update()

    def box(self, place: int) -> QRectF | None:
        """Where a token stands in the viewport; None where it is no text yet (a character of several tokens)."""
        text = self.tokens[place].text
        if not text:
            return None
        start, stop = QTextCursor(self.document()), QTextCursor(self.document())
        start.setPosition(self._span(place)[0])
        stop.setPosition(self._span(place)[1])
        one, other = self.cursorRect(start), self.cursorRect(stop)
        whole = other.top() == one.top() and other.left() > one.left()
        width = float(other.left() - one.left()) if whole else self.viewport().width() - one.left() - 4.0 if text.strip() else BLANK_WIDTH
        return QRectF(one.left(), one.top(), max(width, 2.0), one.height())

    def _boxes(self) -> list[tuple[int, QRectF]]:
        """The tokens that can be seen."""
        area = self.viewport().rect()
        first = bisect_right(self._starts, self.cursorForPosition(area.topLeft()).position()) - 1
        last = bisect_right(self._starts, self.cursorForPosition(area.bottomRight()).position())
        places = range(max(first, 0), min(last + 1, len(self.tokens)))
        return [(place, box) for place in places if (box := self.box(place)) is not None]

    # Looks

    def paintEvent(self, event: QPaintEvent) -> None:
        boxes = self._boxes() if self.memory != "none" else []
        shown = [(self.tokens[place], box) for place, box in boxes]
        tone = self._theme.tone
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, shown, self.bound, strip_colours(tone.dark))
        paint_bars(painter, shown, self.bound, tone)
        painter.end()
        super().paintEvent(event)
        self._paint_frames()

    def _paint_frames(self) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pointed = self.cursor_at if self.cursor_at != self.chosen else None
        for place, style in ((pointed, Qt.PenStyle.DotLine), (self.chosen, Qt.PenStyle.SolidLine)):
            box = self.box(place) if place is not None and place < len(self.tokens) else None
            if box is not None:
                painter.setPen(QPen(QColor(self._theme.tone.accent), 1.8, style))
                painter.drawRoundedRect(box.adjusted(-1.5, -1.5, 0.5, 1.5), 3, 3)
        painter.end()

    def tip(self, token: Token) -> str:
        return card_html(token, self.memory)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        spot = event.position().toPoint()
        still = (spot - self._pressed).manhattanLength() < _STILL and not self.textCursor().hasSelection()
        if event.button() == Qt.MouseButton.LeftButton and still and self.tokens:
            place = self.place_at(spot)
            self.point(place)
            self.token_chosen.emit(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier or not self.tokens or not self._took(Qt.Key(event.key())):
            super().keyPressEvent(event)

    def _took(self, key: Qt.Key) -> bool:
        """Whether a key was meant for the token cursor."""
        at = self.cursor_at
        if key in _STEPS:
            self._go(_STEPS[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and at is not None:
            self.token_chosen.emit(at)
        elif key == Qt.Key.Key_Escape and (at is not None or self.chosen is not None):
            QToolTip.hideText()
            self.point(None)
            self.token_chosen.emit(None)
        else:
            return False
        return True

    def _go(self, step: int) -> None:
        """To the next token that has text, with its card."""
        count = len(self.tokens)
        place = (0 if step > 0 else count - 1) if self.cursor_at is None else self.cursor_at + step
        while 0 <= place < count and self.box(place) is None:
            place += step
        if not 0 <= place < count:
            return
        self.point(place)
        box = self.box(place)
        if box is not None:
            spot = self.viewport().mapToGlobal(box.bottomLeft().toPoint() + QPoint(0, 6))
            QToolTip.showText(spot, card_html(self.tokens[place], self.memory), self.viewport())
