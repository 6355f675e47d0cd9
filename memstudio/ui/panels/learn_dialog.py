"""Add documents to a bank, or erase those that were added: what, on the left; what it would do, measured, on the right."""

from itertools import count

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QHideEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from memstudio.ui.learn_views import Kept, LearnRefused, LearnRested, LearnWish, Reach, TakeDownWish, TaughtView, Tried
from memstudio.ui.panels.documents_view import paths_of
from memstudio.ui.panels.learn_form import LearnForm
from memstudio.ui.panels.learn_receipt import ERASE_HINT, TEACH_HINT, LearnReceipt
from memstudio.ui.panels.parts import Segments, label, row, set_kind
from memstudio.ui.panels.taught_view import TaughtList
from memstudio.ui.snapshots import JobView
from memstudio.ui.theme import Theme

SIZE, LEAST = (1040, 640), (860, 560)
PAUSE_MS = 500
"""How long the fields must be left alone before the documents are read."""
FIRST_NUMBER = 1_000_001
"""Turns of this dialog are numbered from here on, so that none is mistaken for one of the fact dialog."""
TEACH, TAUGHT = 0, 1


class LearnDialog(QDialog):
    """Holds no session and reads no file: its signals name a turn, and what comes back for another turn is dropped."""

    looking = Signal(int, object)
    trying = Signal(int, object)
    keeping = Signal(int, str)
    cancelling = Signal(int)
    forgotten = Signal(int)
    taught_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add documents")
        self.setObjectName("learn")
        self.resize(*SIZE)
        self.setMinimumSize(*LEAST)
        self.setAcceptDrops(True)
        self._numbers = count(FIRST_NUMBER)
        self._looking = self._working = self._head = 0
        self._reach: Reach | None = None
        self._seen: Tried | None = None
        teach = ("Add documents", "Teach text to the blocks that it reaches, as a revision")
        self.side = Segments((teach, ("Taught", "Documents that this study taught: erase them again")))
        self.form, self.taught, self.receipt = LearnForm(), TaughtList(), LearnReceipt(theme)
        self.line = label("", "error", wrap=True, selectable=True)
        self.preview_button, self.apply_button, self.close_button = QPushButton("Preview"), QPushButton("Apply"), QPushButton("Close")
        self.apply_button.setProperty("kind", "primary")
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._arrange()
        self._connect()
        self._refresh()

    def _arrange(self) -> None:
        self._left = QStackedWidget()
        self._left.addWidget(self.form)
        self._left.addWidget(self.taught)
        side = QVBoxLayout()
        side.setSpacing(8)
        side.addLayout(row(self.side, 1))
        side.addWidget(self._left, 1)
        body = QHBoxLayout()
        body.setSpacing(12)
        body.addLayout(side, 10)
        body.addWidget(self.receipt, 11)
        foot = row(self.line, self.preview_button, self.apply_button, self.close_button, spacing=8)
        foot.setStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(10)
        column.addLayout(body, 1)
        column.addLayout(foot)
        self.side.setAccessibleName("Add documents, or those that were taught")
        for button, name in ((self.preview_button, "preview"), (self.apply_button, "apply"), (self.close_button, "close")):
            button.setObjectName(f"learn.{name}")
            button.setAccessibleName(name.capitalize())
            button.setAutoDefault(False)  # Return in a field commits nothing

    def _connect(self) -> None:
        self.form.changed.connect(self._changed)
        self.taught.changed.connect(self._forget_done)
        self.side.chosen.connect(self._turn_to)
        self._pause.timeout.connect(self._look)
        self.receipt.reason.textChanged.connect(self._refresh)
        self.preview_button.clicked.connect(self._preview_or_cancel)
        self.apply_button.clicked.connect(self._apply)
        self.close_button.clicked.connect(self.close)

    def open_on(self, paths: tuple[str, ...] = ()) -> None:
        """Show it, with documents in it or as it was left."""
        self.side.choose(TEACH)
        self._turn_to(TEACH)
        self.form.documents.add(paths)
        if self.form.wish.complete and self._reach is None:
            self._changed()
        self.taught_wanted.emit()
        self.show()
        self.raise_()
        self.activateWindow()
        self.form.documents.files_button.setFocus()

    # What the user wants

    @property
    def wish(self) -> LearnWish | None:
        """The edit as the fields have it; None while there is nothing to do, or its documents are not read yet."""
        if self._left.currentIndex() == TAUGHT:
            names = self.taught.names
            return TakeDownWish(names) if names else None
        return self.form.wish if self._reach is not None else None

    @property
    def fresh(self) -> bool:
        """The receipt on show speaks of the fields and the study as they are."""
        seen = self._seen
        return seen is not None and seen.wish == self.wish and seen.base == self._head

    @property
    def busy(self) -> bool:
        """An edit is being worked out or committed."""
        return bool(self._working)

    def _turn_to(self, place: int) -> None:
        self._left.setCurrentIndex(place)
        self._forget_done()

    def _changed(self) -> None:
        """What was read of the documents speaks of others now."""
        if self._looking:
            self.forgotten.emit(self._looking)
        self._looking, self._reach = 0, None
        if self.form.wish.complete:
            self.form.show_nothing("Reading the documents…")
            self._pause.start()
        else:
            self.form.show_nothing()
            self._pause.stop()
        self._forget_done()

    def _forget_done(self) -> None:
        """A receipt of what was applied goes once something else is wanted."""
        self._say("")
        if self._seen is None and not self.busy:
            self._show_nothing()
        self._refresh()

    def _look_again(self) -> None:
        """Other blocks may be reached than before."""
        self._reach = None
        if self.form.wish.complete and self.isVisible():
            self._pause.start()

    def _look(self) -> None:
        wish = self.form.wish
        if wish.complete:
            self._looking = next(self._numbers)
            self.looking.emit(self._looking, wish)

    def _preview_or_cancel(self) -> None:
        if self.busy:
            self.cancelling.emit(self._working)
            self.preview_button.setText("Cancelling…")
            self.preview_button.setEnabled(False)
            return
        wish = self.wish
        if wish is not None:
            if self._seen is not None:
                self.forgotten.emit(self._seen.number)
            self._seen, self._working = None, next(self._numbers)
            self._say("")
            self.receipt.show_progress(JobView(0, "Waiting for the model"))
            self._refresh()
            self.trying.emit(self._working, wish)

    def _apply(self) -> None:
        if self.fresh and self._seen is not None and not self.busy:
            self._working = self._seen.number
            self._refresh()
            self.keeping.emit(self._working, self.receipt.reason.text().strip())

    # What comes back

    def show_bank(self, head: int) -> None:
        """Another bank, its study at a revision."""
        self.close()
        self.drop()
        self._head, self._reach = head, None
        self.form.show_nothing()
        self.taught.show_taught(TaughtView(()))

    def show_head(self, head: int) -> None:
        """The study stands at a revision."""
        moved, self._head = self._head != head, head
        if moved and not self.busy:
            self._look_again()
        seen = self._seen
        if seen is not None and seen.base != head and not self.busy:
            self._say(f"The study moved to revision {head}; this preview was made on {seen.base}. Preview again.", kind="notice")
        if moved and self.isVisible():
            self.taught_wanted.emit()
        self._refresh()

    def show_taught(self, view: TaughtView) -> None:
        """What the study taught."""
        self.taught.show_taught(view)
        self._refresh()

    def show_reach(self, reach: Reach) -> None:
        """What the documents reach."""
        if reach.number == self._looking:
            self._reach = reach
            self.form.show_reach(reach)
            self._refresh()

    def show_tried(self, view: Tried) -> None:
        """What the edit would do."""
        if view.number == self._working:
            self._seen = view
            self.receipt.show_tried(view)
            self._refresh()

    def show_kept(self, kept: Kept) -> None:
        """It is a revision of the study now; its receipt stays on show."""
        if kept.number != self._working or self._seen is None:
            return
        teaching = not isinstance(self._seen.wish, TakeDownWish)
        self._seen, self._working = None, 0
        self.receipt.show_kept(kept.revision)
        if teaching:
            self.form.clear()
        self._look_again()
        self._refresh()
        self.close_button.setFocus()

    def show_refusal(self, refusal: LearnRefused) -> None:
        """A person's line."""
        if refusal.number not in (self._looking, self._working):
            return
        self._say(refusal.line)
        if refusal.number == self._looking:
            self.form.show_nothing("")
        elif self._seen is None:
            self._show_nothing()

    def show_rested(self, rested: LearnRested) -> None:
        """A turn is over, cancelled perhaps."""
        if rested.number == self._looking:
            self._looking = 0
        elif rested.number == self._working:
            self._working = 0
            if self._seen is None:
                self._show_nothing()
        self._refresh()

    def show_job(self, job: JobView) -> None:
        """How far the worker is."""
        if job.ended:
            return
        if job.owner == self._looking:
            self.form.show_looking(job)
        elif job.owner == self._working and self._seen is None:
            self.receipt.show_progress(job)

    def drop(self) -> None:
        """Whatever was previewed or is under way is forgotten; nothing of it was written."""
        self._pause.stop()
        for number in (self._looking, self._working, self._seen.number if self._seen is not None else 0):
            if number:
                self.forgotten.emit(number)
        if self._looking:
            self.form.show_nothing()
        self._looking = self._working = 0
        self._seen = None
        self._show_nothing()
        self._refresh()

    # Looks

    def _show_nothing(self) -> None:
        self.receipt.show_nothing(ERASE_HINT if self._left.currentIndex() == TAUGHT else TEACH_HINT)

    def _refresh(self) -> None:
        seen = self._seen
        stopped = self.fresh and seen is not None and bool(seen.broken)
        self.form.setEnabled(not self.busy)
        self.taught.setEnabled(not self.busy)
        self.side.setEnabled(not self.busy)
        self.preview_button.setEnabled(self.busy or (self.wish is not None and not self._looking))
        self.preview_button.setText("Cancel" if self.busy else "Preview again" if seen is not None else "Preview")
        set_kind(self.preview_button, "" if self.busy or seen is not None else "primary")
        self.apply_button.setEnabled(self.fresh and not self.busy and (not stopped or bool(self.receipt.reason.text().strip())))
        self.apply_button.setText("Apply anyway" if stopped else "Apply")
        self.apply_button.setToolTip("Commit exactly what was previewed, as one revision" if self.fresh else "Preview it first")
        set_kind(self.apply_button, "primary" if seen is not None else "")
        self.receipt.show_stale(seen is not None and not self.fresh)

    def _say(self, line: str, kind: str = "error") -> None:
        self.line.setText(line)
        set_kind(self.line, kind)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if not self.busy and paths_of(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.side.choose(TEACH)
        self._turn_to(TEACH)
        self.form.documents.add(paths_of(event))

    def hideEvent(self, event: QHideEvent) -> None:
        if not event.spontaneous():  # a minimised dialog goes on
            self.drop()
        super().hideEvent(event)
