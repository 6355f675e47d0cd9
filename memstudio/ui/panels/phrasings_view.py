"""The ways to ask for one fact: which of them the editor sees, where each draft comes from, and the route that it takes."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from memstudio.bank.values import ClusterId
from memstudio.ui.fact_views import Clusters, PhrasingView
from memstudio.ui.panels.parts import label, row
from memstudio.ui.texts import plain_tip
from memstudio.ui.theme import Theme

TEXT, SOURCE, ROUTE = range(3)
RouteRole = Qt.ItemDataRole.UserRole
TYPING_PAUSE_MS = 300
ROW_HEIGHT = 24


class PhrasingsView(QWidget):
    """Rows to check, write, add and remove; the prompt itself stands first and stays. Emits `changed` a moment after the last change."""

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Phrasings")
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setHeaderLabels(["Phrasing", "From", "Route"])
        self.tree.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.SelectedClicked
        )
        self._delegate = RouteDelegate(theme, self.tree)
        self.tree.setItemDelegate(self._delegate)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(TEXT, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(SOURCE, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(ROUTE, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.itemChanged.connect(self._touched)
        self.add_button, self.remove_button = QPushButton("Add"), QPushButton("Remove")
        self.add_button.setToolTip("Write another phrasing")
        self.remove_button.setToolTip("Take the chosen phrasing off the list")
        self.add_button.clicked.connect(self._add)
        self.remove_button.clicked.connect(self._remove)
        self.tree.currentItemChanged.connect(self._enable)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self.changed)
        self._filling = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(label("Phrasings that the editor sees", "section"), 1, self.add_button, self.remove_button))
        column.addWidget(self.tree, 1)
        self._enable()

    def show_prompt(self, prompt: str, route: Clusters, phrasings: tuple[PhrasingView, ...]) -> None:
        """What came from the worker. Rows that stand already keep their place, so that an open editor does."""
        self._filling = True
        if [view.text for view in phrasings] != [view.text for view in self.phrasings()] or not self.tree.topLevelItemCount():
            self.tree.clear()
            self._append(PhrasingView(prompt, "the prompt", route), fixed=True)
            for each in phrasings:
                self._append(each)
        for place, path in enumerate((route, *(each.route for each in phrasings))):
            item = self.tree.topLevelItem(place)
            if item is not None:
                item.setData(ROUTE, RouteRole, path)
                item.setText(ROUTE, " › ".join(map(str, path)) or "…")
        self._filling = False
        self._enable()

    def clear(self) -> None:
        """Another fact; its phrasings come later."""
        self._pause.stop()
        self.tree.clear()
        self._enable()

    def phrasings(self) -> tuple[PhrasingView, ...]:
        """The rows as they stand, without the prompt."""
        items = [self.tree.topLevelItem(place) for place in range(1, self.tree.topLevelItemCount())]
        return tuple(
            PhrasingView(item.text(TEXT).strip(), item.text(SOURCE), item.data(ROUTE, RouteRole) or (), checked(item))
            for item in items
            if item is not None
        )

    def kept(self) -> tuple[str, ...]:
        """The phrasings that the editor is to see, each once."""
        return tuple(dict.fromkeys(each.text for each in self.phrasings() if each.kept and each.text))

    def mark(self, blocks: frozenset[ClusterId]) -> None:
        """Blocks that will be written; they are painted so on each route."""
        self._delegate.written = blocks
        self.tree.viewport().update()

    def _append(self, view: PhrasingView, *, fixed: bool = False) -> QTreeWidgetItem:
        item = QTreeWidgetItem([view.text, view.source, ""])
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        if not fixed:
            flags |= Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable
            item.setCheckState(TEXT, Qt.CheckState.Checked if view.kept else Qt.CheckState.Unchecked)
            item.setToolTip(TEXT, plain_tip(f"{view.text}\nDouble-click to change it"))
        item.setFlags(flags)
        item.setData(TEXT, RouteRole, view.text)
        self.tree.addTopLevelItem(item)
        return item

    def _add(self) -> None:
        self._filling = True
        item = self._append(PhrasingView("", "given"))
        self._filling = False
        self.tree.setCurrentItem(item)
        self.tree.editItem(item, TEXT)

    def _remove(self) -> None:
        place = self._place()
        if place > 0:
            self.tree.takeTopLevelItem(place)
            self._pause.start()

    def _place(self) -> int:
        """The current row; −1 when there is none."""
        item = self.tree.currentItem()
        return -1 if item is None else self.tree.indexOfTopLevelItem(item)

    def _touched(self, item: QTreeWidgetItem, column: int) -> None:
        if self._filling or column != TEXT:
            return
        self._filling = True
        if item.data(TEXT, RouteRole) != item.text(TEXT):
            item.setData(TEXT, RouteRole, item.text(TEXT))
            item.setText(SOURCE, "given")
        self._filling = False
        self._pause.start()

    def _enable(self) -> None:
        there = self.tree.topLevelItemCount() > 0
        self.add_button.setEnabled(there)
        self.remove_button.setEnabled(self._place() > 0)


def checked(item: QTreeWidgetItem) -> bool:
    """The row's box."""
    return item.checkState(TEXT) == Qt.CheckState.Checked


class RouteDelegate(QStyledItemDelegate):
    """Paints a route as small steps; a block that will be written stands in the accent colour on its own ground."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.written: frozenset[ClusterId] = frozenset()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        path = index.data(RouteRole) if index.column() == ROUTE else None
        wide = super().sizeHint(option, index).width()
        if path:
            bold = QFont(option.font)
            bold.setBold(True)
            wide = QFontMetrics(bold).horizontalAdvance(" › ".join(str(ClusterId(*step)) for step in path)) + 20
        return QSize(wide, ROW_HEIGHT)

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        if index.column() == SOURCE:
            option.palette.setColor(option.palette.ColorRole.Text, QColor(self._theme.tone.dim))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        path = index.data(RouteRole) if index.column() == ROUTE else None
        if not path:
            super().paint(painter, option, index)
            if index.column() == TEXT and index.data(Qt.ItemDataRole.CheckStateRole) is not None:
                self._frame(painter, option, index)
            return
        bare = QStyleOptionViewItem(option)
        self.initStyleOption(bare, index)
        bare.text = ""
        option.widget.style().drawControl(option.widget.style().ControlElement.CE_ItemViewItem, bare, painter, option.widget)
        painter.save()
        painter.setClipRect(option.rect)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._steps(painter, option, [ClusterId(*step) for step in path])
        painter.restore()

    def _frame(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """A rim around the box, which some tones leave without one."""
        styled = QStyleOptionViewItem(option)
        self.initStyleOption(styled, index)
        box = option.widget.style().subElementRect(QStyle.SubElement.SE_ItemViewItemCheckIndicator, styled, option.widget)
        painter.setPen(QColor(self._theme.tone.dim))
        painter.drawRect(box.adjusted(0, 0, -1, -1))

    def _steps(self, painter: QPainter, option: QStyleOptionViewItem, path: list[ClusterId]) -> None:
        tone, rect = self._theme.tone, QRectF(option.rect)
        left = rect.left() + 5
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        for place, cluster in enumerate(path):
            if place:
                painter.setFont(option.font)
                painter.setPen(QColor(tone.dim))
                painter.drawText(QRectF(left, rect.top(), 20, rect.height()), middle, "›")
                left += painter.fontMetrics().horizontalAdvance("› ")
            written = cluster in self.written
            font = QFont(option.font)
            font.setBold(written)
            painter.setFont(font)
            width = painter.fontMetrics().horizontalAdvance(str(cluster))
            if written:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(tone.accent_soft))
                painter.drawRoundedRect(QRectF(left - 3, rect.center().y() - 8, width + 6, 17), 5, 5)
            painter.setPen(QColor(tone.accent if written else tone.text))
            painter.drawText(QRectF(left, rect.top(), width + 4, rect.height()), middle, str(cluster))
            left += width + 6
