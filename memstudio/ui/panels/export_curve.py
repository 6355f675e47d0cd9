"""The curve in the export dialog: measured when it is asked for, the chosen budget a point on it, saved as picture and CSV."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QPushButton, QVBoxLayout

from memstudio.export.curve import Curve, ReadOff, read_off
from memstudio.ui.export_views import CurveFound, CurveWish, ExportRefused, ExportRested, Outlook
from memstudio.ui.panels.estimate_view import duration
from memstudio.ui.panels.parts import FlowBox, FlowLayout, label, set_kind
from memstudio.ui.snapshots import JobView
from memstudio.ui.theme import Theme

if TYPE_CHECKING:
    from memstudio.ui.plots.curve_plot import CurvePlot

_BAR = 1000


class ExportCurve(QFrame):
    """Its signals name a turn; what comes back for another turn is dropped. Emits `share_wanted` (0 … 1) where the plot is clicked on."""

    looking = Signal(int, object)
    """What is known of a CurveWish, or what it would take?"""
    measuring = Signal(int, object)
    cancelling = Signal(int)
    share_wanted = Signal(float)
    save_picture = Signal()
    save_table = Signal(Curve)

    def __init__(self, theme: Theme, numbers: Iterator[int]) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self._theme, self._numbers = theme, numbers
        self._turn, self._at_work, self._hopeless = 0, False, False
        self._wish: CurveWish | None = None
        self._budget: tuple[int, int] | None = None
        self.curve: Curve | None = None
        self._plot: CurvePlot | None = None
        self.title = label("What a smaller bank still answers", "section")
        self.read, self.line = label("", "strong", wrap=True, selectable=True), label("", "dim", wrap=True, selectable=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the curve")
        self.measure_button = QPushButton("Measure the curve")
        self.picture_button, self.table_button = QPushButton("Save picture…"), QPushButton("Save CSV…")
        self._arrange()
        self.measure_button.clicked.connect(self._measure_or_stop)
        self.picture_button.clicked.connect(self.save_picture)
        self.table_button.clicked.connect(lambda: self.save_table.emit(self.curve))
        theme.changed.connect(lambda: self._plot.retone(theme.tone) if self._plot is not None else None)
        self._refresh()

    def _arrange(self) -> None:
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 10, 12, 10)
        self._column.setSpacing(6)
        flow = FlowLayout(6)
        names = ((self.measure_button, "Measure the curve"), (self.picture_button, "Save a picture of the curve"))
        for button, name in (*names, (self.table_button, "Save the points of the curve as CSV")):
            button.setAccessibleName(name)
            button.setAutoDefault(False)
            flow.addWidget(button)
        for widget in (self.title, self.read, self.line, self.bar, FlowBox(flow)):
            self._column.addWidget(widget)
        self._column.addStretch(1)

    @property
    def plot(self) -> "CurvePlot":
        """Made when there is first a curve, with the library that draws it."""
        if self._plot is None:
            from memstudio.ui.plots.curve_plot import CurvePlot

            self._plot = CurvePlot(self._theme.tone)
            self._plot.clicked.connect(self._clicked)
            self._column.insertWidget(2, self._plot, 10)
        return self._plot

    # What the dialog says

    def ask(self, wish: CurveWish | None) -> None:
        """Another ranking, precision or fallback is at hand; None: none. What is being measured is cancelled."""
        self.rest()
        self._wish, self.curve, self._hopeless = wish, None, False
        self._say("")
        if wish is not None:
            self._turn = next(self._numbers)
            self.looking.emit(self._turn, wish)
        self._show()

    def rest(self) -> None:
        """Cancel what is under way; what was found stays."""
        if self._turn:
            self.cancelling.emit(self._turn)
        self._turn, self._at_work = 0, False
        self._refresh()

    def show_budget(self, budget_bytes: int, kept_bytes: int) -> None:
        """The budget that is chosen, and what it keeps."""
        self._budget = (budget_bytes, kept_bytes)
        self._mark()

    # What comes back

    def show_outlook(self, outlook: Outlook) -> None:
        """What is known of the curve."""
        if outlook.number != self._turn:
            return
        if outlook.curve is not None:
            self._take(outlook.curve)
        elif outlook.why:
            self._say(outlook.why)
        else:
            time = "" if outlook.curve_s is None else f" Takes {duration(outlook.curve_s)} (an estimate)."
            self._say(f"Not measured yet: ten budgets, each asked {outlook.asked:,} of the bank's {outlook.noun}.{time}")
        self._hopeless = bool(outlook.why)
        self._refresh()

    def show_curve(self, found: CurveFound) -> None:
        """It was measured."""
        if found.number == self._turn:
            self._take(found.curve)

    def show_refusal(self, refusal: ExportRefused) -> None:
        """A person's line."""
        if refusal.number == self._turn:
            self._say(refusal.line, "error")

    def show_rested(self, rested: ExportRested) -> None:
        """A turn is over, cancelled perhaps."""
        if rested.number != self._turn:
            return
        if self._at_work and self.curve is None and self.line.property("kind") != "error":
            self._say("The measuring was cancelled; what was run is kept, so that it goes on from there.")
        self._turn, self._at_work = 0, False
        self._refresh()

    def show_job(self, job: JobView) -> None:
        """How far the worker is."""
        if job.owner == self._turn and self._at_work and not job.ended:
            self.bar.setRange(0, _BAR if job.total else 0)  # counts may be larger than what a bar takes
            self.bar.setValue(_BAR * min(job.done, job.total) // job.total if job.total else 0)

    # Inside

    def _measure_or_stop(self) -> None:
        if self._at_work:
            self.cancelling.emit(self._turn)
            self.measure_button.setEnabled(False)
            return
        if self._wish is None:
            return
        if self._turn:
            self.cancelling.emit(self._turn)
        self._turn, self._at_work = next(self._numbers), True
        self._say("Ranking on one half of the prompts, then asking the other half…")
        self.bar.setRange(0, 0)
        self._refresh()
        self.measuring.emit(self._turn, self._wish)

    def _take(self, curve: Curve) -> None:
        self.curve = curve
        whole = curve.whole.recall
        which = f"Asked {curve.scored_on:,} of the bank's {curve.noun}, ranked on {curve.ranked_on:,} others. Bars: 95% intervals"
        top = "" if whole.share is None else f"; dotted: the whole bank, {whole.share:.1%}"
        others = [str(series) for series in curve.series if self._wish is None or series != self._wish.series]
        band = f"; grey: the frontier of all; dashed: {' · '.join(others)}" if others else ""
        self._say(f"{which}{top}{band}.")
        self._show()

    def _clicked(self, count_bytes: float) -> None:
        if self.curve is not None:
            self.share_wanted.emit(min(1.0, count_bytes / self.curve.bank_bytes))

    def _show(self) -> None:
        if self.curve is not None and self._wish is not None:
            self.plot.show_curve(self.curve, self._wish.series)
        self._mark()
        self._refresh()

    def _mark(self) -> None:
        if self.curve is None or self._wish is None or self._budget is None:
            self.read.setText("")
            return
        budget, kept = self._budget
        found = read_off(self.curve.of(self._wish.series), budget)
        self.plot.mark(kept, found)
        self.read.setText(read_words(found))
        self.plot.setAccessibleDescription(self.read.text())

    def _refresh(self) -> None:
        measured = self.curve is not None
        if self._plot is not None:
            self._plot.setVisible(measured)
        self.read.setVisible(measured)
        self.bar.setVisible(self._at_work)
        self.measure_button.setVisible(not measured or self._at_work)
        self.measure_button.setText("Stop measuring" if self._at_work else "Measure the curve")
        self.measure_button.setEnabled(self._at_work or (self._wish is not None and not self._hopeless))
        for button in (self.picture_button, self.table_button):
            button.setVisible(measured)

    def _say(self, line: str, kind: str = "dim") -> None:
        self.line.setText(line)
        set_kind(self.line, kind)


def read_words(found: ReadOff | None) -> str:
    """What is read off at a budget, in words."""
    if found is None:
        return "Recall: not measured, for this size is outside the budgets that were."
    low, high = found.between
    where = "measured at this budget" if low == high else f"read between the budgets of {low:.1%} and {high:.1%}"
    return f"Recall {'' if low == high else 'about '}{found}, {where}."
