"""Build a bank: what is to be built on the left; on the right what it would take, live, then the build at work."""

from itertools import count
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QHideEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from memstudio.ui.build_views import (
    BankBuilt,
    BuildEnded,
    BuildRefused,
    BuildSaid,
    BuildStage,
    EstimateView,
    LookEnded,
    Looking,
    ModelView,
    PlaceView,
)
from memstudio.ui.panels.build_form import BuildForm
from memstudio.ui.panels.building_view import BuildingView
from memstudio.ui.panels.documents_view import paths_of
from memstudio.ui.panels.estimate_view import EstimatePane
from memstudio.ui.panels.parts import label, row, set_kind

SIZE = (1080, 620)
PAUSE_MS = 500
"""How long the fields must be left alone before an estimate begins."""
_BEGUN = "A build was begun here; Build goes on with it."
_MODEL_HINT = "Choose a model first: a folder with config.json, weights as *.safetensors and a tokenizer."
_DOCUMENTS_HINT = "Now add the documents that the bank is to hold. What a build would make and take stands here then."
_MEND_HINT = "Mend what is marked, and the estimate stands here."
_NO_ROOM = "The disk has no room for it: choose a place on another one, or make the bank smaller."


class BuildDialog(QDialog):
    """Holds no model and reads no file: its signals carry a number, and what comes back for an earlier number is dropped."""

    looking = Signal(int, object)
    stopping = Signal()
    building = Signal(int, object, object)
    """number, wish, the estimate's seconds by stage"""
    cancelling = Signal()
    open_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Build a bank")
        self.resize(*SIZE)
        self.setAcceptDrops(True)
        self._numbers = count(1)
        self._look = self._build = 0
        self._estimate: EstimateView | None = None
        self._made: Path | None = None
        self._there: Path | None = None
        self._resumes = self._cancelled = False
        self.form, self.estimate, self.work = BuildForm(), EstimatePane(), BuildingView()
        self.side = QStackedWidget()
        self.line = label("", "error", wrap=True, selectable=True)
        self.build_button, self.open_button, self.close_button = QPushButton("B&uild"), QPushButton("&Open the bank"), QPushButton("Close")
        self.open_button.setProperty("kind", "primary")
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._arrange()
        self._connect()
        self._refresh()

    def _arrange(self) -> None:
        self.side.addWidget(self.estimate)
        self.side.addWidget(self.work)
        body = QHBoxLayout()
        body.setSpacing(14)
        body.addWidget(self.form, 11)
        body.addWidget(self.side, 10)
        foot = row(self.line, self.build_button, self.open_button, self.close_button, spacing=8)
        foot.setStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(10)
        column.addLayout(body, 1)
        column.addLayout(foot)
        for button in (self.build_button, self.open_button, self.close_button):
            button.setAutoDefault(False)  # Return in a field begins nothing

    def _connect(self) -> None:
        self.form.changed.connect(self._changed)
        self._pause.timeout.connect(self._begin_look)
        self.build_button.clicked.connect(self._build_or_cancel)
        self.open_button.clicked.connect(self._open)
        self.close_button.clicked.connect(self.close)

    def open_on(self, model: str = "") -> None:
        """Begin with a model, or where the dialog was left. While a build is at work it is only raised."""
        if not self.busy:
            if model and model != self.form.model.text():
                self.form.begin(model)
            elif self._made is None:
                self._changed()
        self.show()
        self.raise_()
        self.activateWindow()
        (self.form.documents.files_button if self.form.model.text() else self.form.model).setFocus()

    # What the user wants

    @property
    def busy(self) -> bool:
        """A build is at work."""
        return bool(self._build)

    def _changed(self) -> None:
        """A field was, so what was estimated before no longer counts."""
        if self._look:
            self.stopping.emit()
        self._look, self._estimate, self._made, self._there, self._resumes = 0, None, None, None, False
        self.line.setText("")
        self.side.setCurrentWidget(self.estimate)
        wish = self.form.readable()
        if wish is not None and (wish.model or wish.corpus):
            self._pause.start()
        else:
            self._pause.stop()
        if wish is not None and wish.complete:
            self.estimate.show_stale()
        else:
            self.estimate.show_nothing(_MEND_HINT if wish is None else _DOCUMENTS_HINT if wish.model else _MODEL_HINT)
        self._refresh()

    def _begin_look(self) -> None:
        wish = self.form.readable()
        if wish is not None and not self.busy:
            self._look = next(self._numbers)
            self.looking.emit(self._look, wish)

    def _build_or_cancel(self) -> None:
        if self.busy:
            self._cancelled = True
            self.build_button.setText("Cancelling…")
            self.build_button.setEnabled(False)
            self.cancelling.emit()
        elif self._estimate is not None:
            self._build, self._cancelled = next(self._numbers), False
            self.line.setText("")
            self.work.begin(self._resumes)
            self.side.setCurrentWidget(self.work)
            self._refresh()
            self.building.emit(self._build, self._estimate.wish, dict(self._estimate.by_stage))

    def _open(self) -> None:
        found = self._made or self._there
        if found is not None:
            self.open_wanted.emit(str(found))
            self.close()

    # What comes back of a look

    def show_model(self, view: ModelView) -> None:
        """What the model is."""
        if view.number == self._look:
            self.form.say("model", view.line, "dim")

    def show_place(self, view: PlaceView) -> None:
        """What the bank's folder holds."""
        if view.number == self._look:
            self._resumes, self._there = view.resumes, view.made
            self.form.say("place", view.line, "notice" if view.made is not None else "dim")
            self._refresh()

    def show_looking(self, looking: Looking) -> None:
        """How far the estimate is."""
        if looking.number == self._look:
            self.estimate.show_progress(looking)

    def show_estimate(self, view: EstimateView) -> None:
        """What the build would make and take."""
        if view.number != self._look:
            return
        self._estimate = view
        self.estimate.show_estimate(view)
        self.form.more.show_shape(view)
        if not view.fits and not self._resumes:
            self.form.say("place", _NO_ROOM)
        self._refresh()

    def show_look_ended(self, ended: LookEnded) -> None:
        """The estimate is there, or will not come."""
        if ended.number != self._look:
            return
        self._look = 0
        if self._estimate is None and (self.form.complains or self.line.text()):
            self.estimate.show_nothing(_MEND_HINT)
        self._refresh()

    def show_refusal(self, refusal: BuildRefused) -> None:
        """A person's line, beside the field that it is about."""
        if not refusal.number or refusal.number not in (self._look, self._build):
            return
        if refusal.field:
            self.form.say(refusal.field, refusal.line)
        else:
            self.line.setText(refusal.line)
        if refusal.field == "more":
            self.form.show_more(True)
        if refusal.number == self._build:
            self.work.say(refusal.line)

    # What comes back of a build

    def show_stage(self, stage: BuildStage) -> None:
        """Where the build is."""
        if stage.number == self._build and not self._cancelled:
            self.work.show_stage(stage)

    def show_said(self, said: BuildSaid) -> None:
        """A line of its log."""
        if said.number == self._build:
            self.work.say(said.line)

    def show_built(self, built: BankBuilt) -> None:
        """The bank is there."""
        if built.number == self._build:
            self._made, self._there, self._estimate = built.path, None, None
            self.form.say("place", "")
            self.work.show_built(built)

    def show_build_ended(self, ended: BuildEnded) -> None:
        """The build is over, whatever came of it."""
        if ended.number != self._build:
            return
        self._build = 0
        if self._made is None:
            self.work.show_ended("Cancelled" if self._cancelled else "Not built")
            if self._cancelled:
                self._resumes = True
                self.form.say("place", _BEGUN, "dim")
        self._refresh()
        (self.open_button if self._made is not None else self.build_button).setFocus()

    # Looks

    def _refresh(self) -> None:
        seen, done = self._estimate, self._made is not None
        self.form.setEnabled(not self.busy)
        self.build_button.setVisible(not done)
        self.open_button.setVisible(done or (self._there is not None and not self.busy))
        self.build_button.setText("Cancel" if self.busy else "B&uild")
        set_kind(self.build_button, "" if self.busy or self._there is not None else "primary")
        self.build_button.setEnabled(self.busy or (seen is not None and bool(seen.wish.out) and (seen.fits or self._resumes)))
        self.build_button.setToolTip("What is done is kept" if self.busy else "" if seen is not None else "Waits for the estimate")
        self.close_button.setToolTip("The build goes on; File › Build a bank… shows it again" if self.busy else "")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if not self.busy and paths_of(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.form.documents.add(paths_of(event))

    def hideEvent(self, event: QHideEvent) -> None:
        self._pause.stop()
        if self._look:
            self._look = 0
            self.stopping.emit()
        super().hideEvent(event)
