"""Paints a row of the history: the rails of the graph with the revision's mark, its number, and its names as tags before its title."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from memstudio.history.values import Revision
from memstudio.ui.models.history_model import Column, HistoryModel, NamesRole, RailRole, RevisionRole
from memstudio.ui.models.revision_graph import Rail
from memstudio.ui.theme import Theme

LANE, LEFT, GAP = 13, 10, 10
RADIUS = 4.0
MOST_LANES = 8
"""Branches beyond these share the last lane."""
TAG_PADDING, TAG_GAP = 5, 4
LONGEST_TAG = 110


class HistoryDelegate(QStyledItemDelegate):
    """The head bold with a full disc, the way to it with rings; what is beside it dim, with small rings and dotted lines."""

    def __init__(self, theme: Theme, model: HistoryModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._model = theme, model

    def text_left(self) -> int:
        """Where the number begins, behind the rails."""
        return LEFT + (min(self._model.lanes, MOST_LANES) - 1) * LANE + GAP

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        size = super().sizeHint(option, index)
        if index.column() == Column.REVISION:
            size.setWidth(self.text_left() + option.fontMetrics.horizontalAdvance(str(index.data(RevisionRole).id)) + 12)
        return size

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        revision: Revision = index.data(RevisionRole)
        font = QFont(option.font)
        font.setBold(revision.head)
        font.setItalic(not revision.current)
        option.font = font
        ink = self._ink(revision, index.column())
        for role in (option.palette.ColorRole.Text, option.palette.ColorRole.HighlightedText):
            option.palette.setColor(role, ink)
        if self._by_hand(index):
            option.text = ""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().paint(painter, option, index)
        if not self._by_hand(index):
            return
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        revision: Revision = index.data(RevisionRole)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(shown.font)
        rect = QRectF(option.rect)
        if index.column() == Column.REVISION:
            self._rails(painter, rect, index.data(RailRole), revision)
            rect.setLeft(rect.left() + self.text_left())
            text = str(revision.id)
        else:
            rect.setLeft(self._tags(painter, rect, index.data(NamesRole)))
            text = str(index.data(Qt.ItemDataRole.DisplayRole))
        painter.setPen(self._ink(revision, index.column()))
        elided = QFontMetricsF(shown.font).elidedText(text, Qt.TextElideMode.ElideRight, max(rect.width() - 4, 0))
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), elided)
        painter.restore()

    def _ink(self, revision: Revision, column: int) -> QColor:
        tone = self._theme.tone
        return QColor(tone.text if revision.current and column in (Column.REVISION, Column.TITLE) else tone.dim)

    def _by_hand(self, index: QModelIndex | QPersistentModelIndex) -> bool:
        return index.column() == Column.REVISION or (index.column() == Column.TITLE and bool(index.data(NamesRole)))

    def _rails(self, painter: QPainter, rect: QRectF, rail: Rail, revision: Revision) -> None:
        def x(lane: int) -> float:
            return rect.left() + LEFT + min(lane, MOST_LANES - 1) * LANE

        tone, middle, own = self._theme.tone, rect.center().y() + 0.5, x(rail.lane)

        def pen(lane: int) -> QPen:
            return QPen(QColor(tone.unmeasured), 1.6, Qt.PenStyle.SolidLine if lane == 0 else Qt.PenStyle.DotLine)

        for lane in rail.passing:
            painter.setPen(pen(lane))
            painter.drawLine(QPointF(x(lane), rect.top()), QPointF(x(lane), rect.bottom() + 1))
        for lane in rail.above:
            painter.setPen(pen(lane))
            path = QPainterPath(QPointF(x(lane), rect.top()))
            if lane == rail.lane:
                path.lineTo(own, middle - RADIUS)
            else:
                path.cubicTo(QPointF(x(lane), middle), QPointF(x(lane), middle), QPointF(own + RADIUS, middle))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(path)
        if rail.below:
            painter.setPen(pen(rail.lane))
            painter.drawLine(QPointF(own, middle + RADIUS), QPointF(own, rect.bottom() + 1))
        ink = QColor(tone.accent if revision.head else tone.dim)
        painter.setPen(QPen(ink, 1.6))
        painter.setBrush(ink if revision.head else QColor(tone.panel) if revision.current else Qt.BrushStyle.NoBrush)
        radius = RADIUS + 0.5 if revision.head else RADIUS - 0.5 if revision.current else RADIUS - 1.5
        painter.drawEllipse(QPointF(own, middle), radius, radius)

    def _tags(self, painter: QPainter, rect: QRectF, names: tuple[str, ...]) -> float:
        """Draw the names; returns where the title begins."""
        tone, left = self._theme.tone, rect.left() + 3
        metrics = QFontMetricsF(painter.font())
        for name in names:
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, LONGEST_TAG)
            box = QRectF(left, rect.top() + 3, metrics.horizontalAdvance(text) + 2 * TAG_PADDING, rect.height() - 6)
            painter.setPen(QPen(QColor(tone.accent), 1))
            painter.setBrush(QColor(tone.accent_soft))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
            painter.setPen(QColor(tone.accent))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
            left = box.right() + TAG_GAP
        return left
