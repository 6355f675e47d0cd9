"""The map itself: every cluster a point, the route a line through them, the prompt's key a star; wheel, drag, lasso and keys."""

from collections.abc import Generator
from time import perf_counter
from typing import Literal

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memstudio.bank.values import ClusterId
from memstudio.ui.plots.map_cloud import Cloud, Floats, Look, Mask, fitted, nearest, thinned
from memstudio.ui.plots.map_paint import Picture, PointPainter, Scene, radii
from memstudio.ui.theme import Tone

Tool = Literal["move", "lasso", "box"]

_KEYS = Qt.Key
MOVING = frozenset({_KEYS.Key_Left, _KEYS.Key_Right, _KEYS.Key_Up, _KEYS.Key_Down, _KEYS.Key_Escape})
"""Keys that move or drop the selection, as the panel says."""
ZOOM = 1.25
_DRAG_PX, _STAR_PX = 4, 9.0
_LABEL_PX, _LABELS = 150, 80
_SMALL = 2000
"""So many clusters are drawn in one go."""
_BUDGET_S = 0.006
_STILL_MS = 80


class MapPlot(QWidget):
    """Emits `clicked` (cluster or None, with Ctrl), `swept` (rows inside as bool [n], with Ctrl), `hovered` (cluster or None, where),
    `ranged` when the view moves, `settled` when it stands still, `keyed` with a key that moves the selection.

    Many points are drawn in pieces, a few milliseconds a frame; until all are, the picture before is shown where it would lie now.
    """

    clicked = Signal(object, bool)
    swept = Signal(object, bool)
    hovered = Signal(object, QPoint)
    ranged = Signal()
    settled = Signal()
    keyed = Signal(int)

    def __init__(self, tone: Tone) -> None:
        super().__init__()
        self.setObjectName("map_plot")
        self.setAccessibleName("Map of the clusters")
        self.setAccessibleDescription("Arrow keys go to the next cluster, plus and minus zoom, Home shows all, Escape selects nothing")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.scene = Scene()
        self.tool: Tool = "move"
        self.look = Look()
        self._tone = tone
        self._points = PointPainter(tone)
        self._picture: Picture | None = None
        self._drawing: Generator[None, None, Picture] | None = None
        self._stale = True
        self._named: list[tuple[int, float, float]] = []
        """Rows that bear a label, and where it begins beside the point."""
        self._still = QTimer(self)
        self._still.setSingleShot(True)
        self._still.setInterval(_STILL_MS)
        self._still.timeout.connect(self._settle)
        self._pressed: QPointF | None = None
        self._held = self.look
        self._stroke: list[QPointF] = []
        self._dragged = False
        self._fits = True

    def sizeHint(self) -> QSize:
        return QSize(520, 360)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 120)

    def retone(self, tone: Tone) -> None:
        """Another theme."""
        self._tone = tone
        self._points.retone(tone)
        self.touch()

    def touch(self) -> None:
        """The scene's arrays are others: draw the points again, and see anew which labels there is room for."""
        self._stale = True
        self._still.start()
        self.update()

    def show_cloud(self, cloud: Cloud) -> None:
        """Other points, all of them in view; nothing is marked among them."""
        labels = self.scene.labels
        self.scene = Scene(cloud, np.ones(cloud.count, bool), labels=labels)
        self.scene.signs, self.scene.picked = np.zeros(cloud.count, np.uint8), np.zeros(cloud.count, bool)
        self.scene.colour_by(None)
        self._picture = self._drawing = None
        self._named = []
        self.touch()
        self.fit()

    # What is in view

    def fit(self) -> None:
        """All of it."""
        self._fits = True
        self._turn(self._whole())

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Larger by a factor, round a point or the middle."""
        at = QPointF(self.width() / 2, self.height() / 2) if at is None else at
        self._fits = False
        self._turn(self.look.zoomed(factor, at.x(), at.y(), self._whole().scale))

    def reveal(self, row: int) -> None:
        """Move so that a point is in view; nothing where it is."""
        x, y = self.look.on_screen(self.scene.cloud.places[row : row + 1])[0]
        if not (8 < x < self.width() - 8 and 8 < y < self.height() - 8):
            self._fits = False
            self._turn(self.look.moved(self.width() / 2 - x, self.height() / 2 - y))

    @property
    def closeness(self) -> float:
        """How many times larger than the whole map one looks."""
        return self.look.scale / self._whole().scale

    def _whole(self) -> Look:
        return fitted(self.scene.cloud, self.width(), self.height())

    def _turn(self, look: Look) -> None:
        if look != self.look:
            self.look = look
            self.touch()
            self.ranged.emit()

    def _settle(self) -> None:
        self._named = self._thinned()
        self.update()
        self.settled.emit()

    @property
    def in_view(self) -> int:
        """How many points lie in view."""
        return int(self._seen(self.look.on_screen(self.scene.cloud.places)).sum())

    @property
    def named(self) -> list[ClusterId]:
        """The clusters that bear a label."""
        return [self.scene.cloud.cluster(row) for row, _, _ in self._named]

    def cluster_at(self, at: QPointF) -> ClusterId | None:
        """The cluster whose point is nearest, where one is near."""
        cloud = self.scene.cloud
        row = nearest(cloud, self.look, at.x(), at.y(), self.scene.drawn, radii(self.look, cloud.sizes)) if cloud.count else None
        return None if row is None else cloud.cluster(row)

    def heaviest(self) -> int | None:
        """Of the rows in view that are drawn, the one with most documents."""
        seen = self._seen(self.look.on_screen(self.scene.cloud.places))
        rows = self.scene.cloud.heaviest[seen[self.scene.cloud.heaviest]]
        return int(rows[0]) if len(rows) else None

    def _seen(self, spots: Floats) -> Mask:
        """Rows in view that are drawn, bool [n]."""
        return self.scene.drawn & self.look.holds(spots)

    def _thinned(self) -> list[tuple[int, float, float]]:
        metrics, scene = self.fontMetrics(), self.scene
        return thinned(
            scene.cloud,
            self.look,
            scene.drawn,
            radii(self.look, scene.cloud.sizes),
            lambda cluster: min(_LABEL_PX, metrics.horizontalAdvance(scene.labels.get(cluster) or str(cluster))) + 6,
            metrics.height() + 2,
            _LABELS,
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn(self._whole() if self._fits else self.look.sized(self.width(), self.height()))

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        self._draw_on(until=None if self.scene.cloud.count <= _SMALL else perf_counter() + _BUDGET_S)
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._tone.panel))
        self._draw_picture(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_route(painter)
        self._draw_current(painter)
        self._draw_labels(painter)
        self._draw_stroke(painter)
        painter.end()
        if self._drawing is not None:
            self.update()

    def finish(self) -> None:
        """Draw all points now, however long it takes: a picture that is to be saved waits for them."""
        self._drawing = None
        self._draw_on(until=None)

    def _draw_on(self, until: float | None) -> None:
        """Go on with the points until then, or to their end."""
        while self._drawing is not None or self._stale:
            if self._drawing is None:
                self._drawing, self._stale = self._points.paint(self.scene, self.look, self.devicePixelRatioF()), False
            try:
                next(self._drawing)
            except StopIteration as end:
                self._picture, self._drawing = end.value, None
            if until is not None and perf_counter() >= until:
                break

    def _draw_picture(self, painter: QPainter) -> None:
        """The points, moved and stretched where the view has moved since they were drawn."""
        if self._picture is None:
            return
        drawn, look = self._picture.look, self.look
        stretch = look.scale / drawn.scale
        if 1 / 8 < stretch < 8:
            x, y = look.on_screen(np.array([drawn.place(0, 0)]))[0].tolist()
            painter.drawImage(QRectF(x, y, drawn.width * stretch, drawn.height * stretch), self._picture.image)

    def _spot(self, place: tuple[float, float]) -> QPointF:
        x, y = self.look.on_screen(np.array([place]))[0]
        return QPointF(float(x), float(y))

    def _spot_of(self, cluster: ClusterId) -> QPointF | None:
        row = self.scene.cloud.row(cluster)
        return None if row is None else self._spot(tuple(self.scene.cloud.places[row]))

    def _draw_route(self, painter: QPainter) -> None:
        """A line from level to level, and from its end a dotted one to the key, whose place is an estimate."""
        spots = [(cluster, spot) for cluster in self.scene.route if (spot := self._spot_of(cluster)) is not None]
        key = None if self.scene.key is None else self._spot(self.scene.key)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        ink, ground = QColor(self._tone.text), QColor(self._tone.panel)
        for colour, width in ((ground, 4.5), (ink, 1.8)):
            painter.setPen(QPen(colour, width))
            painter.drawPolyline(QPolygonF([spot for _, spot in spots]))
            if key is not None and spots:
                painter.setPen(QPen(colour, width - 0.4, Qt.PenStyle.SolidLine if colour is ground else Qt.PenStyle.DotLine))
                painter.drawLine(spots[-1][1], key)
        sizes = radii(self.look, self.scene.cloud.sizes)
        for colour, width in ((ground, 4.0), (ink, 1.8)):
            painter.setPen(QPen(colour, width))
            for cluster, spot in spots:
                painter.drawEllipse(spot, sizes[cluster.level - 1] + 2.5, sizes[cluster.level - 1] + 2.5)
        if key is not None:
            painter.setPen(QPen(ground, 1.5))
            painter.setBrush(ink)
            painter.drawPolygon(_star(key, _STAR_PX))

    def _draw_current(self, painter: QPainter) -> None:
        current = self.scene.chosen.current
        spot = None if current is None else self._spot_of(current)
        if current is not None and spot is not None:
            radius = radii(self.look, self.scene.cloud.sizes)[current.level - 1] + 4
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for colour, width in ((self._tone.panel, 4.6), (self._tone.accent, 2.4)):
                painter.setPen(QPen(QColor(colour), width))
                painter.drawEllipse(spot, radius, radius)

    def _draw_labels(self, painter: QPainter) -> None:
        metrics, ground = painter.fontMetrics(), QColor(self._tone.panel)
        ground.setAlpha(215)
        spots = self.look.on_screen(self.scene.cloud.places[[row for row, _, _ in self._named]])
        for (row, right, down), (x, y) in zip(self._named, spots.tolist(), strict=True):
            cluster = self.scene.cloud.cluster(row)
            text = self.scene.labels.get(cluster) or str(cluster)
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, _LABEL_PX)
            box = QRectF(x + right, y + down, metrics.horizontalAdvance(text) + 6, metrics.height() + 2)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(box, 3, 3)
            painter.setPen(QColor(self._tone.text if cluster.level == 1 else self._tone.dim))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def _draw_stroke(self, painter: QPainter) -> None:
        if len(self._stroke) > 1:
            fill = QColor(self._tone.accent)
            fill.setAlpha(40)
            painter.setPen(QPen(QColor(self._tone.accent), 1.4, Qt.PenStyle.DashLine))
            painter.setBrush(fill)
            painter.drawPolygon(QPolygonF(self._outline()))

    # What the user does

    def _outline(self) -> list[QPointF]:
        """The corners of the lasso, or of the box between two points."""
        if self._drawn_tool == "lasso":
            return self._stroke
        box = QRectF(self._stroke[0], self._stroke[-1]).normalized()
        return [box.topLeft(), box.topRight(), box.bottomRight(), box.bottomLeft()]

    @property
    def _drawn_tool(self) -> Tool:
        return "lasso" if self.tool == "lasso" else "box"

    def inside(self, corners: list[QPointF]) -> Mask:
        """Rows in view that lie in a polygon and are drawn, bool [n]."""
        picture = QImage(self.size(), QImage.Format.Format_Grayscale8)
        picture.fill(0)
        painter = QPainter(picture)
        painter.setPen(QPen(Qt.GlobalColor.white, 1))
        painter.setBrush(Qt.GlobalColor.white)
        painter.drawPolygon(QPolygonF(corners))
        painter.end()
        wide = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
        spots = np.floor(self.look.on_screen(self.scene.cloud.places))
        found = self._seen(spots)
        rows = np.flatnonzero(found)
        pixels = spots[rows].astype(np.int64)
        found[rows] = wide[pixels[:, 1], pixels[:, 0]] > 0
        return found

    def wheelEvent(self, event: QWheelEvent) -> None:
        turns = event.angleDelta().y() / 120 or event.pixelDelta().y() / 40
        if turns:
            self.hovered.emit(None, QPoint())
            self.zoom(ZOOM**turns, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._held, self._dragged = event.position(), self.look, False
            strokes = self.tool != "move" or bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._stroke = [event.position()] if strokes else []

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position()
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            self.hovered.emit(self.cluster_at(here), event.globalPosition().toPoint())
            return
        moved = here - self._pressed
        self._dragged = self._dragged or moved.manhattanLength() > _DRAG_PX
        if not self._dragged:
            return
        self.hovered.emit(None, QPoint())
        if self._stroke:
            if (here - self._stroke[-1]).manhattanLength() >= 2:
                self._stroke.append(here)
                self.update()
        else:
            self._fits = False
            self._turn(self._held.moved(moved.x(), moved.y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        more = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if self._stroke and self._dragged:
            self.swept.emit(self.inside(self._outline()), more)
        elif not self._dragged:
            self.clicked.emit(self.cluster_at(pressed), more)
        self._stroke = []
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.zoom(2.0, event.position())

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None, QPoint())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (_KEYS.Key_Plus, _KEYS.Key_Equal, _KEYS.Key_Minus):
            self.zoom(1 / ZOOM if key == _KEYS.Key_Minus else ZOOM)
        elif key == _KEYS.Key_Home:
            self.fit()
        elif key == _KEYS.Key_Escape and self._stroke:
            self._stroke, self._pressed = [], None
            self.update()
        elif key in MOVING:
            self.keyed.emit(key)
        else:
            super().keyPressEvent(event)


def _star(middle: QPointF, radius: float) -> QPolygonF:
    """Five points."""
    turns = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2 == 0, radius, radius * 0.45)
    return QPolygonF([middle + QPointF(float(r * np.cos(t)), float(r * np.sin(t))) for r, t in zip(reach, turns, strict=True)])
