"""What the window does about exports: the dialog, between the window, the export bridge and every view's colours."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from memstudio.export.plan import Kept
from memstudio.ui.export_bridge import ExportBridge
from memstudio.ui.export_views import MEASURE, OrderFound, export_shades
from memstudio.ui.panels.export_dialog import FIRST_NUMBER, ExportDialog
from memstudio.ui.snapshots import JobView, Opened, Studied
from memstudio.ui.studio import Studio


class ExportStudio(QObject):
    """Owns the dialog. Emits `open_wanted` with the path of a bank that was written."""

    open_wanted = Signal(str)

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(window)
        self._studio = studio
        self._sizes: tuple[int, ...] = ()
        self._head = 0
        self._before = ""
        self.bridge = ExportBridge(studio.bridge)
        self.dialog = ExportDialog(window)
        bridge, dialog, core = self.bridge, self.dialog, studio.bridge
        for signal, slot in (
            (core.opened, self._opened),
            (core.studied, self._studied),
            (core.job, self._job),
            (studio.overview.chosen_changed, dialog.show_chosen),
            (dialog.ordering, bridge.order),
            (dialog.exporting, bridge.export),
            (dialog.cancelling, bridge.cancel),
            (dialog.looked_at, self._looked_at),
            (dialog.open_wanted, self.open_wanted),
            (bridge.ordered, dialog.show_order),
            (bridge.done, dialog.show_done),
            (bridge.refused, dialog.show_refusal),
            (bridge.rested, dialog.show_rested),
        ):
            signal.connect(slot)

    def open(self) -> None:
        """Show the dialog as it was left."""
        self.dialog.show_chosen(self._studio.chosen)
        self.dialog.open_on()

    def _opened(self, opened: Opened) -> None:
        self._sizes = tuple(level.clusters for level in opened.bank.levels)
        self._head = opened.study.head
        bank = opened.bank
        self.dialog.show_bank(bank.name, facts=bool(opened.prompt), generic=bank.generic, fallback=bank.fallback)

    def _studied(self, studied: Studied) -> None:
        if studied.study.head != self._head:
            self._head = studied.study.head
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
            self.dialog.show_job(job)
