"""The documents that a bank is built from: a list of files and folders, to which more are added or dropped."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeySequence, QPainter, QPaintEvent, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QFileDialog, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from memstudio.ui.choosing import choose_folder
from memstudio.ui.panels.parts import row
from memstudio.ui.texts import plain_tip

KINDS = "Documents (*.txt *.md *.markdown *.rst *.jsonl *.ndjson *.parquet);;All files (*)"
_HINT = "Drop files or folders here, or add them below:\ntext, Markdown, JSON lines, Parquet."


class PathList(QListWidget):
    """Paths, in the order in which they were added. Emits `dropped` with the paths of what is dropped on it."""

    dropped = Signal(tuple)

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAcceptDrops(True)
        self.setAccessibleName("Documents")
        self.setAccessibleDescription(_HINT)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths_of(event):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = paths_of(event)
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().placeholderText().color())
            painter.drawText(
                self.viewport().rect().adjusted(12, 8, -12, -8), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, _HINT
            )


class DocumentsView(QWidget):
    """Emits `changed` when a document is added or removed by the user."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.list = PathList()
        self.list.setMinimumHeight(64)
        self.files_button, self.folder_button, self.remove_button = (
            QPushButton("Add files…"),
            QPushButton("Add folder…"),
            QPushButton("Remove"),
        )
        self.remove_button.setToolTip("Take the selected documents out of the list  (Del)")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.list, 1)
        column.addLayout(row(self.files_button, self.folder_button, self.remove_button, 1))
        for button in (self.files_button, self.folder_button, self.remove_button):
            button.setAutoDefault(False)
        self.files_button.clicked.connect(self._choose_files)
        self.folder_button.clicked.connect(lambda: choose_folder(self, "Add a folder of documents", lambda path: self.add((path,))))
        self.remove_button.clicked.connect(self.remove_selected)
        self.list.dropped.connect(self.add)
        self.list.itemSelectionChanged.connect(self._refresh)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.list)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self.remove_selected)
        self._refresh()

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them, in their order."""
        return tuple(self.list.item(at).text() for at in range(self.list.count()))

    def show_paths(self, paths: Sequence[str]) -> None:
        """Other documents, without a signal."""
        self.list.clear()
        self._append(paths)
        self._refresh()

    def add(self, paths: Iterable[str]) -> None:
        """More documents; those that are there already are passed over."""
        if self._append(paths):
            self._refresh()
            self.changed.emit()

    def remove_selected(self) -> None:
        """Take the selected ones out."""
        chosen = self.list.selectedItems()
        for item in chosen:
            self.list.takeItem(self.list.row(item))
        if chosen:
            self._refresh()
            self.changed.emit()

    def _append(self, paths: Iterable[str]) -> int:
        known = set(self.paths)
        new = [path for path in dict.fromkeys(paths) if path and path not in known]
        for path in new:
            item = QListWidgetItem(path)
            item.setToolTip(plain_tip(path))
            self.list.addItem(item)
        return len(new)

    def _choose_files(self) -> None:
        dialog = QFileDialog(self, "Add documents", "", KINDS)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self.add)
        dialog.open()

    def _refresh(self) -> None:
        self.remove_button.setEnabled(bool(self.list.selectedItems()))


def paths_of(event: QDropEvent) -> tuple[str, ...]:
    """The files and folders of this machine that are dragged."""
    return tuple(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile())
