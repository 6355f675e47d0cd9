"""A measure of one cluster as a bar in its cell: on the scale of all views, from the middle where the measure has a sign."""

from functools import lru_cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from memstudio.ui.models.measure_texts import UNMEASURED
from memstudio.ui.scales import STEPS, Colours, diverging, sequential
from memstudio.ui.shades import Shades
from memstudio.ui.theme import Tone

MARK = 2.0
THIN = 1.5


def paint_bar(painter: QPainter, rect: QRectF, shades: Shades, value: float | None, peak: float | None, tone: Tone) -> None:
    """Paint into `rect`. value None: a dash, for it was not measured; peak: a thin mark at the strongest beneath, None for no mark."""
    painter.save()
    if value is None:
        if peak is not None:
            painter.setPen(QColor(tone.line))
            painter.drawRect(rect.adjusted(0, 0, -0.5, -0.5))
        painter.setPen(QColor(tone.dim))
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), UNMEASURED)
    else:
        _fill(painter, rect, shades, value, tone)
    if peak is not None:
        place = _across(rect, shades, peak)
        left = min(max(rect.left(), place - MARK / 2), rect.right() - MARK)
        painter.fillRect(QRectF(left, rect.top() - 2, MARK, rect.height() + 4), QColor(tone.text))
    painter.restore()


def _fill(painter: QPainter, rect: QRectF, shades: Shades, value: float, tone: Tone) -> None:
    painter.fillRect(rect, QColor(tone.line if tone.dark else tone.window))
    zero, place = _across(rect, shades, 0.0), _across(rect, shades, value)
    bar = QRectF(min(zero, place), rect.top(), max(THIN, abs(place - zero)), rect.height())
    painter.fillRect(bar, colour_of(shades, value, tone))
    painter.setPen(QColor(tone.dim))
    painter.drawRect(bar.adjusted(0, 0, -0.5, -0.5))
    if shades.signed:
        painter.fillRect(QRectF(zero - 0.5, rect.top() - 1, 1, rect.height() + 2), QColor(tone.dim))


def _across(rect: QRectF, shades: Shades, value: float) -> float:
    """Where a value stands between the ends of a bar, as x."""
    return rect.left() + rect.width() * float(shades.along(value))


def colour_of(shades: Shades, value: float, tone: Tone) -> QColor:
    """A value's colour on the scale."""
    place = round(float(shades.along(value)) * (STEPS - 1))
    return QColor(*(int(part) for part in _table(shades.signed, tone.dark)[place]))


@lru_cache(maxsize=4)
def _table(signed: bool, dark: bool) -> Colours:
    return diverging(dark) if signed else sequential(dark)
