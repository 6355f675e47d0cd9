"""How a row of the cluster tree is painted: state by shape, activity as a bar, the route of the last prompt in bold."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from memstudio.bank.values import BASE, BlockState
from memstudio.ui.icons import pixmap
from memstudio.ui.models.tree_model import ActivityRole, Column, FlagsRole, OnRouteRole, StateRole
from memstudio.ui.theme import Theme, Tone

ICON = 14
ROW_HEIGHT = 23


class TreeDelegate(QStyledItemDelegate):
    """Paints what the model says. `scale` is the activity that fills the bar."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.scale = 1.0

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), max(ROW_HEIGHT, option.fontMetrics.height() + 7))

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        tone = self._theme.tone
        state, (hidden, muted) = index.data(StateRole), index.data(FlagsRole)
        font = QFont(option.font)
        ink = tone.text
        if index.data(OnRouteRole):
            font.setBold(True)
        if _pruned(state):
            font.setStrikeOut(index.column() == Column.CLUSTER)
            ink = tone.dim
        if hidden or muted or state is None:
            ink = tone.dim
        if index.column() in (Column.DOCUMENTS, Column.SIZE):
            ink = tone.dim
            font.setBold(False)
        option.font = font
        for role in (option.palette.ColorRole.Text, option.palette.ColorRole.HighlightedText):
            option.palette.setColor(role, QColor(ink))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        column = index.column()
        if column == Column.CLUSTER:
            super().paint(painter, option, index)
        elif column == Column.ACTIVITY:
            self._ground(painter, option, index)
            self._bar(painter, QRectF(option.rect), index.data(ActivityRole))
        elif column == Column.STATE:
            self._ground(painter, option, index)
            self._state(painter, option, index)
        else:
            super().paint(painter, option, index)

    def _ground(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        bare = QStyleOptionViewItem(option)
        self.initStyleOption(bare, index)
        bare.text = ""
        widget = option.widget
        widget.style().drawControl(widget.style().ControlElement.CE_ItemViewItem, bare, painter, widget)

    def _bar(self, painter: QPainter, rect: QRectF, value: float | None) -> None:
        if value is None:
            return
        tone = self._theme.tone
        space = rect.adjusted(4, 7, -4, -7)
        painter.fillRect(space, QColor(tone.line))
        share = min(1.0, max(0.0, value / self.scale)) if self.scale > 0 else 0.0
        painter.fillRect(QRectF(space.left(), space.top(), max(2.0, space.width() * share), space.height()), QColor(tone.accent))

    def _state(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        tone = self._theme.tone
        rect = QRectF(option.rect)
        hidden, muted = index.data(FlagsRole)
        name, colour = state_icon(index.data(StateRole), hidden, muted, tone)
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(int(rect.left() + 3), int(rect.center().y() - ICON / 2 + 1), pixmap(name, colour, ICON, ratio))
        text = str(index.data(Qt.ItemDataRole.DisplayRole))
        if text == "shipped":
            return  # the rule, so the mark says enough
        painter.setPen(QColor(colour))
        painter.setFont(option.font)
        painter.drawText(rect.adjusted(ICON + 6, 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter), text)


def state_icon(state: BlockState | None, hidden: bool, muted: bool, tone: Tone) -> tuple[str, str]:
    """(drawing, colour) of a block's state. Shape tells states apart; colour only helps."""
    if hidden:
        return "hide", tone.warning
    if state is None:
        return "state_absent", tone.dim
    if state.pruned:
        return "state_pruned", tone.danger
    if muted:
        return "mute", tone.warning
    return ("state_base", tone.good) if state == BASE else ("state_edited", tone.accent)


def _pruned(state: BlockState | None) -> bool:
    return state is not None and state.pruned
