"""Token × layer heat map of one or all levels of a trace: one colour scale for all of them, hatching where nothing was measured.

Tokens run down (so that they read as text), layers run across, levels stand side by side. NaN is never drawn as a colour.
"""

import math

import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFont, QPainter
from PySide6.QtWidgets import QGraphicsRectItem, QStyleOptionGraphicsItem, QVBoxLayout, QWidget

from memstudio.ui.plots.sheet import Sheet
from memstudio.ui.scales import Colours
from memstudio.ui.texts import visible
from memstudio.ui.theme import Tone

GAP = 0.6
MAX_TOKEN_CHARACTERS = 14


class HeatMapPlot(QWidget):
    """Draws a Sheet. Emits `hovered(level, layer, token)` as places in the sheet, or −1s outside; `clicked(level)`."""

    hovered = Signal(int, int, int)
    clicked = Signal(int)

    def __init__(self, tone: Tone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sheet: Sheet | None = None
        self._tone = tone
        self._colours: Colours | None = None
        self._plot = pg.PlotWidget(self)
        self._plot.setAccessibleName("Heat map")
        self._view = self._plot.getViewBox()
        self._images: list[pg.ImageItem] = []
        self._backs: list[Hatched] = []
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._view.setMouseEnabled(x=False, y=False)
        self._view.invertY(True)
        self._view.setDefaultPadding(0.0)
        self._plot.showAxis("top")
        for side in ("left", "bottom", "top"):
            self._plot.getAxis(side).setStyle(tickLength=0)
        self._view.sigResized.connect(self._relabel)
        self._plot.scene().sigMouseMoved.connect(self._move)
        self._plot.scene().sigMouseClicked.connect(self._click)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self.retone(tone)

    def retone(self, tone: Tone) -> None:
        """Colours of another theme."""
        self._tone = tone
        self._plot.setBackground(tone.panel)
        font = QFont(self.font())
        font.setPointSizeF(max(7.5, font.pointSizeF() - 1))
        for side in ("left", "bottom", "top"):
            axis = self._plot.getAxis(side)
            axis.setPen(pg.mkPen(None))
            axis.setTickPen(pg.mkPen(None))
            axis.setTextPen(pg.mkPen(tone.text if side == "left" else tone.dim))
            axis.setTickFont(font)
        if self._sheet is not None and self._colours is not None:
            self.show_sheet(self._sheet, self._colours)

    def clear(self) -> None:
        """Nothing to show."""
        for item in (*self._images, *self._backs):
            self._plot.removeItem(item)
        self._images, self._backs = [], []
        self._sheet = None

    def show_sheet(self, sheet: Sheet, colours: Colours) -> None:
        """Draw; colours: uint8 [256, 3], low to high."""
        self.clear()
        self._sheet, self._colours = sheet, colours
        layers, tokens = len(sheet.layers), len(sheet.tokens)
        low = -sheet.bound if sheet.signed else 0.0
        for at in range(len(sheet.levels)):
            box = QRectF(self._left(at), 0.0, layers, tokens)
            back = Hatched(box, self._tone)
            image = pg.ImageItem(axisOrder="col-major")  # [x = layer, y = token]; NaN stays transparent
            image.setImage(sheet.values[at], levels=(low, sheet.bound), lut=colours)
            image.setRect(box)
            self._plot.addItem(back)
            self._plot.addItem(image)
            self._backs.append(back)
            self._images.append(image)
        self._label_axes(sheet)
        width = self._left(len(sheet.levels)) - (GAP if len(sheet.levels) > 1 else 0.0)
        self._view.setRange(QRectF(0.0, 0.0, width, tokens), padding=0.0)

    def _label_axes(self, sheet: Sheet) -> None:
        metrics, last = self.fontMetrics(), len(sheet.tokens) - 1
        room = max(1.0, self._view.height() / metrics.height())
        every = max(1, math.ceil(len(sheet.tokens) / room))  # names that would lie over each other are thinned out, the last one stays
        rows = [(at + 0.5, _short(token)) for at, token in enumerate(sheet.tokens) if (last - at) % every == 0]
        self._plot.getAxis("left").setTicks([rows])
        self._plot.getAxis("left").setWidth(max([24, *(metrics.horizontalAdvance(text) for _, text in rows)]) + 12)
        step = 1 + len(sheet.layers) * len(sheet.levels) // 25
        columns = [
            (self._left(at) + place + 0.5, str(layer))
            for at in range(len(sheet.levels))
            for place, layer in enumerate(sheet.layers)
            if place % step == 0
        ]
        self._plot.getAxis("bottom").setTicks([columns])
        titles = [(self._left(at) + len(sheet.layers) / 2, title) for at, title in enumerate(sheet.titles)]
        self._plot.getAxis("top").setTicks([titles])

    def _relabel(self) -> None:
        """The room for names is another one; the widget's own resize comes before its plot has taken it."""
        if self._sheet is not None:
            self._label_axes(self._sheet)

    def _left(self, at: int) -> float:
        """Where the picture of a level begins."""
        layers = len(self._sheet.layers) if self._sheet else 0
        return at * (layers + GAP)

    def place_at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """(level, layer, token) as places in the sheet; None between and outside the pictures."""
        if self._sheet is None:
            return None
        layers = len(self._sheet.layers)
        at, within = divmod(x, layers + GAP)
        if not (0 <= at < len(self._sheet.levels) and 0 <= within < layers and 0 <= y < len(self._sheet.tokens)):
            return None
        return int(at), int(within), int(y)

    def _move(self, position: QPointF) -> None:
        spot = self._view.mapSceneToView(position)
        self.hovered.emit(*(self.place_at(spot.x(), spot.y()) or (-1, -1, -1)))

    def _click(self, event: MouseClickEvent) -> None:
        spot = self._view.mapSceneToView(event.scenePos())
        place = self.place_at(spot.x(), spot.y())
        if place is not None and self._sheet is not None:
            self.clicked.emit(self._sheet.levels[place[0]])


def _short(token: str) -> str:
    text = visible(token)
    return text if len(text) <= MAX_TOKEN_CHARACTERS else text[: MAX_TOKEN_CHARACTERS - 1] + "…"


class Hatched(QGraphicsRectItem):
    """Grey diagonal lines of the same pitch at any zoom: the sign for "not measured", the same as in the legend."""

    def __init__(self, box: QRectF, tone: Tone) -> None:
        super().__init__(box)
        self._ground, self._ink = QColor(tone.raised), QColor(tone.unmeasured)
        self.setZValue(-2)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        box = painter.transform().mapRect(self.rect())
        painter.save()
        painter.resetTransform()
        painter.fillRect(box, self._ground)
        painter.fillRect(box, QBrush(self._ink, Qt.BrushStyle.BDiagPattern))
        painter.restore()
