"""Export a smaller bank: how much of it, what is kept first, where it goes; what it comes to; and in the end what it still answers.

It is no modal dialog: blocks are selected and looked at in the other panels while it is open.
"""

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QDialog, QProgressBar, QPushButton, QVBoxLayout, QWidget

from memstudio.errors import UserError
from memstudio.export.plan import Kept
from memstudio.export.precision import Choice
from memstudio.session.exported import Exported
from memstudio.ui.export_views import CurveWish, ExportDone, ExportRefused, ExportRested, ExportWish, OrderFound, Outlook
from memstudio.ui.panels.export_curve import ExportCurve
from memstudio.ui.panels.export_parts import ExportFields, ExportFigures
from memstudio.ui.panels.parts import Body, Roomy, label, row, set_kind
from memstudio.ui.panels.recall_text import recall_words
from memstudio.ui.selection import Chosen
from memstudio.ui.snapshots import JobView
from memstudio.ui.texts import counted, size_text
from memstudio.ui.theme import Theme

SIZE = (880, 680)
ROOM, LEAST = 0.9, 0.4
"""Shares of the screen: what the dialog takes at most, and what is in it must be seen of at least; the rest scrolls."""
PAUSE_MS = 60
"""How long a share must stand still before the other panels are coloured by it."""
_BAR = 1000


class ExportDialog(QDialog):
    """Holds no session: its signals name a turn, and what comes back for another turn is dropped."""

    ordering = Signal(int, object)
    exporting = Signal(int, object)
    cancelling = Signal(int)
    looked_at = Signal(object)
    """(OrderFound, Kept) that the other panels are to show; None: nothing any more."""
    open_wanted = Signal(str)

    def __init__(self, theme: Theme, numbers: Iterator[int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export a smaller bank")
        self.setObjectName("export")
        self._numbers = numbers
        self._ordering = self._exporting = 0
        self._found: OrderFound | None = None
        self._kept: Kept | None = None
        self._chosen = Chosen()
        self._moved = False
        self._done: Exported | None = None
        self.fields, self.figures, self.curve = ExportFields(), ExportFigures(), ExportCurve(theme, numbers)
        self.line = label("", "dim", wrap=True, selectable=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the export")
        self.export_button, self.open_button, self.close_button = QPushButton("Export"), QPushButton("Open it"), QPushButton("Close")
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._arrange()
        self._connect()
        self._refresh()
        self._say("")
        room = self.screen().availableGeometry()
        self.resize(min(theme.sized(SIZE[0]), round(ROOM * room.width())), min(theme.sized(SIZE[1]), round(ROOM * room.height())))

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(10)
        below = row(self.figures, self.curve, spacing=10)
        below.setStretch(0, 2)
        below.setStretch(1, 3)
        body = Body()
        inside = QVBoxLayout(body)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(10)
        inside.addWidget(self.fields)
        inside.addLayout(below, 1)
        area = Roomy(body)
        area.ask_for(LEAST)
        column.addWidget(area, 1)
        column.addWidget(self.bar)
        column.addWidget(self.line)
        column.addLayout(row(1, self.export_button, self.open_button, self.close_button, spacing=8))
        for button, name in ((self.export_button, "Export"), (self.open_button, "Open the new bank"), (self.close_button, "Close")):
            button.setAccessibleName(name)
            button.setAutoDefault(False)

    def _connect(self) -> None:
        self.fields.reordered.connect(self._order)
        self.fields.resized.connect(self._look)
        self.fields.check.toggled.connect(self.figures.show_check)
        self.curve.share_wanted.connect(lambda share: self.fields.percent.setValue(100 * share))
        self.fields.keep_wanted.connect(lambda: self._ask_for(keep=True))
        self.fields.drop_wanted.connect(lambda: self._ask_for(keep=False))
        self.fields.out.textChanged.connect(self._refresh)
        self._pause.timeout.connect(self._show_elsewhere)
        self.export_button.clicked.connect(self._export_or_cancel)
        self.open_button.clicked.connect(self._open)
        self.close_button.clicked.connect(self.close)

    # What the user wants

    @property
    def busy(self) -> bool:
        """A bank is being written."""
        return bool(self._exporting)

    def open_on(self) -> None:
        """Show it, and rank the blocks as they stand."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.fields.percent.setFocus()
        self._order()

    def _ask_for(self, *, keep: bool) -> None:
        """The selection is to be kept, or dropped, along with what was asked for before."""
        named = self._chosen.tops()
        one, other = (self.fields.keep, self.fields.drop) if keep else (self.fields.drop, self.fields.keep)
        mine = tuple(dict.fromkeys((*one, *named)))
        rest = tuple(cluster for cluster in other if cluster not in named)
        self.fields.ask_for(*((mine, rest) if keep else (rest, mine)))

    def _order(self) -> None:
        if not self.isVisible() or self.busy:
            return
        if self._ordering:
            self.cancelling.emit(self._ordering)
        self._found = self._kept = None
        self.curve.ask(None)
        self._ordering = next(self._numbers)
        self.figures.show_nothing("Ranking the blocks…")
        if self._done is None:
            self._say("")
        self._refresh()
        self.ordering.emit(self._ordering, self.fields.order)

    def _ask_for_curve(self) -> None:
        """What is known of the curve of what is at hand."""
        self.curve.ask(None if self._found is None else CurveWish(self._found.wish, self._out))

    @property
    def _out(self) -> Path:
        return Path(self.fields.out.text().strip()).expanduser()

    def _look(self) -> None:
        """What the share comes to."""
        found = self._found
        if found is None:
            return
        budget = found.plan.share(self.fields.percent.value() / 100)
        try:
            self._kept = found.plan.kept(budget)
        except UserError as error:
            self._kept = None
            self.figures.show_nothing(f"{str(error)[:1].upper()}{str(error)[1:]}.")
        else:
            self.figures.show_kept(found.plan, self._kept, found.other_bytes)
        self.curve.show_budget(budget, budget if self._kept is None else self._kept.bytes)
        self._pause.start()
        self._refresh()

    def _show_elsewhere(self) -> None:
        if self.isVisible():
            self.looked_at.emit(None if self._found is None or self._kept is None else (self._found, self._kept))

    def _export_or_cancel(self) -> None:
        if self.busy:
            self.cancelling.emit(self._exporting)
            self.export_button.setText("Cancelling…")
            self.export_button.setEnabled(False)
            return
        if self._found is None or self._kept is None:
            return
        self._exporting, self._done = next(self._numbers), None
        budget = self._found.plan.share(self.fields.percent.value() / 100)
        self.curve.rest()  # what it has run so far is kept
        wish = ExportWish(self._out, self._found.plan, self._found.wish, budget, self.fields.check.isChecked())
        self._say("Writing…")
        self._refresh()
        self.exporting.emit(self._exporting, wish)

    def _open(self) -> None:
        if self._done is not None:
            path = str(self._done.path)
            self.close()
            self.open_wanted.emit(path)

    # What comes back

    def show_bank(self, name: str, *, facts: bool, generic: bool, fallback: str, precisions: tuple[Choice, ...] = ("bank",)) -> None:
        """Another bank; nothing of the one before is left on show."""
        self.close()
        self._drop()
        self._done = None
        self.fields.offer(facts=facts, generic=generic, fallback=fallback, precisions=precisions)
        self.fields.out.setText(str(Path.home() / f"{name}-smaller"))
        self._say("")

    def show_head(self) -> None:
        """The study moved: other blocks stand, or other numbers stand in them."""
        self._moved = self.busy
        self._order()

    def show_chosen(self, chosen: Chosen) -> None:
        """What is selected in the other panels."""
        self._chosen = chosen
        self.fields.show_chosen(chosen.count)

    def show_order(self, found: OrderFound) -> None:
        """The order of the blocks."""
        if found.number == self._ordering:
            self._found = found
            self._look()
            self._ask_for_curve()

    def show_outlook(self, outlook: Outlook) -> None:
        """What is known of the curve, and how fast an export is here."""
        self.curve.show_outlook(outlook)
        self.figures.show_pace(outlook.pace)

    def show_done(self, done: ExportDone) -> None:
        """The bank is there."""
        if done.number == self._exporting:
            self._done = done.exported
            self._say(done_words(done.exported), "")
            self.open_button.setFocus()

    def show_refusal(self, refusal: ExportRefused) -> None:
        """A person's line."""
        if refusal.number == self._exporting:
            self._say(refusal.line, "error")
        elif refusal.number == self._ordering:
            self.figures.show_nothing("")
            self._say(refusal.line, "error")
        self.curve.show_refusal(refusal)

    def show_rested(self, rested: ExportRested) -> None:
        """A turn is over, cancelled perhaps."""
        if rested.number == self._ordering:
            self._ordering = 0
            if self._found is None and not self.line.text():
                self.figures.show_nothing("The ranking was cancelled. Choose another, or this one again.")
        elif rested.number == self._exporting:
            self._exporting = 0
            if self._done is None and self.line.property("kind") != "error":
                self._say("Cancelled; nothing was left behind.", "notice")
            if self._moved:
                self._moved = False
                self._order()
            else:
                self._ask_for_curve()  # and how fast an export is, which is known better now
        self.curve.show_rested(rested)
        self._refresh()

    def show_job(self, job: JobView) -> None:
        """How far the worker is."""
        self.curve.show_job(job)
        if job.owner in (self._ordering, self._exporting) and not job.ended:
            self.bar.setRange(0, _BAR if job.total else 0)  # counts may be larger than what a bar takes
            self.bar.setValue(_BAR * min(job.done, job.total) // job.total if job.total else 0)

    # Looks

    def _drop(self) -> None:
        """Whatever is under way is cancelled; nothing of it is left."""
        for number in (self._ordering, self._exporting):
            if number:
                self.cancelling.emit(number)
        self._ordering = self._exporting = 0
        self._found = self._kept = None
        self.curve.ask(None)
        self._pause.stop()
        self.looked_at.emit(None)
        self._refresh()

    def _refresh(self) -> None:
        self.fields.setEnabled(not self.busy)
        self.curve.setEnabled(not self.busy)
        self.bar.setVisible(bool(self._ordering or self._exporting))
        ready = self._kept is not None and bool(self.fields.out.text().strip())
        self.export_button.setEnabled(self.busy or ready)
        self.export_button.setText("Cancel" if self.busy else "Export")
        self.open_button.setVisible(self._done is not None and not self.busy)
        set_kind(self.export_button, "" if self.busy or self._done is not None else "primary")
        set_kind(self.open_button, "primary")

    def _say(self, line: str, kind: str = "dim") -> None:
        self.line.setText(line)
        self.line.setVisible(bool(line))
        set_kind(self.line, kind)

    def hideEvent(self, event: QHideEvent) -> None:
        if not event.spontaneous():  # a minimised dialog goes on
            self._drop()
        super().hideEvent(event)


def done_words(done: Exported) -> str:
    """What was written, and what it still answers."""
    words = f"{done.path}: {counted(done.kept, 'block')}, {size_text(done.bytes)}."
    return f"{words} {recall_words(done.recall_before, done.recall_after)}"
