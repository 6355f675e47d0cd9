"""One answer as text that streams in: the prompt dimmed, tokens after it, those of a later revision tinted, the first difference framed.

The document holds plain text only, so copying gives just the answer; all marks are painted over it.
"""

import math
from bisect import bisect_right

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QHelpEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QMenu, QTextEdit, QToolTip

from memstudio.anchor.values import Token
from memstudio.ui.texts import plain_tip, visible
from memstudio.ui.theme import Theme

LINE_HEIGHT_PERCENT = 165
PILL_POINTS = 7.0
ALTERNATIVES = 5


class AnswerView(QTextEdit):
    """A prompt and its tokens. Emits `change_wanted` from its menu where a part of the answer is selected."""

    change_wanted = Signal()
    line_height_percent = LINE_HEIGHT_PERCENT

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setAccessibleName("Answer")
        self._theme = theme
        self._prompt = ""
        self.tokens: tuple[Token, ...] = ()
        self._starts: list[int] = []
        self._difference: int | None = None
        self.setReadOnly(True)
        self.setAcceptRichText(False)
        self.setMinimumHeight(40)
        self.setMinimumWidth(150)
        self.setFrameShape(QTextEdit.Shape.NoFrame)
        self.viewport().setAutoFillBackground(False)
        theme.changed.connect(self._retone)

    # Content

    def begin(self, prompt: str) -> None:
        """Clear, and show the prompt that is being answered."""
        self._prompt, self.tokens, self._starts, self._difference = prompt, (), [], None
        self._rewrite()

    def add(self, tokens: tuple[Token, ...]) -> None:
        """Append tokens; the view stays at the end when it was there."""
        bar = self.verticalScrollBar()
        follow = bar.value() >= bar.maximum() - 4
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        for token in tokens:
            self._starts.append(cursor.position())
            cursor.insertText(token.text, self._format(dim=False))
        self.tokens += tokens
        self._mark()
        if follow:
            bar.setValue(bar.maximum())

    def show_answer(self, prompt: str, tokens: tuple[Token, ...]) -> None:
        """A whole answer at once."""
        self.begin(prompt)
        self.add(tokens)
        self.verticalScrollBar().setValue(0)

    def mark_difference(self, index: int | None) -> None:
        """Frame the token at which this answer parts from the other; None: no mark."""
        if index != self._difference:
            self._difference = index
            self._mark()

    def reveal(self, index: int) -> None:
        """Scroll so that a token, or the end, can be seen with a line before it."""
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._span(index)[0] if index < len(self.tokens) else self.document().characterCount() - 1)
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + self.cursorRect(cursor).top() - 2 * self.fontMetrics().lineSpacing())

    @property
    def difference(self) -> int | None:
        """The framed token."""
        return self._difference

    def boundaries(self) -> list[tuple[int, int]]:
        """(token, revision) wherever a token's revision is not that of the one before it."""
        return [(at, token.revision) for at, token in enumerate(self.tokens) if at and token.revision != self.tokens[at - 1].revision]

    def token_at(self, point: QPoint) -> Token | None:
        """The token under a point of the viewport."""
        place = self.place_at(point)
        return None if place is None else self.tokens[place]

    def place_at(self, point: QPoint) -> int | None:
        """Which of the tokens is under a point of the viewport."""
        place = bisect_right(self._starts, self.cursorForPosition(point).position()) - 1
        inside = self._starts and self.cursorRect(self.cursorForPosition(point)).adjusted(-12, -4, 12, 4).contains(point)
        return place if inside and 0 <= place < len(self.tokens) else None

    def selected_answer(self) -> tuple[str, str] | None:
        """(the prompt with the answer up to the selection, the selected part of the answer); None where none of it is selected."""
        cursor = self.textCursor()
        if not cursor.hasSelection() or not self._starts:
            return None
        whole = self.toPlainText()
        start = max(cursor.selectionStart(), self._starts[0])
        selected = whole[start : cursor.selectionEnd()].strip()
        return (whole[:start].rstrip(), selected) if selected else None

    # Looks

    def menu(self) -> QMenu:
        """What can be done with what is selected."""
        menu = self.createStandardContextMenu()
        if self.selected_answer() is not None:
            first = menu.actions()[0] if menu.actions() else None
            change = menu.addAction("Change this answer…")
            change.triggered.connect(self.change_wanted)
            if first is not None:
                menu.insertAction(first, change)
                menu.insertSeparator(first)
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def _format(self, *, dim: bool) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setForeground(QColor(self._theme.tone.dim if dim else self._theme.tone.text))
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() + 1.5)
        made.setFont(font)
        return made

    def _rewrite(self) -> None:
        self.clear()
        cursor = QTextCursor(self.document())
        spaced = QTextBlockFormat()
        spaced.setLineHeight(self.line_height_percent, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.setBlockFormat(spaced)
        cursor.insertText(self._prompt, self._format(dim=True))

    def _retone(self) -> None:
        tokens, difference, place = self.tokens, self._difference, self.verticalScrollBar().value()
        self.begin(self._prompt)
        self.add(tokens)
        self.mark_difference(difference)
        self.verticalScrollBar().setValue(place)

    def _mark(self) -> None:
        tone = self._theme.tone
        marks = []
        if self.tokens:
            turns = self.boundaries()
            if turns and self._starts:
                marks.append(self._selection(turns[0][0], len(self.tokens) - 1, tone.warning_soft, tone.text))
        if self._difference is not None and self._difference < len(self.tokens):
            marks.append(self._selection(self._difference, self._difference, tone.danger_soft, tone.danger, underline=True))
        self.setExtraSelections(marks)
        self.viewport().update()

    def _selection(self, first: int, last: int, ground: str, ink: str, *, underline: bool = False) -> QTextEdit.ExtraSelection:
        made = QTextEdit.ExtraSelection()
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._span(first)[0])
        cursor.setPosition(self._span(last)[1], QTextCursor.MoveMode.KeepAnchor)
        made.cursor = cursor
        look = QTextCharFormat()
        look.setBackground(QColor(ground))
        look.setForeground(QColor(ink))
        if underline:
            look.setFontUnderline(True)
            look.setUnderlineColor(QColor(ink))
        made.format = look
        return made

    def _span(self, index: int) -> tuple[int, int]:
        """Document positions of a token, its leading blank left out."""
        start = self._starts[index]
        stop = self._starts[index + 1] if index + 1 < len(self._starts) else self.document().characterCount() - 1
        text = self.tokens[index].text
        blank = len(text) - len(text.lstrip(" ")) if text.strip() else 0
        return min(start + blank, stop), stop

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for at, revision in self.boundaries():
            self._pill(painter, at, f"revision {revision}")
        painter.end()

    def _pill(self, painter: QPainter, index: int, text: str) -> None:
        """A flag below the token from which another revision speaks."""
        tone = self._theme.tone
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._span(index)[0])
        spot = self.cursorRect(cursor)
        font = QFont(self.font())
        font.setPointSizeF(PILL_POINTS)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(text) + 8, metrics.height()
        left = min(float(spot.left()), float(self.viewport().width() - width - 2))
        box = QRectF(left, spot.bottom() + 1.0, width, height)
        painter.setPen(QPen(QColor(tone.warning), 1.4))
        painter.drawLine(spot.left(), spot.top(), spot.left(), int(box.bottom()) - 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tone.warning))
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(QColor(tone.panel))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            token = self.token_at(event.pos())
            if token is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self.tip(token), self.viewport())
            return True
        return super().viewportEvent(event)

    def tip(self, token: Token) -> str:
        """What is said of a token under the cursor."""
        return plain_tip(token_tip(token))


def token_tip(token: Token) -> str:
    """What there is to say of one token."""
    likely = f" · log p {token.logprob:.3f}" if math.isfinite(token.logprob) else ""
    lines = [f"token {token.index} “{visible(token.text)}”{likely} · revision {token.revision}"]
    lines += [f"{logprob:8.3f}  {visible(text)}" for text, logprob in token.top[:ALTERNATIVES]]
    return "\n".join(lines)
