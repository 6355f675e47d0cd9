"""Recall against bytes kept: the series at hand with its intervals, the others that were measured, the frontier, the chosen budget."""

import math

import numpy as np
import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from memstudio.export.curve import Curve, CurvePoint, ReadOff, Series
from memstudio.ui.texts import size_text
from memstudio.ui.theme import Tone

_DASHES = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DashDotDotLine)
_BAND_ALPHA, _BAND_WIDTH = 55, 11
_TICKS = 5
LEAST = QSize(300, 200)


class CurvePlot(QWidget):
    """Draws a Curve. Emits `clicked` with the bytes that were clicked on."""

    clicked = Signal(float)

    def __init__(self, tone: Tone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tone = tone
        self._curve: Curve | None = None
        self._own: Series | None = None
        self._read: tuple[int, ReadOff | None] | None = None
        self._plot = pg.PlotWidget(self)
        self._plot.setAccessibleName("Recall against bytes kept")
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the slider does by keys what a click does here
        self._view = self._plot.getViewBox()
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._view.setMouseEnabled(x=False, y=False)
        self._plot.setCursor(Qt.CursorShape.CrossCursor)
        self._plot.scene().sigMouseClicked.connect(self._click)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._plot)
        self.retone(tone)

    def minimumSizeHint(self) -> QSize:
        return LEAST

    def sizeHint(self) -> QSize:
        return LEAST

    def retone(self, tone: Tone) -> None:
        """Colours and letters of another theme."""
        self._tone = tone
        self._plot.setBackground(tone.panel)
        font = QFont(self.font())
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(pg.mkPen(tone.line))
            axis.setTextPen(pg.mkPen(tone.dim))
            axis.setTickFont(font)
        self._plot.getAxis("left").setWidth(self.fontMetrics().horizontalAdvance("100%") + 12)
        self._plot.getAxis("bottom").setHeight(self.fontMetrics().height() + 8)
        self._draw()

    def show_curve(self, curve: Curve | None, own: Series | None = None) -> None:
        """Another curve, or none; own: the series at hand."""
        self._curve, self._own = curve, own
        self._draw()

    def mark(self, count_bytes: int, read: ReadOff | None) -> None:
        """Where the chosen budget stands: what it keeps, and what is read off there; None: nothing is."""
        self._read = (count_bytes, read)
        self._draw_mark()

    def _draw(self) -> None:
        self._plot.clear()
        self._mark: list[pg.GraphicsObject] = []
        curve, tone = self._curve, self._tone
        if curve is None or self._own is None:
            return
        band = QColor(tone.dim)
        band.setAlpha(_BAND_ALPHA)
        self._line(curve.frontier(), pg.mkPen(band, width=_BAND_WIDTH))
        others = [series for series in curve.series if series != self._own]
        for number, series in enumerate(others):
            self._line(curve.of(series), pg.mkPen(tone.dim, width=1.2, style=_DASHES[number % len(_DASHES)]))
        own = curve.of(self._own)
        self._intervals(own)
        self._line(own, pg.mkPen(tone.accent, width=2.2), symbols=True)
        whole = curve.whole.recall.share
        if whole is not None:
            self._plot.addItem(pg.InfiniteLine(whole, angle=0, pen=pg.mkPen(tone.dim, width=1, style=Qt.PenStyle.DotLine)))
        top = max(point.bytes for point in (*curve.points, curve.whole)) or 1
        self._plot.getAxis("bottom").setTicks([ticks(top)])
        self._plot.getAxis("left").setTicks([[(at / 5, f"{at / 5:.0%}") for at in range(6)]])
        self._view.setRange(xRange=(0, top), yRange=(-0.02, 1.02), padding=0.03)
        self._draw_mark()

    def _line(self, points: tuple[CurvePoint, ...], pen: object, *, symbols: bool = False) -> None:
        found = [(point.bytes, point.recall.share) for point in points if point.recall.share is not None]
        style = {"symbol": "o", "symbolSize": 6, "symbolBrush": self._tone.accent, "symbolPen": None} if symbols else {}
        self._plot.plot([x for x, _ in found], [y for _, y in found], pen=pen, antialias=True, **style)

    def _intervals(self, points: tuple[CurvePoint, ...]) -> None:
        rows = [(p.bytes, p.recall.share, p.recall.low or 0.0, p.recall.high or 0.0) for p in points if p.recall.share is not None]
        if rows:
            x, y, low, high = (np.array(column, float) for column in zip(*rows, strict=True))
            self._plot.addItem(pg.ErrorBarItem(x=x, y=y, top=high - y, bottom=y - low, pen=pg.mkPen(self._tone.accent, width=1.2)))

    def _draw_mark(self) -> None:
        for item in self._mark:
            self._plot.removeItem(item)
        self._mark = []
        if self._read is None or self._curve is None:
            return
        count_bytes, read = self._read
        x = count_bytes if read is None else read.bytes
        line = pg.InfiniteLine(x, angle=90, pen=pg.mkPen(self._tone.text, width=1.2, style=Qt.PenStyle.DashLine))
        self._mark.append(line)
        if read is not None:
            ink, ground = pg.mkPen(self._tone.text, width=2), pg.mkBrush(self._tone.panel)
            self._mark.append(pg.ScatterPlotItem([x], [read.share], size=13, pen=ink, brush=ground))
        for item in self._mark:
            item.setZValue(10)
            self._plot.addItem(item)

    def _click(self, event: MouseClickEvent) -> None:
        if self._curve is not None and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(max(0.0, self._view.mapSceneToView(event.scenePos()).x()))


def ticks(most: int) -> list[tuple[float, str]]:
    """Places on an axis from 0 to so many bytes, a round step apart, each with its words."""
    digits = 10 ** math.floor(math.log10(max(most, 1)))
    step = next(part * digits for part in (0.2, 0.5, 1.0, 2.0, 5.0) if most / (part * digits) <= _TICKS)
    return [(at * step, size_text(round(at * step)) if at else "0") for at in range(int(most / step) + 1)]
