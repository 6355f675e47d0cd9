"""What the map panel shows while there is no map: how to get one, and how far it is."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QProgressBar, QPushButton, QVBoxLayout

from memstudio.ui.panels.parts import label
from memstudio.ui.snapshots import JobView

_QUICK = 4096


class MapAsked(QFrame):
    """No map yet. Emits `make_wanted`."""

    make_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.title = label("The map is not made yet", "section")
        self.hint = label("", "dim", wrap=True)
        self.make = QPushButton("Make the map")
        self.make.setObjectName("map_make")
        self.make.setAccessibleName("Make the map")
        self.make.setProperty("kind", "primary")
        self.make.setToolTip("Runs beside your work, in a process of its own; it can be cancelled")
        self.make.clicked.connect(self.make_wanted)
        _stack(self, self.title, self.hint, self.make)

    def show_count(self, clusters: int) -> None:
        """So many clusters would be on it."""
        takes = "a few minutes" if clusters >= _QUICK else "some seconds"
        all_of_them = "The bank's one cluster is" if clusters == 1 else f"All {clusters:,} clusters of the bank are"
        self.hint.setText(
            f"{all_of_them} placed by the centroids: those that mean alike lie close. "
            f"This takes {takes}, once; the map is kept beside the study."
        )


class MapRunning(QFrame):
    """A map being made. Emits `cancel_wanted`."""

    cancel_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.title = label("Making the map", "section")
        self.hint = label("", "dim", wrap=True)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress of the map")
        self.bar.setTextVisible(False)
        self.bar.setMaximumWidth(360)
        self.bar.setMinimumWidth(160)
        self.cancel = QPushButton("Cancel")
        self.cancel.setObjectName("map_cancel")
        self.cancel.setAccessibleName("Cancel the map")
        self.cancel.setToolTip("Ends its process; nothing is kept of it")
        self.cancel.clicked.connect(self._cancel)
        _stack(self, self.title, self.hint, self.bar, self.cancel)

    def show_job(self, job: JobView) -> None:
        """How far it is; a total that is not known makes the bar run to and fro."""
        if not self.cancel.isEnabled():
            return
        self.hint.setText(job.title + (f" {job.done:,} of {job.total:,}" if job.total else "…"))
        self.bar.setRange(0, job.total or 0)
        self.bar.setValue(job.done if job.total else 0)

    def begin(self) -> None:
        """Another one begins."""
        self.cancel.setEnabled(True)

    def _cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.hint.setText("Cancelling…")
        self.bar.setRange(0, 0)
        self.cancel_wanted.emit()


def _stack(frame: QFrame, title: QLabel, hint: QLabel, *rest: QProgressBar | QPushButton) -> None:
    column = QVBoxLayout(frame)
    column.setContentsMargins(16, 12, 16, 12)
    column.setSpacing(8)
    column.addStretch(1)
    for each in (title, hint):
        each.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(each)
    for widget in rest:
        column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
    column.addStretch(1)
