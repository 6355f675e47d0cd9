"""The log: what was done as lines of Python, what was said, what went wrong; to be copied, or saved as a script that does it again."""

from pathlib import Path

from PySide6.QtCore import QItemSelection, QModelIndex, Qt, Signal
from PySide6.QtGui import QFontDatabase, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QListView, QPlainTextEdit, QPushButton, QSplitter, QVBoxLayout, QWidget

from memstudio.errors import UserError
from memstudio.session.script import Deed, script
from memstudio.ui.choosing import choose_new
from memstudio.ui.models.log_model import Line, LineRole, LogFilter, LogModel
from memstudio.ui.panels.parts import EmptyState, FlowLayout, Segments, pages

CHOICES = (
    ("All", "Everything that happened"),
    ("Python", "What was done, as lines of Python"),
    ("Messages", "What the window said, errors included"),
)
DETAIL_HEIGHT = 110


class LogPanel(QWidget):
    """Emits `said` with a line for the status bar."""

    said = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.model = LogModel(self)
        self._filter = LogFilter(self)
        self._filter.setSourceModel(self.model)
        self._deeds: list[Deed] = []
        self.choice = Segments(CHOICES)
        self.choice.chosen.connect(self._filter.choose)
        self.copy_button, self.save_button = QPushButton("Copy"), QPushButton("Save as script…")
        self.copy_button.setToolTip("Copy the selected lines, or all that are shown where none is selected")
        self.save_button.setToolTip("Write a Python script that does what was done since the bank was opened")
        self.copy_button.clicked.connect(self.copy)
        self.save_button.clicked.connect(self.choose_script)
        self.view = QListView()
        self.view.setModel(self._filter)
        self.view.setAccessibleName("Log")
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setUniformItemSizes(True)
        self.view.selectionModel().selectionChanged.connect(self._selected)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.view, self.copy, context=Qt.ShortcutContext.WidgetShortcut)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("The selected line in full")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.hide()
        self._build()
        self.model.rowsInserted.connect(self._grown)

    def _build(self) -> None:
        bar = QWidget()
        flow = FlowLayout()
        for part in (self.choice, self.copy_button, self.save_button):
            flow.addWidget(part)
        bar.setLayout(flow)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.view)
        split.addWidget(self.text)
        split.setCollapsible(0, False)
        split.setSizes([DETAIL_HEIGHT * 2, DETAIL_HEIGHT])
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(bar)
        column.addWidget(split, 1)
        empty = EmptyState("Nothing happened yet", "What you do is written here as lines of Python. Open a bank to begin.")
        self._pages = pages(self, (6, 4, 6, 6), empty, filled)

    # What is added

    def add_deed(self, deed: Deed) -> None:
        """Something was done."""
        self._deeds.append(deed)
        self._add(Line("python", deed.line, deed=deed))

    def add_message(self, text: str, kind: str = "") -> None:
        """Something was said in the status bar; kind as there."""
        self._add(Line("error" if kind == "error" else "message", text))

    def add_bug(self, title: str, traceback: str) -> None:
        """Something broke inside the program; it is selected, so that all of it is shown."""
        last = traceback.strip().splitlines()[-1] if traceback.strip() else "unknown"
        self._add(Line("bug", f"{title} failed: a bug in memstudio; the study is as it was before. {last}", traceback))
        if self.choice.place == 1:
            self.choice.choose(0)
            self._filter.choose(0)
        self.view.setCurrentIndex(self._filter.index(self._filter.rowCount() - 1, 0))

    def _add(self, line: Line) -> None:
        if line.text:
            self.model.add(line)
            self._pages.setCurrentIndex(1)

    # What is taken out

    @property
    def script(self) -> str:
        """A script that does what was done since the bank was opened; "" where none was."""
        return script(self._deeds) if self._deeds else ""

    def copy(self) -> None:
        """The selected lines in full, or all that are shown, to the clipboard."""
        chosen = sorted(self.view.selectionModel().selectedIndexes(), key=QModelIndex.row)
        indexes = chosen or [self._filter.index(row, 0) for row in range(self._filter.rowCount())]
        lines: list[Line] = [index.data(LineRole) for index in indexes]
        QGuiApplication.clipboard().setText("\n".join(line.whole for line in lines))
        self.said.emit(f"Copied {len(lines):,} {'line' if len(lines) == 1 else 'lines'} of the log.", "")

    def choose_script(self) -> None:
        """Ask where the script is to be written."""
        choose_new(self, "Save as script", "session.py", lambda file: self._save(Path(file)), kinds="Python (*.py)", suffix="py")

    def save_script(self, file: Path) -> None:
        """Write the script.

        Raises:
            UserError: nothing was done yet, or it cannot be written there.
        """
        if not self._deeds:
            raise UserError("nothing was done yet: open a bank first")
        try:
            file.write_text(self.script, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{file}: cannot be written there: {error.strerror}; name a file in a folder that exists") from None

    def _save(self, file: Path) -> None:
        try:
            self.save_script(file)
        except UserError as error:
            self.said.emit(str(error), "error")
        else:
            self.said.emit(f"Saved {file}.", "")

    # What is shown

    def _selected(self, _: QItemSelection) -> None:
        chosen = self.view.selectionModel().selectedIndexes()
        line: Line | None = chosen[0].data(LineRole) if len(chosen) == 1 else None
        self.text.setVisible(line is not None)
        if line is not None:
            self.text.setPlainText(line.whole)

    def _grown(self) -> None:
        bar = self.view.verticalScrollBar()
        if bar.value() >= bar.maximum() - bar.pageStep() // 4:
            self.view.scrollToBottom()
