"""The table of an A/B/C: A's tokens, each with what every arm gives it, as a number on a colour that runs from blue (less) to orange."""

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from memstudio.ui.models.arms_model import ArmsModel, ForcedRole, GapRole, PartsRole
from memstudio.ui.scales import STEPS, contrast, diverging
from memstudio.ui.theme import Theme

ROW_HEIGHT = 20
LEAST_WIDTH, MOST_WIDTH, PADDING = 50, 160, 14


class ArmsTable(QTableView):
    """Emits `token_selected` with the place of A's token that is clicked or reached by the keys."""

    token_selected = Signal(int)

    def __init__(self, theme: Theme, model: ArmsModel) -> None:
        super().__init__()
        self.setAccessibleName("A's tokens under every arm")
        self.setModel(model)
        self._theme = theme
        painter = ArmsDelegate(theme, model, self)
        self.colours = painter.colours
        self.setItemDelegate(painter)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectColumns)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        across, down = self.horizontalHeader(), self.verticalHeader()
        across.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # Qt would measure every cell again for each token that comes
        model.columnsInserted.connect(self._widen)
        across.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setStyleSheet("QHeaderView::section { padding: 0 4px; }")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        model.modelReset.connect(self._fit)
        self._size()
        theme.resized.connect(self._size)
        self.selectionModel().currentColumnChanged.connect(self._reached)
        theme.changed.connect(self.viewport().update)

    def select_token(self, at: int) -> None:
        """Select a token of A, and have it be seen."""
        index = self.model().index(0, at)
        if index.isValid():
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Columns
            self.selectionModel().setCurrentIndex(index, flags)

    def _widen(self, _: QModelIndex, first: int, last: int) -> None:
        """Give new tokens the room that they need."""
        header, metrics = self.horizontalHeader(), self.fontMetrics()
        least, most = self._theme.sized(LEAST_WIDTH), self._theme.sized(MOST_WIDTH)
        for at in range(first, last + 1):
            text = str(self.model().headerData(at, Qt.Orientation.Horizontal))
            header.resizeSection(at, min(most, max(least, metrics.horizontalAdvance(text) + PADDING)))
        if first == 0:
            self._fit()  # only now is it known how high a header is

    def _size(self) -> None:
        """Rows and columns by the size of the text."""
        self.horizontalHeader().setMinimumSectionSize(self._theme.sized(LEAST_WIDTH))
        self.verticalHeader().setDefaultSectionSize(self._row_height)
        self._widen(QModelIndex(), 0, self.model().columnCount() - 1)
        self._fit()

    @property
    def _row_height(self) -> int:
        return max(ROW_HEIGHT, self.fontMetrics().height() + 4)

    def _fit(self) -> None:
        """As high as its rows need, and no higher."""
        around = self.horizontalHeader().sizeHint().height() + self.horizontalScrollBar().sizeHint().height() + 2 * self.frameWidth()
        rows = max(2, self.model().rowCount())
        self.setMinimumHeight(around + min(3, rows) * self._row_height)
        self.setMaximumHeight(around + rows * self._row_height)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.maximumHeight())

    def _reached(self, current: QModelIndex) -> None:
        if current.isValid():
            self.token_selected.emit(current.column())


class ArmsDelegate(QStyledItemDelegate):
    """A cell: its colour by Δ log p, a frame where the arm parts from A, slanted figures where A's tokens were read to it."""

    def __init__(self, theme: Theme, model: ArmsModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._model = theme, model
        self._colours = diverging(theme.tone.dark)
        theme.changed.connect(self._retone)

    def _retone(self) -> None:
        self._colours = diverging(self._theme.tone.dark)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        tone, rect = self._theme.tone, QRectF(option.rect)
        ground, ink = self.colours(index.data(GapRole))
        painter.save()
        painter.fillRect(rect, ground)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(QRectF(rect.left(), rect.bottom() - 1, rect.width(), 2), QColor(tone.accent))
        font = option.font
        font.setItalic(bool(index.data(ForcedRole)))
        painter.setFont(font)
        painter.setPen(ink)
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), str(index.data()))
        if index.data(PartsRole):
            painter.setPen(QPen(QColor(tone.danger), 2))
            painter.drawRect(rect.adjusted(1, 1, -1.5, -1.5))
        painter.restore()

    def colours(self, gap: float | None) -> tuple[QColor, QColor]:
        """A cell's ground and the ink on it, for a Δ log p."""
        tone = self._theme.tone
        if gap is None:
            return QColor(tone.panel), QColor(tone.text)
        bound = self._model.bound
        share = (min(bound, max(-bound, gap)) + bound) / (2 * bound)
        ground = QColor(*(int(part) for part in self._colours[round(share * (STEPS - 1))]))
        return ground, max((QColor("black"), QColor("white")), key=lambda each: contrast(_parts(each), _parts(ground)))


def _parts(colour: QColor) -> tuple[float, float, float]:
    return colour.redF(), colour.greenF(), colour.blueF()
