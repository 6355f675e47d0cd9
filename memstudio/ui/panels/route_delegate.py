"""How far a runner-up is behind, as a bar under its number."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from memstudio.ui.theme import Theme

FURTHER = Qt.ItemDataRole.UserRole + 1
"""The margin as a share of the widest that is shown, 0 to 1; 0 or None for no bar."""
_HEIGHT, _LEAST = 3.0, 1.0


class MarginDelegate(QStyledItemDelegate):
    """Paints what the list says and the bar below it."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        size = super().sizeHint(option, index)
        return QSize(size.width(), size.height() + int(_HEIGHT) + 1)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().paint(painter, option, index)
        share = index.data(FURTHER)
        if not share:
            return
        rect = QRectF(option.rect).adjusted(4, 0, -4, -1)
        width = max(_LEAST, rect.width() * float(share))
        painter.fillRect(QRectF(rect.left(), rect.bottom() - _HEIGHT, width, _HEIGHT), QColor(self._theme.tone.accent))
