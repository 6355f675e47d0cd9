"""How a row of the table of clusters is painted: the state as in the tree, the measure in force with a bar beside its number."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from memstudio.ui.models.clusters_columns import FIGURES, Column
from memstudio.ui.models.clusters_model import ClustersModel
from memstudio.ui.models.roles import MeasureRole
from memstudio.ui.panels.shade_bar import paint_bar
from memstudio.ui.panels.tree_delegate import ground, paint_state
from memstudio.ui.theme import Theme

AnyIndex = QModelIndex | QPersistentModelIndex
BAR_SHARE = 0.45
DIM = (Column.LEVEL, Column.DOCUMENTS, Column.SIZE)


class TableDelegate(QStyledItemDelegate):
    """Paints what the model says; a selected row by the model's word, whatever Qt's own selection holds."""

    def __init__(self, theme: Theme, model: ClustersModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._model = theme, model

    def initStyleOption(self, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        super().initStyleOption(option, index)
        tone, column = self._theme.tone, index.column()
        look = self._model.look(index)
        state = look.state
        if look.selected:
            option.state |= QStyle.StateFlag.State_Selected
        font = QFont(option.font)
        gone = look.hidden or look.muted or state is None or state.pruned
        ink = tone.dim if gone or column in DIM else tone.text
        if column in (Column.CLUSTER, Column.LABEL):
            font.setBold(look.on_route)
            font.setStrikeOut(state is not None and state.pruned)
        if column == Column.LABEL and option.text in ("…", "no label"):
            ink = tone.dim
            font.setItalic(option.text != "…")
        if column >= FIGURES and look.measure is None:
            ink = tone.dim
        option.font = font
        for role in (option.palette.ColorRole.Text, option.palette.ColorRole.HighlightedText):
            option.palette.setColor(role, QColor(ink))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        if index.column() == Column.STATE:
            ground(self, painter, option, index)
            paint_state(painter, option, index, self._theme.tone)
            return
        shades, live = self._model.shades_of(index.column()), self._model.state.shades
        if shades is None or live is None or shades.title != live.title:
            super().paint(painter, option, index)
            return
        ground(self, painter, option, index)
        rect, value = QRectF(option.rect), index.data(MeasureRole)
        number = rect.adjusted(0, 0, -4, 0)
        if value is not None:
            bar = QRectF(rect.left() + 5, rect.top() + 6, rect.width() * BAR_SHARE - 5, rect.height() - 12)
            paint_bar(painter, bar, live, value, None, self._theme.tone)
            number.setLeft(bar.right() + 4)
        painter.setPen(QColor(self._theme.tone.text if value is not None else self._theme.tone.dim))
        painter.setFont(option.font)
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(number, int(side), str(index.data(Qt.ItemDataRole.DisplayRole)))
