"""The status bar: what just happened (with Undo where that makes sense), long work with progress and cancel, what the process takes."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QProgressBar, QPushButton, QStatusBar, QWidget

from memstudio.ui.panels.parts import label, row, set_kind
from memstudio.ui.snapshots import JobView
from memstudio.ui.texts import counted, on_button, plain_tip, size_text
from memstudio.ui.vitals import Vitals

PATIENCE_MS = 400


class StatusBar(QStatusBar):
    """Emits `undo_wanted`, `cpu_wanted` and `cancel_wanted` with a job's number."""

    undo_wanted = Signal()
    cpu_wanted = Signal()
    """The model is to go on on the CPU."""
    cancel_wanted = Signal(int)
    jobs_wanted = Signal()
    """All of the long work is to be seen."""
    said = Signal(str, str)
    """A line that was said, and its kind."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self._jobs: dict[int, JobView] = {}
        self.line = label()
        self.line.setMinimumWidth(1)  # a long line gives way instead of widening the window
        self.undo = QPushButton("Undo")
        self.undo.setProperty("kind", "link")
        self.undo.clicked.connect(self.undo_wanted)
        self.undo.hide()
        self.cpu = QPushButton("Run on the CPU")
        self.cpu.setProperty("kind", "link")
        self.cpu.setToolTip("Load the model on the CPU and go on there; the study stays as it is")
        self.cpu.clicked.connect(self.cpu_wanted)
        self.cpu.hide()
        self.job_text = QPushButton()
        self.job_text.setProperty("kind", "link")
        self.job_text.setToolTip("Show all jobs")
        self.job_text.setAccessibleName("Jobs")
        self.job_text.clicked.connect(self.jobs_wanted)
        self._progress = QProgressBar()
        self._progress.setFixedWidth(120)
        self._progress.setTextVisible(False)
        self.cancel = QPushButton("Cancel")
        self.cancel.setProperty("kind", "link")
        self.cancel.clicked.connect(self._cancel)
        self.job_box = QWidget()
        self.job_box.setLayout(row(self.job_text, self._progress, self.cancel))
        self.job_box.hide()
        self.speed = label("", "dim", tip="Tokens of the last answer by the seconds that the model worked on it")
        self.resident, self.model = label("", "dim"), label("", "dim")
        self.memory = QPushButton()
        self.memory.setProperty("kind", "link")
        self.model.setToolTip("The device that the model runs on, and the anchor's size")
        for shown, name in ((self.resident, "Resident blocks"), (self.model, "Model")):
            shown.setContentsMargins(8, 0, 0, 0)
            shown.setAccessibleName(name)
        self.memory.setAccessibleName("Memory")
        self.model.setContentsMargins(8, 0, 8, 0)
        left = QWidget()
        inside = row(self.line, self.undo, self.cpu, 1)
        inside.setContentsMargins(8, 0, 0, 0)
        left.setLayout(inside)
        self.addWidget(left, 1)
        for widget in (self.job_box, self.speed, self.resident, self.memory, self.model):
            self.addPermanentWidget(widget)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._show_job)

    def say(self, line: str, *, kind: str = "", undo: bool = False, cpu: bool = False) -> None:
        """One line, until the next. kind: "", "error" or "notice". undo, cpu: offer that beside it."""
        self.line.setText(line)
        self.line.setToolTip(plain_tip(line))
        set_kind(self.line, kind)
        self.undo.setVisible(undo)
        self.cpu.setVisible(cpu)
        self.said.emit(line, kind)

    def show_vitals(self, vitals: Vitals) -> None:
        """What the process takes now, each figure with how it is measured."""
        parts = [] if vitals.memory_bytes is None else [size_text(vitals.memory_bytes) + (" at most" if vitals.peak else "")]
        counted_as = "the most so far, as the system counts it" if vitals.peak else "as the system counts it now (RSS)"
        how = [f"The whole process, {counted_as}"]
        if vitals.card_bytes is not None:
            parts.append(f"{size_text(vitals.card_bytes)} on the card")
            how.append("On the card: what torch has allocated there now")
        self.memory.setText(" + ".join(parts))
        self.memory.setToolTip(plain_tip("\n".join([*how, "Click for what is resident where, and to free it"])))
        blocks, size = sum(len(arm.blocks) for arm in vitals.resident), sum(arm.bytes for arm in vitals.resident)
        self.resident.setText(f"{counted(blocks, 'block')} resident · {size_text(size)}" if vitals.resident else "")
        arms = [f"{arm.arm}: {', '.join(arm.blocks) or 'none'} ({size_text(arm.bytes)})" for arm in vitals.resident]
        self.resident.setToolTip(plain_tip("\n".join(["Blocks that lie in the model's slots now, for", *arms])))

    def show_job(self, job: JobView) -> None:
        """A job began, went on or ended. It is shown once it has lasted a moment."""
        if job.waiting:
            return
        if job.ended:
            self._jobs.pop(job.number, None)
            if not self._jobs:
                self._patience.stop()
                self.job_box.hide()
                return
        else:
            self._jobs[job.number] = job
        if self.job_box.isVisibleTo(self):
            self._show_job()
        elif not self._patience.isActive():
            self._patience.start()

    def _show_job(self) -> None:
        if not self._jobs:
            return
        job = next(iter(self._jobs.values()))
        self.job_text.setText(on_button(job.title + (f" {job.done:,} / {job.total:,}" if job.total else "…")))
        self._progress.setRange(0, job.total or 0)
        self._progress.setValue(job.done)
        self.job_box.show()

    def _cancel(self) -> None:
        if self._jobs:
            number, job = next(iter(self._jobs.items()))
            self.job_text.setText(on_button(f"{job.title}: cancelling…"))
            self.cancel_wanted.emit(number)
