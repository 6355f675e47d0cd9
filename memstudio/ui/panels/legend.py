"""The key to the heat map: one gradient with its ends, what kind of evidence it is, and the sign for "not measured"."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from memstudio.ui.scales import Colours
from memstudio.ui.theme import Tone

BAR_WIDTH = 130
BAR_HEIGHT = 10
SWATCH = 14
GAP = 6


class Legend(QWidget):
    """Paints `low [gradient] high   ▨ not measured`."""

    def __init__(self, tone: Tone, bar_width: int = BAR_WIDTH) -> None:
        super().__init__()
        self._tone, self._bar_width = tone, bar_width
        self._colours: Colours | None = None
        self._low = self._high = ""

    def show_scale(self, colours: Colours, low: str, high: str, tone: Tone) -> None:
        """colours: uint8 [256, 3]; low and high name the ends, units included."""
        self._colours, self._low, self._high, self._tone = colours, low, high, tone
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
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
        painter.setPen(QColor(self._tone.dim))
        x = 0.0

        def write(text: str) -> None:
            nonlocal x
            width = metrics.horizontalAdvance(text) + 2
            painter.drawText(QRectF(x, 0, width, self.height()), int(Qt.AlignmentFlag.AlignVCenter), text)
            x += width + GAP

        write(self._low)
        bar = QRectF(x, middle - BAR_HEIGHT / 2, self._bar_width, BAR_HEIGHT)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for at in range(0, 256, 17):
            gradient.setColorAt(at / 255, QColor(*(int(part) for part in self._colours[at])))
        painter.fillRect(bar, QBrush(gradient))
        painter.setPen(QPen(QColor(self._tone.line), 1))
        painter.drawRect(bar)
        painter.setPen(QColor(self._tone.dim))
        x = bar.right() + GAP
        write(self._high)
        x += GAP
        swatch = QRectF(x, middle - SWATCH / 2, SWATCH, SWATCH)
        painter.fillRect(swatch, QColor(self._tone.raised))
        painter.fillRect(swatch, QBrush(QColor(self._tone.unmeasured), Qt.BrushStyle.BDiagPattern))
        painter.setPen(QPen(QColor(self._tone.line), 1))
        painter.drawRect(swatch)
        painter.setPen(QColor(self._tone.dim))
        x = swatch.right() + GAP
        write("not measured")
        painter.end()
