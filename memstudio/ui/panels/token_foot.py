"""The line below the answers: what the memory did to the tokens, or to the one that is pointed at, and the colours' numbers."""

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from memstudio.anchor.values import Token
from memstudio.bank.values import Memory
from memstudio.ui.panels.legend import Legend
from memstudio.ui.panels.parts import label
from memstudio.ui.panels.token_strip import strip_colours
from memstudio.ui.texts import counted, visible
from memstudio.ui.theme import Theme

NAMED = 4
BAR_WIDTH = 84


class TokenFoot(QWidget):
    """A caption beside the legend; nothing while there is no answer."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._bound = 1.0
        self.caption = label("", "dim", wrap=True)
        self.caption.setAccessibleName("What the memory did")
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.caption.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.legend = Legend(theme.tone, BAR_WIDTH)
        self.legend.setAccessibleName("Log-probability with the memory minus without, in nats")
        inside = QHBoxLayout(self)
        inside.setContentsMargins(2, 0, 2, 0)
        inside.setSpacing(10)
        inside.addWidget(self.caption, 1)
        inside.addWidget(self.legend)
        theme.changed.connect(self._draw)
        self.hide()

    def say(self, line: str) -> None:
        """Another caption; none hides all of it."""
        self.caption.setText(line)
        self.setVisible(bool(line))

    def show_bound(self, bound: float) -> None:
        """Nats at the ends of the scale."""
        self._bound = bound
        self._draw()

    def _draw(self) -> None:
        tone = self._theme.tone
        self.legend.show_scale(strip_colours(tone.dark), f"−{self._bound:g}", f"+{self._bound:g} nats", tone)


def summary(tokens: Sequence[Token], memory: Memory) -> str:
    """Which tokens the memory decided, in a sentence; "" where there is no token."""
    if not tokens:
        return ""
    if memory == "none":
        return "This run adds no memory, so there is nothing to measure each token beside."
    measured = [token for token in tokens if token.decided is not None]
    if not measured:
        return "What the memory did to each token was not measured (Run › Measure each token)."
    decided = [token for token in measured if token.decided]
    some = f" of {len(measured):,} measured" if len(measured) < len(tokens) else f" of {len(tokens):,}"
    if not decided:
        return f"The memory decided none{some} tokens: the likeliest is the same without it."
    named = ", ".join(f"“{visible(token.text)}” at {token.index}" for token in decided[:NAMED])
    more = f" and {len(decided) - NAMED:,} more" if len(decided) > NAMED else ""
    return f"The memory decided {counted(len(decided), 'token')}{some}: {named}{more}."
