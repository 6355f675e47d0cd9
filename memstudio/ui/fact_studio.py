"""What the window does with facts: the dialog that changes one, and the list of facts, between the panels and the fact bridge."""

from functools import cached_property
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from memstudio.bank.values import Memory
from memstudio.facts.values import Fact
from memstudio.ui.dialogs import ListDialog
from memstudio.ui.fact_bridge import SCORING, FactBridge
from memstudio.ui.fact_views import FactRow, FactsScored, FactsView, Located, Verb
from memstudio.ui.made import made
from memstudio.ui.panels.fact_dialog import FactDialog
from memstudio.ui.panels.facts_panel import FactsPanel
from memstudio.ui.snapshots import JobView, Opened, Studied
from memstudio.ui.studio import Studio
from memstudio.ui.texts import counted
from memstudio.ui.theme import Theme


class FactStudio(QObject):
    """Owns the fact dialog. Emits `changed` when another list of facts is shown."""

    changed = Signal()

    def __init__(self, studio: Studio, panel: FactsPanel, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self.panel, self._theme, self._window = studio, panel, theme, window
        self.bridge = FactBridge(studio.bridge)
        self._connect()

    def _connect(self) -> None:
        bridge, panel, core = self.bridge, self.panel, self._studio.bridge
        for signal, slot in (
            (core.opened, self._opened),
            (core.studied, self._studied),
            (core.job, self._job),
            (bridge.listed, self._listed),
            (bridge.scored, self._scored),
            (bridge.located, self._located),
            (panel.own_wanted, bridge.list_own),
            (panel.score_wanted, self.score),
            (panel.stop_wanted, bridge.stop_scoring),
            (panel.skipped_wanted, self._show_skipped),
            (panel.picked, self.pick),
            (panel.change_wanted, lambda row: self.change(row.fact.prompt, target=row.fact.target)),
            (panel.erase_wanted, lambda row: self.change(row.fact.prompt, verb="erase")),
            (panel.run_wanted, self._run),
            (panel.change_all_wanted, self.change_all),
        ):
            signal.connect(slot)

    @cached_property
    def dialog(self) -> FactDialog:
        """The dialog, made when it is first wanted: the window opens sooner."""
        dialog, bridge, study = FactDialog(self._theme, self._window), self.bridge, self._studio.study
        for signal, slot in (
            (dialog.asked, bridge.request),
            (dialog.gathering, bridge.gather),
            (dialog.previewing, bridge.preview),
            (dialog.applying, bridge.apply),
            (dialog.applying_previewed, bridge.apply_previewed),
            (dialog.cancelling, bridge.cancel),
            (dialog.forgotten, bridge.forget),
            (bridge.requested, dialog.show_request),
            (bridge.gathered, dialog.show_batch),
            (bridge.previewed, dialog.show_preview),
            (bridge.applied, dialog.show_applied),
            (bridge.refused, dialog.show_refusal),
            (bridge.rested, dialog.show_rested),
        ):
            signal.connect(slot)
        if study is not None:
            dialog.show_head(study.head)
        return dialog

    @cached_property
    def _skipped(self) -> ListDialog:
        return ListDialog(self._window)

    # What the user wants

    def change(self, prompt: str, *, verb: Verb = "update", target: str = "") -> None:
        """Open the dialog on a prompt."""
        self.dialog.open_on(prompt, verb=verb, target=target)

    def change_all(self, facts: tuple[Fact, ...]) -> None:
        """Open the dialog on all facts of the list that ask for another answer."""
        if facts:
            self.dialog.open_batch(facts)

    def read(self, file: Path) -> None:
        """Show a fact file."""
        self.bridge.read(file)

    def score(self, memory: Memory) -> None:
        """Ask every fact of the list at the head."""
        view = self.panel.view
        if view is not None and view.rows:
            self.bridge.score(view, memory)
        else:
            self._studio.panels.status.say("This bank brings neither facts nor probes to score: import a fact file first.", kind="notice")

    def pick(self, row: FactRow) -> None:
        """Go to a fact's block, its prompt in the box."""
        self._studio.panels.prompt.write(row.fact.prompt)
        if row.blocks:
            self._studio.pick(row.blocks[0])
        else:
            self.bridge.locate(row.fact)

    def _run(self, row: FactRow) -> None:
        self._studio.panels.prompt.write(row.fact.prompt)
        self._studio.run_prompt()

    # What comes back

    def _opened(self, opened: Opened) -> None:
        if made(self):
            self.dialog.close()
            self.dialog.show_head(opened.study.head)
        self.bridge.list_own()

    def _studied(self, studied: Studied) -> None:
        if made(self):
            self.dialog.show_head(studied.study.head)
        self.panel.show_study(studied.study.head)

    def _job(self, job: JobView) -> None:
        if job.owner == SCORING:
            self.panel.show_job(job)
        elif job.owner > 0 and made(self):
            self.dialog.show_job(job)

    def _listed(self, view: FactsView) -> None:
        self.panel.show_facts(view)
        if view.file is not None:
            skipped = f", {counted(view.skipped_count, 'record')} skipped" if view.skipped_count else ""
            self._studio.panels.status.say(f"{view.file.name}: {counted(len(view.rows), view.noun)}{skipped}.")
        self.changed.emit()

    def _scored(self, scored: FactsScored) -> None:
        self.panel.show_scored(scored)
        self._studio.panels.status.say(scored.line)
        self.changed.emit()

    def _located(self, located: Located) -> None:
        if located.route:
            self._studio.pick(located.route[-1])

    def _show_skipped(self, view: FactsView) -> None:
        more = view.skipped_count - len(view.skipped)
        lines = [*view.skipped, *([f"… and {more:,} more"] if more else [])]
        self._skipped.show_lines(f"{view.source}: {counted(view.skipped_count, 'record')} skipped", lines)
