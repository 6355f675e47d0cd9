"""One route as an ordinary model: where it goes, how far it is, and in the end how near its logits are to the bank's."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId
from memstudio.export.dense_card import DenseModel
from memstudio.ui.choosing import choose_new
from memstudio.ui.export_views import DenseDone, DenseWish, ExportRefused, ExportRested
from memstudio.ui.panels.parts import label, row, set_kind
from memstudio.ui.panels.recall_text import recall_words
from memstudio.ui.snapshots import JobView
from memstudio.ui.texts import size_text

WIDTH = 560
_BAR = 1000
WHAT = (
    "The anchor with the blocks of this route, edits burned in, as part of its MLPs: a model folder that transformers loads without "
    "memstudio. Every prompt gets these blocks; what the other blocks know is not in it."
)


class DenseDialog(QDialog):
    """Holds no session: its signals name a turn, and what comes back for another turn is dropped."""

    exporting = Signal(int, object)
    cancelling = Signal(int)

    def __init__(self, numbers: Iterator[int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("This route as an ordinary model")
        self.setObjectName("dense")
        self._numbers = numbers
        self._turn, self._done = 0, False
        self._route: tuple[ClusterId, ...] = ()
        self.route = label("", "strong", wrap=True, selectable=True)
        self.out, self.out_button = QLineEdit(), QPushButton("Choose…")
        self.line = label("", "dim", wrap=True, selectable=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.export_button, self.close_button = QPushButton("Export"), QPushButton("Close")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(10)
        folder = row(label("Folder", "dim"), self.out, self.out_button)
        folder.setStretch(1, 1)
        column.addWidget(self.route)
        column.addWidget(label(WHAT, "dim", wrap=True))
        column.addLayout(folder)
        column.addWidget(self.bar)
        column.addWidget(self.line)
        column.addStretch(1)
        column.addLayout(row(1, self.export_button, self.close_button, spacing=8))
        for widget, name in (
            (self.out, "Folder of the model"),
            (self.out_button, "Choose the folder of the model"),
            (self.bar, "Progress of the export"),
            (self.export_button, "Export"),
            (self.close_button, "Close"),
        ):
            widget.setAccessibleName(name)
            if isinstance(widget, QPushButton):
                widget.setAutoDefault(False)
        self.out_button.clicked.connect(lambda: choose_new(self, "Where the model goes", self.out.text(), self.out.setText))
        self.out.textChanged.connect(self._refresh)
        self.export_button.clicked.connect(self._export_or_cancel)
        self.close_button.clicked.connect(self.close)
        self.resize(WIDTH, self.sizeHint().height())
        self._refresh()

    @property
    def busy(self) -> bool:
        """A model is being written."""
        return bool(self._turn)

    def open_on(self, bank_name: str, route: Sequence[ClusterId], labels: Sequence[str]) -> None:
        """Show it for a route; while a model is being written that one stays."""
        if not self.busy:
            self._route, self._done = tuple(route), False
            self.route.setText(" › ".join(f"{cluster} {name}".strip() for cluster, name in zip(route, labels, strict=True)))
            self.out.setText(str(Path.home() / f"{bank_name}-{str(route[-1]).replace('/', '-')}"))
            self._say("")
        self._refresh()
        self.show()
        self.raise_()
        self.activateWindow()
        self.out.setFocus()

    def _export_or_cancel(self) -> None:
        if self.busy:
            self.cancelling.emit(self._turn)
            self.export_button.setText("Cancelling…")
            self.export_button.setEnabled(False)
            return
        self._turn, self._done = next(self._numbers), False
        self.bar.setRange(0, 0)
        self._say("Writing, reading back, comparing…")
        self._refresh()
        self.exporting.emit(self._turn, DenseWish(Path(self.out.text().strip()).expanduser(), self._route))

    def show_done(self, done: DenseDone) -> None:
        """The model is there."""
        if done.number == self._turn:
            self._done = True
            self._say(dense_words(done.model), "")

    def show_refusal(self, refusal: ExportRefused) -> None:
        """A person's line."""
        if refusal.number == self._turn:
            self._done = True
            self._say(refusal.line, "error")

    def show_rested(self, rested: ExportRested) -> None:
        """The turn is over, cancelled perhaps."""
        if rested.number == self._turn:
            self._turn = 0
            if not self._done:
                self._say("Cancelled; nothing was left behind.", "notice")
            self._refresh()

    def show_job(self, job: JobView) -> None:
        """How far the worker is."""
        if job.owner == self._turn and not job.ended:
            self.bar.setRange(0, _BAR if job.total else 0)  # counts may be larger than what a bar takes
            self.bar.setValue(_BAR * min(job.done, job.total) // job.total if job.total else 0)

    def drop(self) -> None:
        """Another bank: what is under way is cancelled."""
        if self._turn:
            self.cancelling.emit(self._turn)
        self._turn = 0
        self.close()

    def _refresh(self) -> None:
        self.bar.setVisible(self.busy)
        for field in (self.out, self.out_button):
            field.setEnabled(not self.busy)
        self.export_button.setEnabled(self.busy or bool(self._route and self.out.text().strip()))
        self.export_button.setText("Cancel" if self.busy else "Export")
        set_kind(self.export_button, "" if self.busy else "primary")

    def _say(self, line: str, kind: str = "dim") -> None:
        self.line.setText(line)
        set_kind(self.line, kind)

    def hideEvent(self, event: QHideEvent) -> None:
        if not event.spontaneous() and self._turn:  # a minimised dialog goes on
            self.cancelling.emit(self._turn)
        super().hideEvent(event)


def dense_words(model: DenseModel) -> str:
    """What was written, and what its own check said."""
    check = (
        "Its logits were not compared."
        if model.difference is None
        else f"Its float32 logits differ from the bank's by {model.difference:.2g} at most, over {model.read:,} texts."
    )
    return f"{model.path}: {size_text(model.bytes)}. {check} {recall_words(model.recall_before, model.recall_after)}"
