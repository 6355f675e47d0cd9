"""One prompt that two revisions answer otherwise: both answers whole, the token at which they part framed in each."""

import math

from PySide6.QtWidgets import QVBoxLayout, QWidget

from memstudio.anchor.values import Token
from memstudio.ui.panels.answer_view import AnswerView
from memstudio.ui.panels.parts import EmptyState, label, pages
from memstudio.ui.revision_views import Pieces
from memstudio.ui.texts import visible
from memstudio.ui.theme import Theme


class TurnView(QWidget):
    """Both answers of the selected prompt, one above the other."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.views = (AnswerView(theme), AnswerView(theme))
        self.titles = (label("", "dim"), label("", "dim"))
        self.verdict = label("", "", wrap=True)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(8, 4, 4, 4)
        column.setSpacing(1)
        for title, view in zip(self.titles, self.views, strict=True):
            view.setMinimumHeight(46)
            view.setMinimumWidth(80)
            column.addWidget(title)
            column.addWidget(view, 1)
        column.addWidget(self.verdict)
        self._stack = pages(self, (0, 0, 0, 0), EmptyState("No prompt selected", "Select one to see where its two answers part."), body)

    def show_turn(self, found: Pieces | None, a: int, b: int) -> None:
        """Another prompt, answered by revisions a and b; None for none."""
        self._stack.setCurrentIndex(0 if found is None else 1)
        if found is None:
            return
        turned = found.turned
        parting = turned.parting
        for view, title, pieces, revision in zip(self.views, self.titles, (found.before, found.after), (a, b), strict=True):
            view.show_answer(turned.prompt, tuple(_token(at, text, revision) for at, text in enumerate(pieces)))
            view.mark_difference(parting.index if parting is not None else None)
            view.reveal(parting.index if parting is not None else 0)
            title.setText(f"Revision {revision}")
        if parting is None:
            self.verdict.setText("The tokens are the same.")
            return
        one, other = (f"“{visible(piece)}”" if piece else "the end" for piece in (parting.before, parting.after))
        self.verdict.setText(f"They part at token {parting.index}: {one} → {other}")


def _token(index: int, text: str, revision: int) -> Token:
    """A token of an answer that was read back from its text: how likely it was is not known."""
    return Token(index, -1, text, math.nan, revision, 0.0)
