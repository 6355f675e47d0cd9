"""How a row of the list of facts is painted: the state by shape, a changed answer by a bar, what matters less dimmed."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from memstudio.ui.fact_views import FactRow
from memstudio.ui.models.facts_model import Column, RowRole
from memstudio.ui.theme import Theme


class FactsDelegate(QStyledItemDelegate):
    """The state as a mark whose shape tells it: full disc right, cross wrong, ring not scored; a changed answer has a bar before it."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        tone, found, column = self._theme.tone, index.data(RowRole), index.column()
        if column == Column.STATE:
            option.text = ""
        ink = tone.dim if column in (Column.KIND, Column.RELATION, Column.BLOCKS) else tone.text
        if column == Column.GOT and found.right is False:
            ink = tone.danger
        elif column == Column.TARGET:
            ink = tone.accent
        for role in (option.palette.ColorRole.Text, option.palette.ColorRole.HighlightedText):
            option.palette.setColor(role, QColor(ink))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().paint(painter, option, index)
        if index.column() != Column.STATE:
            return
        found: FactRow = index.data(RowRole)
        tone, rect = self._theme.tone, QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(rect.left() + 8, rect.center().y() - 4, 9, 9)
        colour = QColor(tone.unmeasured if found.right is None else tone.good if found.right else tone.danger)
        painter.setPen(QPen(colour, 1.8))
        if found.right is None:
            painter.drawEllipse(box.adjusted(1, 1, -1, -1))
        elif found.right:
            painter.setBrush(colour)
            painter.drawEllipse(box.adjusted(0.5, 0.5, -0.5, -0.5))
        else:
            inside = box.adjusted(1, 1, -1, -1)
            painter.drawLine(inside.topLeft(), inside.bottomRight())
            painter.drawLine(inside.topRight(), inside.bottomLeft())
        if found.changed:
            painter.fillRect(QRectF(rect.left() + 1, rect.top() + 3, 3, rect.height() - 6), QColor(tone.warning))
        painter.restore()
