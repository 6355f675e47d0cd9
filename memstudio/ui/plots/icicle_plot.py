"""The icicle itself: a picture made of arrays, so that seventy thousand clusters cost what the pixels cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memstudio.bank.values import ClusterId
from memstudio.ui.plots.icicle_layout import Columns, Layout, columns, wide
from memstudio.ui.selection import Chosen
from memstudio.ui.shades import Shades
from memstudio.ui.theme import Tone

LABELLED_PX, BORDERED_PX, NARROW_PX = 40, 3, 8
ZOOM = 1.25
DEEPEST = 1e-9
_KEYS = Qt.Key
MOVING = frozenset(
    {_KEYS.Key_Left, _KEYS.Key_Right, _KEYS.Key_Up, _KEYS.Key_Down, _KEYS.Key_Return, _KEYS.Key_Enter, _KEYS.Key_Backspace, _KEYS.Key_Home}
)
"""Keys that move the selection or the view, as the panel says."""
Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(eq=False)
class Scene:
    """All that the icicle shows; whoever changes it asks for a repaint."""

    layout: Layout = field(default_factory=lambda: Layout((), ()))
    shades: Shades | None = None
    chosen: Chosen = field(default_factory=Chosen)
    route: tuple[ClusterId, ...] = ()
    pruned: tuple[Mask, ...] = ()
    edited: tuple[Mask, ...] = ()
    passed: tuple[Mask, ...] = ()
    """Hidden with all below them, and muted: what a run does not add just now."""
    labels: Mapping[ClusterId, str] = field(default_factory=dict)


class IciclePlot(QWidget):
    """Emits `clicked` (cluster, with Ctrl), `entered` (cluster: zoom to it), `swept` (level, first, last: a band over clusters),
    `hovered` (cluster or None, where), `ranged` when other clusters came into view, `keyed` with a key that moves the selection."""

    clicked = Signal(object, bool)
    entered = Signal(object)
    swept = Signal(int, int, int)
    hovered = Signal(object, QPoint)
    ranged = Signal()
    keyed = Signal(int)

    def __init__(self, tone: Tone) -> None:
        super().__init__()
        self.setObjectName("icicle_plot")
        self.setAccessibleName("Icicle of the cluster tree")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.scene = Scene()
        self.left, self.right = 0.0, 1.0
        self._tone = tone
        self._pressed: QPointF | None = None
        self._held = (0.0, 1.0)
        self._dragged = False
        self._band: QRectF | None = None
        self._tables: dict[tuple[bool, bool], Pixels] = {}

    def sizeHint(self) -> QSize:
        return QSize(640, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 22 * max(1, self.scene.layout.levels))

    def retone(self, tone: Tone) -> None:
        """Another theme."""
        self._tone = tone
        self.update()

    # What is in view

    def look(self, left: float, right: float) -> None:
        """Show this stretch of the tree, kept within 0 … 1."""
        width = min(1.0, max(DEEPEST, right - left))
        left = min(max(0.0, left), 1.0 - width)
        if (left, left + width) != (self.left, self.right):
            self.left, self.right = left, left + width
            self.update()
            self.ranged.emit()

    def row(self, level: int) -> QRectF:
        """Where a level is drawn."""
        height = self.height() / max(1, self.scene.layout.levels)
        return QRectF(0, (level - 1) * height, self.width(), height)

    def x_of(self, place: float) -> float:
        """The pixel of a place in 0 … 1."""
        return (place - self.left) / (self.right - self.left) * self.width()

    def place_of(self, x: float) -> float:
        """The place in 0 … 1 of a pixel."""
        return self.left + x / max(1, self.width()) * (self.right - self.left)

    def level_at(self, y: float) -> int:
        """The level that is drawn there."""
        levels = self.scene.layout.levels
        return min(levels, max(1, int(y / max(1, self.height()) * levels) + 1))

    def cluster_at(self, at: QPointF) -> ClusterId | None:
        """The cluster under a point; of several under one pixel the one in its middle."""
        if not self.scene.layout.levels or not self.rect().contains(at.toPoint()):
            return None
        return self.scene.layout.at(self.level_at(at.y()), self.place_of(at.x() + 0.5))

    def labelled(self) -> frozenset[ClusterId]:
        """The clusters in view that are wide enough for a label."""
        least = LABELLED_PX * (self.right - self.left) / max(1, self.width())
        layout = self.scene.layout
        return frozenset(
            ClusterId(level, int(index))
            for level in range(1, layout.levels + 1)
            for index in wide(layout.starts[level - 1], layout.ends[level - 1], self.left, self.right, least)
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.ranged.emit()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.draw(painter)
        painter.end()

    def draw(self, painter: QPainter) -> None:
        """The whole icicle, into a picture too."""
        painter.fillRect(self.rect(), QColor(self._tone.panel))
        if not self.scene.layout.levels:
            return
        ratio = self.devicePixelRatioF()
        size = QSize(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        pixels = self._pixels(size.width(), size.height(), ratio)
        image = QImage(pixels.data, size.width(), size.height(), 4 * size.width(), QImage.Format.Format_RGB32)
        painter.drawImage(QRectF(self.rect()), image)
        self._draw_labels(painter)
        self._draw_route(painter)
        if self.scene.chosen.current is not None:
            self._outline(painter, self.scene.chosen.current, QPen(QColor(self._tone.accent), 2.4))
        if self._band is not None:
            painter.setPen(QPen(QColor(self._tone.accent), 1))
            painter.setBrush(QColor(self._tone.accent).lighter(150) if not self._tone.dark else QColor(self._tone.accent_soft))
            painter.setOpacity(0.4)
            painter.drawRect(self._band)
            painter.setOpacity(1.0)

    def _pixels(self, width: int, height: int, ratio: float) -> Pixels:
        """uint8 [height, width, 4] as Qt's RGB32 (blue first)."""
        scene, tone = self.scene, self._tone
        out = np.empty((height, width, 4), np.uint8)
        y, x = np.ogrid[:height, :width]
        hatch = (x + y) % 7 < 2
        bars = x % 6 < 1
        for level in range(1, scene.layout.levels + 1):
            starts, ends = scene.layout.starts[level - 1], scene.layout.ends[level - 1]
            under = columns(starts, ends, self.left, self.right, width)
            top, bottom = round((level - 1) * height / scene.layout.levels), round(level * height / scene.layout.levels)
            rows = slice(top, max(top + 1, bottom - max(1, round(ratio))))
            out[top:bottom] = bgr(tone.panel)
            line = self._line(level, under)
            empty = under.last < under.first
            line[empty] = bgr(tone.panel)
            out[rows] = line
            if self.scene.shades is not None:
                self._hatch_unmeasured(out[rows], line, hatch[rows])
            self._mark(out, rows, level, under, hatch[rows], bars)
            least = BORDERED_PX * (self.right - self.left) / max(1, self.width())
            places = starts[wide(starts, ends, self.left, self.right, least)]
            at = np.round((places - self.left) / (self.right - self.left) * width).astype(np.int64)
            out[rows, at[(at > 0) & (at < width)]] = bgr(tone.panel)
        return out

    def _line(self, level: int, under: Columns) -> Pixels:
        """The colour of each pixel column of a level, uint8 [pixels, 4]."""
        shades, tone = self.scene.shades, self._tone
        line = np.empty((len(under.first), 4), np.uint8)
        if shades is None:
            line[:] = bgr(tone.accent_soft)
            return line
        steps = shades.steps(under.largest(shades.values[level - 1], signed=shades.signed))
        table = self._table(shades)
        line[:] = table[steps]
        return line

    def _table(self, shades: Shades) -> Pixels:
        """The scale's colours, "not measured" last, where −1 finds it; uint8 [257, 4]."""
        key = (shades.signed, self._tone.dark)
        if key not in self._tables:
            colours = shades.table(self._tone.dark)
            bare = np.full((len(colours) + 1, 4), 255, np.uint8)
            bare[:-1, :3] = colours[:, ::-1]
            bare[-1] = bgr(self._tone.raised)
            self._tables[key] = bare
        return self._tables[key]

    def _hatch_unmeasured(self, cells: Pixels, line: Pixels, hatch: Mask) -> None:
        """Not measured is never the colour of 0: it is hatched, faintly."""
        bare = (line == bgr(self._tone.raised)).all(1)
        if bare.any():
            cells[hatch & bare] = bgr(self._tone.line)

    def _mark(self, out: Pixels, rows: slice, level: int, under: Columns, hatch: Mask, bars: Mask) -> None:
        """Signs of state, each of its own shape: pruned hatched, edited a line on top, not added just now barred, selected framed."""
        scene, tone = self.scene, self._tone
        cells = out[rows]
        thick = max(2, cells.shape[0] // 18)
        for masks, where, colour in (
            (scene.pruned, hatch, tone.danger),
            (scene.passed, bars, tone.warning),
        ):
            if masks and masks[level - 1].any():
                marked = under.any(masks[level - 1])
                cells[np.broadcast_to(where, cells.shape[:2]) & marked] = bgr(colour)
        if scene.edited and scene.edited[level - 1].any():
            cells[:thick, under.any(scene.edited[level - 1])] = bgr(tone.good)
        if scene.chosen.masks and scene.chosen.masks[level - 1].any():
            marked = under.any(scene.chosen.masks[level - 1])
            cells[:thick, marked] = cells[-thick:, marked] = bgr(tone.accent)

    def _draw_labels(self, painter: QPainter) -> None:
        metrics = painter.fontMetrics()
        for cluster in self.labelled():
            row, (start, end) = self.row(cluster.level), self.scene.layout.span(cluster)
            if row.height() < metrics.height():
                continue
            x0, x1 = max(0.0, self.x_of(start)), min(float(self.width()), self.x_of(end))
            box = QRectF(x0 + 4, row.top(), x1 - x0 - 8, row.height() - 1)
            if box.width() < LABELLED_PX - 14:
                continue
            text = metrics.elidedText(self.scene.labels.get(cluster) or str(cluster), Qt.TextElideMode.ElideRight, int(box.width()))
            painter.setPen(self._ink(cluster))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def _ink(self, cluster: ClusterId) -> QColor:
        """Dark on light cells, light on dark ones."""
        shades = self.scene.shades
        if shades is None or shades.at(cluster) is None:
            return QColor(self._tone.text)
        step = int(shades.steps(shades.values[cluster.level - 1][cluster.index : cluster.index + 1])[0])
        blue, green, red = (int(part) for part in self._table(shades)[step, :3])
        return QColor("#16181c") if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else QColor("#ffffff")

    def _draw_route(self, painter: QPainter) -> None:
        for cluster in self.scene.route:
            self._outline(painter, cluster, QPen(QColor(self._tone.text), 1.6, Qt.PenStyle.SolidLine))

    def _outline(self, painter: QPainter, cluster: ClusterId, pen: QPen) -> None:
        start, end = self.scene.layout.span(cluster)
        x0, x1 = self.x_of(start), self.x_of(end)
        if x1 < 0 or x0 > self.width() or cluster.level > self.scene.layout.levels:
            return
        row = self.row(cluster.level)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        inset = 0.8 if x1 - x0 > NARROW_PX else -1.6  # a narrow cell is framed from outside, so that its colour stays to be seen
        x0, x1 = max(-4.0, x0 + inset), min(self.width() + 4.0, max(x1, x0 + 1) - inset)
        painter.drawRect(QRectF(x0, row.top() + 0.8, x1 - x0, row.height() - 2.6))

    # What the user does

    def wheelEvent(self, event: QWheelEvent) -> None:
        turns = event.angleDelta().y() / 120 or event.pixelDelta().y() / 40
        if event.angleDelta().x() and not turns:
            step = event.angleDelta().x() / 120 * 0.1 * (self.right - self.left)
            self.look(self.left - step, self.right - step)
        elif turns:
            middle, factor = self.place_of(event.position().x()), ZOOM**-turns
            width = min(1.0, max(DEEPEST, (self.right - self.left) * factor))
            share = (middle - self.left) / (self.right - self.left)
            self.look(middle - share * width, middle + (1 - share) * width)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._held, self._dragged = event.position(), (self.left, self.right), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position()
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            self.hovered.emit(self.cluster_at(here), event.globalPosition().toPoint())
            return
        moved = here.x() - self._pressed.x()
        self._dragged = self._dragged or abs(moved) > 4
        if not self._dragged:
            return
        self.hovered.emit(None, QPoint())
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            row = self.row(self.level_at(self._pressed.y()))
            self._band = QRectF(min(self._pressed.x(), here.x()), row.top(), abs(moved), row.height())
            self.update()
        else:
            step = moved / max(1, self.width()) * (self._held[1] - self._held[0])
            self.look(self._held[0] - step, self._held[1] - step)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed, band, self._band = self._pressed, None, self._band, None
        if pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if band is not None:
            level = self.level_at(pressed.y())
            starts, ends = self.scene.layout.starts[level - 1], self.scene.layout.ends[level - 1]
            found = wide(starts, ends, self.place_of(band.left()), self.place_of(band.right()), DEEPEST)
            if found.size:
                self.swept.emit(level, int(found[0]), int(found[-1]))
            self.update()
        elif not self._dragged and (cluster := self.cluster_at(pressed)) is not None:
            self.clicked.emit(cluster, bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cluster = self.cluster_at(event.position())
        if cluster is not None:
            self.entered.emit(cluster)

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None, QPoint())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in MOVING:
            self.keyed.emit(event.key())
        else:
            super().keyPressEvent(event)


def bgr(colour: str) -> Pixels:
    """A colour as Qt's RGB32 has it in memory, uint8 [4]."""
    made = QColor(colour)
    return np.array([made.blue(), made.green(), made.red(), 255], np.uint8)
