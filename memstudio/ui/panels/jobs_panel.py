"""Long work: what is under way with its progress and the time that it still takes, what waits, and how what was begun earlier ended."""

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QPushButton, QScrollArea, QVBoxLayout, QWidget

from memstudio.ui.panels.estimate_view import duration
from memstudio.ui.panels.parts import EmptyState, label, pages, row, set_kind
from memstudio.ui.remaining import Remaining
from memstudio.ui.snapshots import JobView

KEPT = 50
"""How many jobs that ended are listed."""
BRIEF_S = 0.4
"""What is done sooner than this is not listed."""
TICK_MS = 1000
_BAR = 1000
_WORDS = {"": "running", "waiting": "waiting", "done": "done", "cancelled": "cancelled", "failed": "failed"}
_TAGS = {"": "tag", "done": "tag", "cancelled": "tag-warning", "failed": "tag-danger"}


class JobsPanel(QWidget):
    """Emits `cancel_wanted` with a job's number. clock: seconds of any steady clock."""

    cancel_wanted = Signal(int)

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self.cards: dict[int, JobCard] = {}
        """Newest last."""
        self.clear_button = QPushButton("Clear")
        self.clear_button.setToolTip("Take the jobs that ended off the list")
        self.clear_button.clicked.connect(self.clear)
        self._count = label("", "dim")
        self._column = QVBoxLayout()
        self._column.setContentsMargins(8, 8, 8, 8)
        self._column.addStretch(1)
        body = QWidget()
        body.setProperty("kind", "card-body")
        body.setLayout(self._column)
        area = QScrollArea()
        area.setProperty("kind", "card")
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setAccessibleName("Jobs")
        area.setWidget(body)
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row(self._count, 1, self.clear_button))
        column.addWidget(area, 1)
        empty = EmptyState("Nothing is under way", "A score, a scan, a map or a build shows its progress here, and can be cancelled.")
        self._pages = pages(self, (6, 4, 6, 6), empty, filled)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)

    def show_job(self, job: JobView) -> None:
        """A job began, went on or ended."""
        card = self.cards.get(job.number)
        now = self._clock()
        if card is None:
            if job.ended and job.end != "failed":
                return
            card = JobCard(job, now)
            card.cancel.clicked.connect(lambda _=False, number=job.number: self._cancel(number))
            self.cards[job.number] = card
            self._column.insertWidget(0, card)
        card.show_job(job, now)
        if job.ended and job.end in ("", "done") and card.seconds < BRIEF_S:
            self._drop(job.number)
        self._settle()

    def clear(self) -> None:
        """Forget the jobs that ended."""
        for number in [number for number, card in self.cards.items() if card.job.ended]:
            self._drop(number)
        self._settle()

    def _cancel(self, number: int) -> None:
        self.cards[number].show_cancelling()
        self.cancel_wanted.emit(number)

    def _drop(self, number: int) -> None:
        card = self.cards.pop(number)
        self._column.removeWidget(card)
        card.hide()
        card.deleteLater()

    def _settle(self) -> None:
        ended = [number for number, card in self.cards.items() if card.job.ended]
        for number in ended[:-KEPT]:
            self._drop(number)
        waiting = sum(card.job.waiting for card in self.cards.values())
        running = len(self.cards) - len(ended) - waiting
        words = [f"{count:,} {word}" for count, word in ((running, "running"), (waiting, "waiting")) if count]
        self._count.setText(", ".join(words) or "Nothing is running")
        self.clear_button.setEnabled(bool(ended))
        self._pages.setCurrentIndex(1 if self.cards else 0)
        if running and not self._timer.isActive():
            self._timer.start()
        elif not running:
            self._timer.stop()

    def _tick(self) -> None:
        now = self._clock()
        for card in self.cards.values():
            if not card.job.ended:
                card.show_job(card.job, now)


class JobCard(QFrame):
    """One job."""

    def __init__(self, job: JobView, now: float) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.job = job
        self.seconds = 0.0
        self._begun = now
        self._pace = Remaining({})
        self._cancelling = False
        self.title, self.state, self.times = label("", "strong", wrap=True), label("", "tag"), label("", "dim", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.cancel = QPushButton("Cancel")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(5)
        top = row(self.title, self.state)
        top.setStretch(0, 1)
        top.setAlignment(self.state, Qt.AlignmentFlag.AlignTop)
        column.addLayout(top)
        middle = row(self.bar, self.cancel)
        middle.setStretch(0, 1)
        column.addLayout(middle)
        column.addWidget(self.times)

    def show_job(self, job: JobView, now: float) -> None:
        """Where it is, or how it ended."""
        if self.job.waiting and not job.waiting:
            self._begun = now
        self.job, self.seconds = job, now - self._begun
        self.title.setText(job.title)
        self.bar.setAccessibleName(f"Progress of {job.title}")
        self.cancel.setAccessibleName(f"Cancel {job.title}")
        state = job.end or ("done" if job.ended else "waiting" if job.waiting else "")
        self.state.setText("cancelling…" if self._cancelling and not job.ended else _WORDS[state])
        set_kind(self.state, _TAGS[job.end])
        self.bar.setVisible(not job.ended and not job.waiting)
        self.cancel.setVisible(not job.ended)
        self.bar.setRange(0, _BAR if job.total else 0)  # counts may be larger than what a bar takes
        self.bar.setValue(_BAR * min(job.done, job.total) // job.total if job.total else 0)
        set_kind(self.times, "error" if job.end == "failed" else "dim")
        self.times.setText(self._ended(job) if job.ended else self._going(job, now))

    def show_cancelling(self) -> None:
        """It was asked to end."""
        self._cancelling = True
        self.cancel.setEnabled(False)
        self.state.setText("cancelling…")

    def _going(self, job: JobView, now: float) -> str:
        if job.waiting:
            return "Begins when the work before it is over"
        left = job.left_s if job.left_s is not None else self._pace.left(job.title, job.done, job.total, now)
        steps = f"{job.done:,} of {job.total:,}" if job.total else ""
        times = f"{duration(self.seconds, short=True)} so far"
        return " · ".join(filter(None, (steps, times, "" if left is None else f"{duration(left)} left")))

    def _ended(self, job: JobView) -> str:
        took = f"after {duration(self.seconds, short=True)}"
        return f"{took[0].upper()}{took[1:]}" + (f": {job.line}" if job.line else "")
