"""What the window does with revisions: the history's actions, its dialogs and the comparison, between panels and bridge."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from memstudio.errors import UserError
from memstudio.history.values import Revision
from memstudio.ui.made import made
from memstudio.ui.panels.compare_panel import ComparePanel
from memstudio.ui.panels.history_panel import HistoryPanel
from memstudio.ui.panels.patch_dialogs import ExportDialog, PatchDialog
from memstudio.ui.panels.revision_dialogs import NameDialog, PurgeDialog, RevertDialog
from memstudio.ui.revision_bridge import COMPARING, PATCHING, RevisionBridge
from memstudio.ui.revision_views import CompareRested, HistoryVerb, Named
from memstudio.ui.snapshots import JobView, Opened, Situation, Studied, StudyView
from memstudio.ui.studio import Studio
from memstudio.ui.theme import Theme


class RevisionStudio(QObject):
    """Owns the dialogs about revisions and patches. Emits `changed` when another revision is selected."""

    changed = Signal()
    raised = Signal(str)
    """The name of a dock that is to be seen."""

    def __init__(self, studio: Studio, compare: ComparePanel, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self.compare, self._theme, self._window = studio, compare, theme, window
        self.history: HistoryPanel = studio.panels.history
        self.bridge = RevisionBridge(studio.bridge)
        self._verbs: dict[HistoryVerb, Callable[[], None]] = {
            "checkout": lambda: studio.checkout(self._chosen().id),
            "measure": lambda: self.bridge.measure(self._chosen().id),
            "name": self._name,
            "revert": lambda: self.bridge.plan_revert(self._chosen().id),
            "compare_head": lambda: self._compare(self._chosen().id, self._study().head),
            "compare_parent": self._compare_parent,
            "compare": lambda: self.raised.emit("compare"),
            "export": lambda: self.exporting.open_on(self._study(), self.history.current()),
            "apply_patch": lambda: self.patching.choose(),
            "purge": lambda: self.purging.ask(),
        }
        self._connect()

    def _connect(self) -> None:
        bridge, core, history, compare = self.bridge, self._studio.bridge, self.history, self.compare
        for signal, slot in (
            (core.opened, self._opened),
            (core.studied, self._studied),
            (core.job, self._job),
            (history.selected, self.changed),
            (history.measure_wanted, lambda: self.do("measure")),
            (bridge.named, self._named),
            (bridge.name_refused, lambda refused: self.naming.show_refusal(refused.line)),
            (bridge.revert_planned, lambda plan: self.reverting.open_on(plan)),
            (bridge.done, lambda done: self._say(done.line)),
            (compare.compare_wanted, bridge.compare),
            (compare.stop_wanted, bridge.stop_comparing),
            (bridge.compared, compare.show_compared),
            (bridge.compare_rested, self._compare_rested),
        ):
            signal.connect(slot)

    # The dialogs, each made when it is first wanted: the window opens sooner

    @cached_property
    def naming(self) -> NameDialog:
        """Names a revision."""
        dialog = NameDialog(self._window)
        dialog.wanted.connect(self.bridge.name)
        dialog.unwanted.connect(self.bridge.unname)
        return dialog

    @cached_property
    def reverting(self) -> RevertDialog:
        """Asks what goes along with a revision that is reverted."""
        dialog = RevertDialog(self._window)
        dialog.wanted.connect(lambda revision, along, again: self.bridge.revert(revision, along=along, again=again))
        return dialog

    @cached_property
    def purging(self) -> PurgeDialog:
        """Asks before what nothing stands on is purged."""
        dialog = PurgeDialog(self._window)
        dialog.wanted.connect(self.bridge.purge)
        return dialog

    @cached_property
    def exporting(self) -> ExportDialog:
        """Writes revisions as a patch."""
        dialog = ExportDialog(self._window)
        dialog.wanted.connect(self.bridge.export_patch)
        return dialog

    @cached_property
    def patching(self) -> PatchDialog:
        """Applies a patch after it was seen."""
        dialog, bridge = PatchDialog(self._theme, self._window), self.bridge
        dialog.planning.connect(bridge.plan_patch)
        dialog.applying.connect(bridge.apply_patch)
        dialog.forgotten.connect(bridge.forget_patch)
        bridge.patch_planned.connect(dialog.show_plan)
        bridge.patch_rested.connect(dialog.show_rested)
        return dialog

    def do(self, verb: HistoryVerb) -> None:
        """One of the history's actions, on the revision that is selected where it is about one."""
        self._verbs[verb]()

    def situation(self, now: Situation) -> Situation:
        """The situation with what the history's actions go by."""
        study = self._studio.study
        return replace(
            now,
            revision=self.history.current() if study is not None else None,
            revisions=len(study.log) if study is not None else 0,
        )

    # What the user wants

    def _study(self) -> StudyView:
        if self._studio.study is None:
            raise UserError("no bank is open: open a bank folder first")
        return self._studio.study

    def _chosen(self) -> Revision:
        found = self.history.current()
        if found is None:
            raise UserError("no revision is selected: click one in the history first")
        return found

    def _name(self) -> None:
        chosen = self._chosen()
        self.naming.open_on(chosen.id, chosen.title if chosen.parent is not None else "as shipped", self._study().names)

    def _compare_parent(self) -> None:
        chosen = self._chosen()
        if chosen.parent is not None:
            self._compare(chosen.parent, chosen.id)

    def _compare(self, a: int, b: int) -> None:
        self.raised.emit("compare")
        self.compare.start(a, b)

    # What comes back

    def _opened(self, opened: Opened) -> None:
        for name in ("naming", "reverting", "purging", "exporting", "patching"):
            if made(self, name):
                getattr(self, name).close()
        self.compare.forget()
        self._show_study(opened.study)

    def _studied(self, studied: Studied) -> None:
        self._show_study(studied.study)

    def _show_study(self, study: StudyView) -> None:
        self.compare.show_study(study)
        if made(self, "patching"):
            self.patching.show_head(study.head)

    def _job(self, job: JobView) -> None:
        if job.owner == COMPARING:
            self.compare.show_job(job)
        elif job.owner == PATCHING and made(self, "patching"):
            self.patching.show_job(job)

    def _named(self, named: Named) -> None:
        self.naming.close()
        self._say(named.line)

    def _compare_rested(self, rested: CompareRested) -> None:
        if rested.line:
            self.compare.show_refusal(rested.line)

    def _say(self, line: str) -> None:
        self._studio.panels.status.say(line)
