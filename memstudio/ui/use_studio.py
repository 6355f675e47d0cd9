"""What the window does about sets of prompts: between their panel and the worker, and into every view's colours and widths."""

from itertools import count
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from memstudio.session.used import Counted, Use, added_up
from memstudio.ui.panels.sets_panel import SetsPanel
from memstudio.ui.panels.use_table import DEAD
from memstudio.ui.snapshots import Opened
from memstudio.ui.studio import Studio
from memstudio.ui.use_bridge import UseBridge
from memstudio.ui.use_views import EFFECTS, USE, UseAsk, UseKept, UseRested, UseSaid, effect_shades, use_shades


class UseStudio(QObject):
    """Emits `ended` with each count."""

    ended = Signal()

    def __init__(self, studio: Studio, panel: SetsPanel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._studio, self._panel, self.bridge = studio, panel, UseBridge(studio.bridge)
        self._numbers = count(1)
        self._at_work: int | None = None
        self._last: Counted | None = None
        self._loaded = False
        self._wanted = False
        self._kept: tuple[Counted, ...] = ()
        for signal, slot in (
            (studio.opened, self._opened),
            (studio.bridge.ended, self._ran),
            (studio.bridge.traced, self._ran),
            (panel.count_wanted, self.count),
            (panel.stop_wanted, self.bridge.stop),
            (panel.remove_wanted, self.bridge.forget),
            (panel.shown_wanted, self._show_wanted),
            (self.bridge.said, self._said),
            (self.bridge.rested, self._rested),
            (self.bridge.kept, self._take),
        ):
            signal.connect(slot)

    @property
    def counting(self) -> bool:
        """Whether a count is at work."""
        return self._at_work is not None

    def count(self, file: Path | None, effects: bool) -> None:
        """Count a set of prompts; the count at work is ended."""
        self.bridge.stop()
        self._at_work, self._last = next(self._numbers), None
        self._panel.begin(effects=effects)
        self.bridge.count(UseAsk(self._at_work, file, effects))

    def find_unused(self) -> None:
        """Show the dead blocks; where no set was counted yet the bank's own prompts are."""
        self._panel.table.show_list(DEAD)
        self._wanted = not self._loaded
        if self._loaded and not self.counting and not any(each.digest for each in self._kept):
            self.count(None, effects=False)

    def _said(self, said: UseSaid) -> None:
        if said.number == self._at_work:
            self._last = said.counted
            self._panel.show_counting(said)
            self._show(said.counted.use)

    def _rested(self, rested: UseRested) -> None:
        if rested.number != self._at_work:
            return
        self._at_work = None
        self._panel.rest(rested.line)
        if rested.line:
            self._studio.panels.status.say(rested.line, kind="error")
        if self._last is not None:
            self._panel.select(self._last.id)
        self.bridge.reload()
        self.ended.emit()

    def _take(self, found: UseKept) -> None:
        self._kept = (*(each for each in self._kept if each.digest), *found.kept) if found.runs else found.kept
        self._loaded = True
        self._panel.table.show_held(found.held)
        self._panel.show_kept(self._kept)
        if not self.counting:
            self._show_wanted()
        if self._wanted:
            self.find_unused()

    def _show_wanted(self) -> None:
        """The set that is selected in the panel, all together where none is."""
        if not self.counting:
            chosen = [each for each in self._kept if each.id == self._panel.shown_id] or self._kept
            self._show(added_up(chosen))

    def _show(self, use: Use | None) -> None:
        overview, panels = self._studio.overview, self._studio.panels
        self._panel.table.show_use(use)
        bank = self._studio.bank
        counted = use is not None and bank is not None
        present = tuple(level.documents > 0 for level in bank.bank.levels) if bank is not None else ()
        overview.offer(USE, use_shades(use, present) if use is not None and counted else None)
        overview.offer(EFFECTS, effect_shades(use) if use is not None and use.measured else None)
        panels.icicle.show_use(use.share() if use is not None and use.prompts else None)

    def _ran(self, *_: object) -> None:
        """A run or a trace is over, and was counted."""
        if self._loaded:
            self.bridge.reload(runs=True)

    def _opened(self, _: Opened) -> None:
        self.bridge.stop()
        self._at_work, self._last, self._kept, self._loaded, self._wanted = None, None, (), False, False
        self._panel.forget()
        self.bridge.reload()
