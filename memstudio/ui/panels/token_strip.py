"""What the memory did to each token, as colour behind its text and as a bar below it: up where it made the token likelier.

The colours are the inner part of the diverging scale, so that text on them can be read.
"""

import math
from collections.abc import Iterable, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen

from memstudio.anchor.values import Token
from memstudio.ui.scales import Colours, diverging
from memstudio.ui.theme import Tone

BOUNDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Nats at the ends of the scale: the smallest that holds every token."""
NOTHING = 0.005
"""Nats below which the memory is said to have done nothing."""
BAR, GAP = 6.0, 2.0
"""Pixels: the longest bar to either side of its line, and the room above it."""
_SHARE = {True: 0.45, False: 0.62}
"""How far out on the scale the colours go, dark and light."""


def strip_colours(dark: bool) -> Colours:
    """−much → 0 → +much, uint8 [256, 3], each at least 4.5 : 1 against the theme's text."""
    whole, share = diverging(dark), _SHARE[dark]
    places = [round(127.5 + (at - 127.5) * share) for at in range(256)]
    return whole[places]


def bound_of(tokens: Iterable[Token]) -> float:
    """The end of the scale for these tokens, in nats."""
    top = max((abs(gain) for token in tokens if (gain := token.gain) is not None and math.isfinite(gain)), default=0.0)
    return next((bound for bound in BOUNDS if bound >= top), BOUNDS[-1])


def share_of(token: Token, bound: float) -> float | None:
    """Where a token stands on the scale, −1 to 1; None where it was not measured."""
    gain = token.gain
    return None if gain is None or math.isnan(gain) else max(-1.0, min(1.0, gain / bound))


def paint_ground(painter: QPainter, boxes: Sequence[tuple[Token, QRectF]], bound: float, colours: Colours) -> None:
    """Shade what stands behind the text of each token that the memory did something to."""
    painter.setPen(Qt.PenStyle.NoPen)
    for token, box in boxes:
        share = share_of(token, bound)
        if share is not None and abs(share) * bound >= NOTHING:
            painter.setBrush(QColor(*(int(part) for part in colours[round(127.5 + 127.5 * share)])))
            painter.drawRoundedRect(box.adjusted(-1.0, 0.0, 1.0, 0.0), 2.0, 2.0)


def paint_bars(painter: QPainter, boxes: Sequence[tuple[Token, QRectF]], bound: float, tone: Tone) -> None:
    """A bar below each measured token, up or down from its line; a hatched patch below one that was not measured."""
    ends = diverging(tone.dark)
    for token, box in boxes:
        share = share_of(token, bound)
        middle = box.bottom() + GAP + BAR
        if share is None:
            painter.fillRect(QRectF(box.left(), middle - BAR + 2, box.width(), 2 * BAR - 4), QBrush(QColor(tone.unmeasured), _HATCH))
            continue
        painter.setPen(QPen(QColor(tone.dim), 1.0))
        painter.drawLine(QPointF(box.left(), middle), QPointF(box.right(), middle))
        end = ends[-1 if share > 0 else 0]
        painter.fillRect(
            QRectF(box.left(), middle - max(share, 0.0) * BAR, box.width(), abs(share) * BAR), QColor(*(int(part) for part in end))
        )


_HATCH = Qt.BrushStyle.BDiagPattern
