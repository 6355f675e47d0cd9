"""What the window does with documents that are taught to a bank: the dialog, between the window and the learn bridge."""

from functools import cached_property
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from memstudio.ui.learn_bridge import LearnBridge
from memstudio.ui.made import made
from memstudio.ui.panels.learn_dialog import FIRST_NUMBER, LearnDialog
from memstudio.ui.snapshots import JobView, Opened, Studied
from memstudio.ui.studio import Studio
from memstudio.ui.theme import Theme


class LearnStudio(QObject):
    """Owns the dialog. What is committed reaches the other panels as every commit does: `committed`, `studied`, the history."""

    def __init__(self, studio: Studio, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self._theme, self._window = studio, theme, window
        self.bridge = LearnBridge(studio.bridge)
        core = studio.bridge
        core.opened.connect(self._opened)
        core.studied.connect(self._studied)
        core.job.connect(self._job)

    @cached_property
    def dialog(self) -> LearnDialog:
        """The dialog, made when it is first wanted: the window opens sooner."""
        dialog, bridge, study = LearnDialog(self._theme, self._window), self.bridge, self._studio.study
        for signal, slot in (
            (dialog.looking, bridge.look),
            (dialog.trying, bridge.try_out),
            (dialog.keeping, bridge.keep),
            (dialog.cancelling, bridge.cancel),
            (dialog.forgotten, bridge.forget),
            (dialog.taught_wanted, bridge.list_taught),
            (bridge.reached, dialog.show_reach),
            (bridge.tried, dialog.show_tried),
            (bridge.kept, dialog.show_kept),
            (bridge.refused, dialog.show_refusal),
            (bridge.rested, dialog.show_rested),
            (bridge.taught, dialog.show_taught),
        ):
            signal.connect(slot)
        if study is not None:
            dialog.show_bank(study.head)
        return dialog

    def open(self, paths: tuple[Path, ...] = ()) -> None:
        """Show the dialog, with documents in it or as it was left."""
        self.dialog.open_on(tuple(map(str, paths)))

    def _opened(self, opened: Opened) -> None:
        if made(self):
            self.dialog.show_bank(opened.study.head)

    def _studied(self, studied: Studied) -> None:
        if made(self):
            self.dialog.show_head(studied.study.head)

    def _job(self, job: JobView) -> None:
        if job.owner >= FIRST_NUMBER and made(self):
            self.dialog.show_job(job)
