"""What the window does about exports: the dialogs, between the window, the export bridge and every view's colours."""

from collections.abc import Sequence
from functools import cached_property
from itertools import count

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from memstudio.bank.values import ClusterId
from memstudio.export.curve import COLUMNS, Curve, curve_rows
from memstudio.export.plan import Kept
from memstudio.ui.export_bridge import ExportBridge
from memstudio.ui.export_views import MEASURE, OrderFound, export_shades
from memstudio.ui.made import made
from memstudio.ui.models.grid import Grid
from memstudio.ui.panels.dense_dialog import DenseDialog
from memstudio.ui.panels.export_dialog import ExportDialog
from memstudio.ui.snapshots import JobView, Opened, Studied
from memstudio.ui.studio import Studio
from memstudio.ui.theme import Theme

FIRST_NUMBER = 2_000_001
"""Turns of these dialogs are numbered from here on, so that none is mistaken for one of another dialog."""


class ExportStudio(QObject):
    """Owns the dialogs. Emits `open_wanted` with the path of a bank that was written; `picture_wanted` with what is to be saved as a
    picture, `grid_wanted` with rows that are, each with what it is in words and the name of the file."""

    open_wanted = Signal(str)
    picture_wanted = Signal(QWidget, str, str)
    grid_wanted = Signal(Grid, str, str, QWidget)

    def __init__(self, studio: Studio, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self._theme, self._window = studio, theme, window
        self._bank: Opened | None = None
        self._numbers = count(FIRST_NUMBER)
        self._sizes: tuple[int, ...] = ()
        self._head = 0
        self._before = self._name = ""
        self.bridge = ExportBridge(studio.bridge)
        core = studio.bridge
        core.opened.connect(self._opened)
        core.studied.connect(self._studied)
        core.job.connect(self._job)

    @cached_property
    def dialog(self) -> ExportDialog:
        """The dialog of a smaller bank, made when it is first wanted: the window opens sooner."""
        dialog, bridge = ExportDialog(self._theme, self._numbers, self._window), self.bridge
        curve = dialog.curve
        for signal, slot in (
            (self._studio.overview.chosen_changed, dialog.show_chosen),
            (dialog.ordering, bridge.order),
            (dialog.exporting, bridge.export),
            (dialog.cancelling, bridge.cancel),
            (dialog.looked_at, self._looked_at),
            (dialog.open_wanted, self.open_wanted),
            (curve.looking, bridge.look),
            (curve.measuring, bridge.measure),
            (curve.cancelling, bridge.cancel),
            (curve.save_picture, self._save_picture),
            (curve.save_table, self._save_table),
            (bridge.ordered, dialog.show_order),
            (bridge.looked, dialog.show_outlook),
            (bridge.measured, curve.show_curve),
            (bridge.done, dialog.show_done),
            (bridge.refused, dialog.show_refusal),
            (bridge.rested, dialog.show_rested),
        ):
            signal.connect(slot)
        if self._bank is not None:
            _show_bank(dialog, self._bank)
        return dialog

    @cached_property
    def dense(self) -> DenseDialog:
        """The dialog of one route as a model."""
        dense, bridge = DenseDialog(self._numbers, self._window), self.bridge
        for signal, slot in (
            (dense.exporting, bridge.export_dense),
            (dense.cancelling, bridge.cancel),
            (bridge.dense_done, dense.show_done),
            (bridge.refused, dense.show_refusal),
            (bridge.rested, dense.show_rested),
        ):
            signal.connect(slot)
        return dense

    def open(self) -> None:
        """Show the dialog as it was left."""
        self.dialog.show_chosen(self._studio.chosen)
        self.dialog.open_on()

    def open_dense(self, route: Sequence[ClusterId], labels: Sequence[str]) -> None:
        """Show the dialog for one route."""
        self.dense.open_on(self._name, route, labels)

    def _save_picture(self) -> None:
        self.picture_wanted.emit(self.dialog.curve.plot, "the curve", f"{self._name}-curve")

    def _save_table(self, curve: Curve) -> None:
        self.grid_wanted.emit(Grid(COLUMNS, tuple(curve_rows(curve))), "the points of the curve", f"{self._name}-curve", self.dialog)

    def _opened(self, opened: Opened) -> None:
        self._sizes = tuple(level.clusters for level in opened.bank.levels)
        self._head = opened.study.head
        bank = opened.bank
        self._name = bank.name
        self._bank = opened
        if made(self, "dense"):
            self.dense.drop()
        if made(self):
            _show_bank(self.dialog, opened)

    def _studied(self, studied: Studied) -> None:
        if studied.study.head != self._head:
            self._head = studied.study.head
            if made(self):
                self.dialog.show_head()

    def _looked_at(self, found: tuple[OrderFound, Kept] | None) -> None:
        overview = self._studio.overview
        if found is None:
            if MEASURE in overview.figures:
                overview.offer(MEASURE, None)
                overview.colour_by(self._before)
            return
        order, kept = found
        first = MEASURE not in overview.figures
        if first:
            self._before = overview.colour
        overview.offer(MEASURE, export_shades(order.plan, kept, self._sizes), show=first)

    def _job(self, job: JobView) -> None:
        if job.owner >= FIRST_NUMBER:
            if made(self):
                self.dialog.show_job(job)
            if made(self, "dense"):
                self.dense.show_job(job)


def _show_bank(dialog: ExportDialog, opened: Opened) -> None:
    bank = opened.bank
    dialog.show_bank(bank.name, facts=bool(opened.prompt), generic=bank.generic, fallback=bank.fallback, precisions=bank.precisions)
