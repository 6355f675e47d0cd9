"""The study's history: revisions newest first, the head marked, a double click checks one out."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from memstudio.history.values import Revision
from memstudio.ui.icons import pixmap
from memstudio.ui.models.history_model import Column, HistoryModel, RevisionRole
from memstudio.ui.panels.parts import EmptyState, pages
from memstudio.ui.snapshots import StudyView
from memstudio.ui.theme import Theme

ICON = 12
ROW_HEIGHT = 23


class HistoryPanel(QWidget):
    """Emits `checkout_wanted` with a revision's id."""

    checkout_wanted = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.model = HistoryModel(self)
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(HistoryDelegate(theme, self.view))
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(30)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(Column.TITLE, QHeaderView.ResizeMode.Stretch)
        self.view.doubleClicked.connect(self._checkout)
        empty = EmptyState("No history yet", "Each edit becomes a revision here. Double-click one to go back to it.")
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        self._stack = pages(self, (6, 0, 2, 6), empty, body)
        theme.changed.connect(self.view.viewport().update)

    def show_study(self, study: StudyView | None) -> None:
        """Another state of the study, or none."""
        self.model.show_log(study.log if study else ())
        self._stack.setCurrentIndex(0 if study is None else 1)
        row = self.model.row_of(study.head) if study else None
        if row is not None:
            self.view.scrollTo(self.model.index(row, 0))

    def _checkout(self, index: QModelIndex) -> None:
        self.checkout_wanted.emit(self.model.revision(index.row()).id)


class HistoryDelegate(QStyledItemDelegate):
    """The head bold with a full disc, the way to it with rings, other branches and undone revisions dim with dashed rings."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        revision: Revision = index.data(RevisionRole)
        tone = self._theme.tone
        font = QFont(option.font)
        font.setBold(revision.head)
        font.setItalic(not revision.current)
        option.font = font
        ink = tone.text if revision.current and index.column() in (Column.REVISION, Column.TITLE) else tone.dim
        for role in (option.palette.ColorRole.Text, option.palette.ColorRole.HighlightedText):
            option.palette.setColor(role, QColor(ink))
        if index.column() == Column.REVISION:
            option.text = "     " + option.text

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().paint(painter, option, index)
        if index.column() != Column.REVISION:
            return
        revision: Revision = index.data(RevisionRole)
        tone, rect = self._theme.tone, QRectF(option.rect)
        name = "revision_head" if revision.head else "revision_past" if revision.current else "revision_aside"
        colour = tone.accent if revision.head else tone.dim
        mark = pixmap(name, colour, ICON, painter.device().devicePixelRatioF())
        painter.drawPixmap(int(rect.left() + 4), int(rect.center().y() - ICON / 2 + 1), mark)
