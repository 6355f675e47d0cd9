"""The key to colours: one gradient with its ends and the sign for "not measured", or a swatch for each of a few named values."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from memstudio.ui.models.measure_texts import bound_text
from memstudio.ui.scales import STEPS, Colours
from memstudio.ui.shades import Shades
from memstudio.ui.theme import Tone

BAR_WIDTH = 130
BAR_HEIGHT = 10
SWATCH = 14
GAP = 6


class Legend(QWidget):
    """Paints `low [gradient] high   ▨ not measured`, or `■ name ■ name …`."""

    def __init__(self, tone: Tone, bar_width: int = BAR_WIDTH) -> None:
        super().__init__()
        self._tone, self._bar_width = tone, bar_width
        self._colours: Colours | None = None
        self._low = self._high = ""
        self._swatches: tuple[tuple[QColor, str], ...] = ()

    def show_scale(self, colours: Colours, low: str, high: str, tone: Tone) -> None:
        """colours: uint8 [256, 3]; low and high name the ends, units included."""
        self._colours, self._low, self._high, self._tone, self._swatches = colours, low, high, tone, ()
        self.updateGeometry()
        self.update()

    def show_shades(self, shades: Shades, tone: Tone) -> None:
        """The scale of a measure, or its named values."""
        colours, high = shades.table(tone.dark), bound_text(shades)
        self.show_scale(colours, f"−{high}" if shades.signed else "0", high, tone)
        self._swatches = tuple(
            (QColor(*map(int, colours[round(float(shades.along(value)) * (STEPS - 1))])), word) for value, word in shades.words
        )
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        if self._swatches:
            words = sum(metrics.horizontalAdvance(word) + SWATCH + 3 * GAP for _, word in self._swatches)
            return QSize(words, max(18, metrics.height() + 4))
        texts = sum(metrics.horizontalAdvance(text) for text in (self._low, self._high, "not measured"))
        return QSize(texts + self._bar_width + SWATCH + 7 * GAP, max(18, metrics.height() + 4))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._colours is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics, middle = self.fontMetrics(), self.height() / 2
        x = 0.0

        def write(text: str) -> None:
            nonlocal x
            painter.setPen(QColor(self._tone.dim))
            width = metrics.horizontalAdvance(text) + 2
            painter.drawText(QRectF(x, 0, width, self.height()), int(Qt.AlignmentFlag.AlignVCenter), text)
            x += width + GAP

        def swatch(brush: QBrush) -> None:
            nonlocal x
            box = QRectF(x, middle - SWATCH / 2, SWATCH, SWATCH)
            painter.fillRect(box, QColor(self._tone.raised))
            painter.fillRect(box, brush)
            painter.setPen(QPen(QColor(self._tone.line), 1))
            painter.drawRect(box)
            x = box.right() + GAP

        for colour, word in self._swatches:
            swatch(QBrush(colour))
            write(word)
            x += GAP
        if self._swatches:
            painter.end()
            return
        write(self._low)
        bar = QRectF(x, middle - BAR_HEIGHT / 2, self._bar_width, BAR_HEIGHT)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for at in range(0, 256, 17):
            gradient.setColorAt(at / 255, QColor(*(int(part) for part in self._colours[at])))
        painter.fillRect(bar, QBrush(gradient))
        painter.setPen(QPen(QColor(self._tone.line), 1))
        painter.drawRect(bar)
        x = bar.right() + GAP
        write(self._high)
        x += GAP
        swatch(QBrush(QColor(self._tone.unmeasured), Qt.BrushStyle.BDiagPattern))
        write("not measured")
        painter.end()
