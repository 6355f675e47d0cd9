"""How a row of the cluster tree is painted: state by shape, the measure as a bar, the route of the last prompt in bold."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView

from memstudio.bank.values import BASE, BlockState
from memstudio.ui.icons import pixmap
from memstudio.ui.models.roles import ActivityRole, FlagsRole, InsideRole, MeasureRole, OnRouteRole, PeakRole, SelectedRole, StateRole
from memstudio.ui.models.tree_model import Column
from memstudio.ui.panels.shade_bar import paint_bar
from memstudio.ui.shades import Shades
from memstudio.ui.theme import Theme, Tone

ICON = 14
ROW_HEIGHT = 23
BADGE_GAP = 4

AnyIndex = QModelIndex | QPersistentModelIndex


class TreeDelegate(QStyledItemDelegate):
    """Paints what the model says. `shades` is the measure of the bars; without one, `scale` is the activity that fills a bar."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.scale = 1.0
        self.shades: Shades | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), max(ROW_HEIGHT, option.fontMetrics.height() + 7))

    def initStyleOption(self, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        super().initStyleOption(option, index)
        tone = self._theme.tone
        state, (hidden, muted) = index.data(StateRole), index.data(FlagsRole)
        font = QFont(option.font)
        ink = tone.text
        if index.data(SelectedRole):
            option.state |= QStyle.StateFlag.State_Selected
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

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        column = index.column()
        if column == Column.MEASURE:
            ground(self, painter, option, index)
            self._measure(painter, option, index)
        elif column == Column.STATE:
            ground(self, painter, option, index)
            paint_state(painter, option, index, self._theme.tone)
        elif column == Column.CLUSTER and _collapsed(option, index) and index.data(InsideRole):
            self._with_badge(painter, option, index)
        else:
            super().paint(painter, option, index)

    def _measure(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        space = QRectF(option.rect).adjusted(4, 7, -4, -7)
        if self.shades is not None:
            peak = index.data(PeakRole) if _collapsed(option, index) else None
            paint_bar(painter, space, self.shades, index.data(MeasureRole), peak, self._theme.tone)
            return
        value, tone = index.data(ActivityRole), self._theme.tone
        if value is None:
            return
        painter.fillRect(space, QColor(tone.line))
        share = min(1.0, max(0.0, value / self.scale)) if self.scale > 0 else 0.0
        painter.fillRect(QRectF(space.left(), space.top(), max(2.0, space.width() * share), space.height()), QColor(tone.accent))

    def _with_badge(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """The label, then how many are selected in what is folded away."""
        tone, rect = self._theme.tone, option.rect
        inside = f"{index.data(InsideRole):,}"
        texts = (f"{inside} selected inside", f"{inside} ✓", "✓")
        widths = [option.fontMetrics.horizontalAdvance(text) + 10 for text in texts]
        text, width = next((pair for pair in zip(texts, widths, strict=True) if pair[1] <= rect.width() // 2), (texts[-1], widths[-1]))
        ground(self, painter, option, index)
        left = QStyleOptionViewItem(option)
        left.rect = rect.adjusted(0, 0, -width - BADGE_GAP, 0)
        super().paint(painter, left, index)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        badge = QRectF(rect.right() - width, rect.top() + 3, width - 1, rect.height() - 6)
        painter.setPen(QColor(tone.accent))
        painter.setBrush(QColor(tone.accent_soft))
        painter.drawRoundedRect(badge, 6, 6)
        painter.setFont(option.font)
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), text)
        painter.restore()


def ground(delegate: QStyledItemDelegate, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
    """A cell's ground, selected or not, without its text."""
    bare = QStyleOptionViewItem(option)
    delegate.initStyleOption(bare, index)
    bare.text = ""
    widget = option.widget
    widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, bare, painter, widget)


def paint_state(painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex, tone: Tone) -> None:
    """A block's state as a drawing, and in words where it is not the rule."""
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


def _collapsed(option: QStyleOptionViewItem, index: AnyIndex) -> bool:
    """Whether what lies beneath is folded away."""
    return isinstance(option.widget, QTreeView) and not option.widget.isExpanded(index.sibling(index.row(), 0))


def _pruned(state: BlockState | None) -> bool:
    return state is not None and state.pruned
