"""Dialogs about patches: which revisions go into one, and what one from elsewhere would do before it is applied."""

from itertools import count
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QPushButton, QRadioButton, QVBoxLayout, QWidget

from memstudio.history.values import Revision
from memstudio.ui.choosing import choose_folder, choose_new
from memstudio.ui.fact_views import FactWish, Preview
from memstudio.ui.panels.parts import label, row
from memstudio.ui.panels.preview_view import PreviewView
from memstudio.ui.revision_views import PatchRested, PatchView
from memstudio.ui.snapshots import JobView, StudyView
from memstudio.ui.texts import counted
from memstudio.ui.theme import Theme


class ExportDialog(QDialog):
    """Which revisions go into a patch, and where it goes. Emits `wanted` with (folder, revisions or None for all up to the head)."""

    wanted = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export a patch")
        self.setMinimumWidth(460)
        self._revision = 0
        self.one, self.all = QRadioButton("Only the selected revision"), QRadioButton("All revisions")
        self.path = QLineEdit()
        self.path.setAccessibleName("Folder of the patch")
        self.path.setPlaceholderText("A folder that does not exist yet")
        browse = QPushButton("Browse…")
        browse.setAutoDefault(False)
        browse.clicked.connect(self._choose)
        self.line = label("", "error", wrap=True)
        self.line.hide()
        take, close = QPushButton("Export"), QPushButton("Cancel")
        take.setProperty("kind", "primary")
        take.setDefault(True)
        take.clicked.connect(self._take)
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(9)
        column.addWidget(label("A patch holds the new blocks and says which they replace. It fits this bank only.", "dim", wrap=True))
        for widget in (self.all, self.one):
            column.addWidget(widget)
        column.addLayout(row(self.path, browse))
        column.addWidget(self.line)
        column.addLayout(row(1, take, close, spacing=8))

    def open_on(self, study: StudyView, chosen: Revision | None) -> None:
        """Begin with the study and the revision that is selected."""
        leading = [each for each in study.log if each.current and each.parent is not None]
        usable = chosen is not None and chosen in leading
        self._revision = chosen.id if chosen is not None and usable else 0
        self.all.setText(f"{counted(len(leading), 'revision')} that lead{'s' if len(leading) == 1 else ''} to the head")
        one = f"revision {chosen.id} · {chosen.title:.60}" if chosen is not None and usable else "the selected revision"
        self.one.setText(f"Only {one}")
        self.one.setEnabled(usable)
        self.all.setChecked(True)
        self.line.hide()
        place = Path.home() / "study" if study.temporary else study.folder
        self.path.setText(f"{place}.patch")
        self.show()
        self.raise_()
        self.activateWindow()
        self.path.setFocus()

    def _choose(self) -> None:
        choose_new(self, "Where the patch goes", self.path.text(), self.path.setText)

    def _take(self) -> None:
        path = self.path.text().strip()
        if not path or Path(path).exists():
            _say(self.line, f"{path}: is there already; choose another name" if path else "Choose where the patch goes.")
            return
        self.wanted.emit(Path(path), (self._revision,) if self.one.isChecked() else None)
        self.close()


class PatchDialog(QDialog):
    """What a patch would do, measured, and its Apply. Emits `planning` (number, folder), `applying` (number, reason), `forgotten`."""

    planning = Signal(int, object)
    applying = Signal(int, str)
    forgotten = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Apply a patch")
        self.resize(560, 480)
        self._numbers = count(1)
        self._number = 0
        self._view: PatchView | None = None
        self.head, self.line = label("", "title", wrap=True), label("", "error", wrap=True)
        self.line.hide()
        self.preview = PreviewView(theme)
        self.preview.reason.textChanged.connect(self._refresh)
        self.apply_button, close = QPushButton("Apply"), QPushButton("Cancel")
        self.apply_button.setProperty("kind", "primary")
        self.apply_button.setDefault(True)
        self.apply_button.clicked.connect(self._apply)
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(9)
        column.addWidget(self.head)
        column.addWidget(self.preview, 1)
        column.addWidget(self.line)
        column.addLayout(row(1, self.apply_button, close, spacing=8))

    def choose(self) -> None:
        """Ask for a patch folder, then begin with it."""
        choose_folder(self.parentWidget(), "Choose a patch folder", lambda path: self.open_on(Path(path)))

    def open_on(self, path: Path) -> None:
        """Begin with a patch: it is checked and measured, and nothing is written."""
        self._number, self._view = next(self._numbers), None
        self.head.setText(f"Patch {path.name}")
        _say(self.line, "")
        self.preview.show_progress(JobView(0, "Checking the patch"))
        self._refresh()
        self.show()
        self.raise_()
        self.activateWindow()
        self.planning.emit(self._number, path)

    def show_plan(self, view: PatchView) -> None:
        """What it would do."""
        if view.number != self._number:
            return
        self._view = view
        self.head.setText(f"Patch {view.path.name} · {counted(view.blocks, 'block')}")
        self.apply_button.setFocus()
        self.preview.show_preview(Preview(view.number, FactWish(()), view.base, view.receipt, view.lines, view.broken))
        self._refresh()

    def show_job(self, job: JobView) -> None:
        """How far the measuring is."""
        if not job.ended and self._view is None and self.isVisible():
            self.preview.show_progress(job)

    def show_rested(self, rested: PatchRested) -> None:
        """An errand is over: applied, refused, or neither."""
        if rested.number != self._number:
            return
        if rested.revision is not None:
            self._view = None
            self.close()
        elif rested.line or self._view is None:
            _say(self.line, rested.line or self.line.text() or "Cancelled.")
            if self._view is None:
                self.preview.show_nothing("update")
        self._refresh()

    def show_head(self, head: int) -> None:
        """The study stands at another revision; what was measured speaks of the one before."""
        stale = self._view is not None and self._view.base != head
        self.preview.show_stale(stale)
        if stale:
            _say(self.line, "The study has moved since this was measured: cancel, and apply the patch anew.")

    def _refresh(self) -> None:
        broken = bool(self._view is not None and self._view.broken)
        self.apply_button.setText("Apply anyway" if broken else "Apply")
        self.apply_button.setEnabled(self._view is not None and (not broken or bool(self.preview.reason.text().strip())))

    def _apply(self) -> None:
        _say(self.line, "")
        self.apply_button.setEnabled(False)
        self.applying.emit(self._number, self.preview.reason.text().strip())

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._number:
            self._number = 0
            self.forgotten.emit()
        super().closeEvent(event)


def _say(line: QLabel, text: str) -> None:
    """A line takes room only while it says something."""
    line.setText(text)
    line.setVisible(bool(text))
