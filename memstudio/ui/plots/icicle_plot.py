"""The icicle itself: what is in view, how one moves through it, and what is drawn over the picture."""

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QColor, QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memstudio.bank.values import ClusterId
from memstudio.ui.plots.icicle_layout import Stretch, between, columns, wide
from memstudio.ui.plots.icicle_picture import Pixels, Scene, face, picture, ramp
from memstudio.ui.theme import Tone

LABELLED_PX, NARROW_PX, DRAG_PX = 40, 8, 4
ZOOM = 1.25
PAN = 0.1
GLIDE_MS = 130
_KEYS = Qt.Key
MOVING = frozenset(
    {_KEYS.Key_Left, _KEYS.Key_Right, _KEYS.Key_Up, _KEYS.Key_Down, _KEYS.Key_Return, _KEYS.Key_Enter, _KEYS.Key_Backspace, _KEYS.Key_Home}
)
"""Keys that move the selection or the view, as the panel says; Escape too, where one has zoomed."""
HELP = (
    "Double-click or Enter zooms in, the wheel zooms around the cursor, dragging moves the view. Escape or Backspace goes up, Home shows "
    "all. A click selects, Ctrl+click joins, Shift+drag selects a stretch of a level; the arrows go to parent, child and neighbours."
)


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
        self.setAccessibleDescription(HELP)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.scene = Scene()
        self.left, self.right = 0.0, 1.0
        self.goal: Stretch = (0.0, 1.0)
        """Where the view is, or is on its way to."""
        self._tone = tone
        self._pressed: QPointF | None = None
        self._held: Stretch = (0.0, 1.0)
        self._dragged = self._tabbed = False
        self._band: QRectF | None = None
        self._tables: dict[tuple[bool, bool], Pixels] = {}
        self._from: Stretch = (0.0, 1.0)
        self._glide = QVariantAnimation(self)
        self._glide.setStartValue(0.0)
        self._glide.setEndValue(1.0)
        self._glide.setDuration(GLIDE_MS)
        self._glide.valueChanged.connect(self._pass)

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
        """Show this stretch of the tree at once, kept within 0 … 1 and no narrower than the narrowest cluster."""
        self._glide.stop()
        self.goal = self._kept(left, right)
        self._show(self.goal)

    def glide(self, left: float, right: float) -> None:
        """Go to this stretch within a moment; `goal` says at once where to."""
        self._glide.stop()
        self.goal, self._from = self._kept(left, right), (self.left, self.right)
        if self.goal != self._from and self.isVisible():
            self._glide.start()
        else:
            self._show(self.goal)

    def _pass(self, share: float) -> None:
        self._show(self.goal if share >= 1.0 else between(self._from, self.goal, share))

    def _kept(self, left: float, right: float) -> Stretch:
        width = min(1.0, max(self.scene.layout.narrowest, right - left))
        middle = (left + right) / 2
        left = min(max(0.0, middle - width / 2), 1.0 - width)
        return left, left + width

    def _show(self, view: Stretch) -> None:
        if view != (self.left, self.right):
            self.left, self.right = view
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
        """The cluster that is drawn at a point: of several under one pixel the one whose colour it has, else the one in its middle."""
        layout, shades = self.scene.layout, self.scene.shades
        if not layout.levels or not self.rect().contains(int(at.x()), int(at.y())):
            return None
        level = self.level_at(at.y())
        if shades is not None:
            ratio = self.devicePixelRatioF()
            pixels = max(1, round(self.width() * ratio))
            under = columns(layout.starts[level - 1], layout.ends[level - 1], self.left, self.right, pixels)
            index = under.hottest(shades.values[level - 1], min(pixels - 1, int(at.x() * ratio)), signed=shades.signed)
            if index is not None:
                return ClusterId(level, index)
        return layout.at(level, self.place_of(int(at.x()) + 0.5))

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
        ratio, table = self.devicePixelRatioF(), self._table()
        width, height = max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))
        pixels = picture(self.scene, (self.left, self.right), (width, height), ratio, table, self._tone)
        painter.drawImage(QRectF(self.rect()), QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32))
        self._draw_labels(painter, table)
        for cluster in self.scene.route:
            self._outline(painter, cluster, QPen(QColor(self._tone.text), 1.6))
        if self.scene.chosen.current is not None:
            self._outline(painter, self.scene.chosen.current, QPen(QColor(self._tone.accent), 2.4))
        painter.setPen(QPen(QColor(self._tone.accent), 1))
        if self._band is not None:
            ground = QColor(self._tone.accent)
            ground.setAlpha(70)
            painter.setBrush(ground)
            painter.drawRect(self._band)
        if self._tabbed and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _table(self) -> Pixels | None:
        shades = self.scene.shades
        if shades is None:
            return None
        key = (shades.signed, self._tone.dark)
        if key not in self._tables:
            self._tables[key] = ramp(shades.table(self._tone.dark), self._tone)
        return self._tables[key]

    def _draw_labels(self, painter: QPainter, table: Pixels | None) -> None:
        metrics = painter.fontMetrics()
        for cluster in self.labelled():
            row, (start, end) = self.row(cluster.level), self.scene.layout.span(cluster)
            x0, x1 = max(0.0, self.x_of(start)), min(float(self.width()), self.x_of(end))
            box = QRectF(x0 + 4, row.top(), x1 - x0 - 8, row.height() - 1)
            if row.height() < metrics.height() or box.width() < LABELLED_PX - 14:
                continue
            text = metrics.elidedText(self.scene.labels.get(cluster) or str(cluster), Qt.TextElideMode.ElideRight, int(box.width()))
            colour = face(self.scene, cluster, table, self._tone)
            if self.scene.marked(cluster):
                plate = QRectF(0, 0, metrics.horizontalAdvance(text) + 6, metrics.height())
                plate.moveCenter(box.center())
                painter.fillRect(plate, colour)
            light = 0.299 * colour.red() + 0.587 * colour.green() + 0.114 * colour.blue() > 140
            painter.setPen(QColor("#16181c") if light else QColor("#ffffff"))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def _outline(self, painter: QPainter, cluster: ClusterId, pen: QPen) -> None:
        if cluster.level > self.scene.layout.levels:
            return
        start, end = self.scene.layout.span(cluster)
        x0, x1 = self.x_of(start), self.x_of(end)
        if x1 < 0 or x0 > self.width():
            return
        row = self.row(cluster.level)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        inset = 0.8 if x1 - x0 > NARROW_PX else -1.6  # a narrow cell is framed from outside, so that its colour stays to be seen
        x0, x1 = max(-4.0, x0 + inset), min(self.width() + 4.0, max(x1, x0 + 1) - inset)
        painter.drawRect(QRectF(x0, row.top() + 0.8, x1 - x0, row.height() - 2.6))

    # What the user does

    def wheelEvent(self, event: QWheelEvent) -> None:
        along, turns = event.angleDelta().x() / 120, event.angleDelta().y() / 120 or event.pixelDelta().y() / 40
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            along, turns = along or turns, 0.0
        left, right = self.goal
        if turns:
            share = event.position().x() / max(1, self.width())
            middle = min(1.0, max(0.0, self.place_of(event.position().x())))
            width = min(1.0, max(self.scene.layout.narrowest, (right - left) * ZOOM**-turns))
            self.glide(middle - share * width, middle + (1 - share) * width)
        elif along:
            self.glide(left - along * PAN * (right - left), right - along * PAN * (right - left))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            if self._glide.state() == QVariantAnimation.State.Running:  # what moves is held fast
                self.look(self.left, self.right)
            self._pressed, self._held, self._dragged = event.position(), (self.left, self.right), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position()
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            self.hovered.emit(self.cluster_at(here), event.globalPosition().toPoint())
            return
        moved = here.x() - self._pressed.x()
        self._dragged = self._dragged or abs(moved) > DRAG_PX
        if not self._dragged:
            return
        self.hovered.emit(None, QPoint())
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or self._band is not None:
            row = self.row(self.level_at(self._pressed.y()))
            self._band = QRectF(min(self._pressed.x(), here.x()), row.top(), abs(moved), row.height())
            self.update()
        else:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            moved *= (self._held[1] - self._held[0]) / max(1, self.width())
            self.look(self._held[0] - moved, self._held[1] - moved)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        pressed, self._pressed, band, self._band = self._pressed, None, self._band, None
        self.unsetCursor()
        if band is not None and pressed is not None:
            level = self.level_at(pressed.y())
            starts, ends = self.scene.layout.starts[level - 1], self.scene.layout.ends[level - 1]
            found = wide(starts, ends, self.place_of(band.left()), self.place_of(band.right()), np.finfo(float).tiny)
            if found.size:
                self.swept.emit(level, int(found[0]), int(found[-1]))
            self.update()
        elif pressed is not None and not self._dragged and (cluster := self.cluster_at(pressed)) is not None:
            self.clicked.emit(cluster, bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cluster = self.cluster_at(event.position())
        if cluster is not None and event.button() == Qt.MouseButton.LeftButton:
            self.entered.emit(cluster)

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None, QPoint())

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._tabbed = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in MOVING or (event.key() == Qt.Key.Key_Escape and self.goal != (0.0, 1.0)):
            self.keyed.emit(event.key())
        else:
            super().keyPressEvent(event)
