"""What the window does about an A/B/C: between its panel and its bridge, with what is selected and what is tried at run time."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from memstudio.session.arm_wish import THIS
from memstudio.ui.arms_bridge import ArmsBridge
from memstudio.ui.arms_views import ArmsAsk, ArmsEnded
from memstudio.ui.choosing import choose_new
from memstudio.ui.panels.arms_panel import ArmsPanel
from memstudio.ui.snapshots import Opened, Situation, Studied
from memstudio.ui.studio import Studio


class ArmsStudio(QObject):
    """Emits `changed` when an A/B/C begins or ends, `raised` where its panel is to be seen."""

    changed = Signal()
    raised = Signal()

    def __init__(self, studio: Studio, panel: ArmsPanel, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self._window, self.panel = studio, window, panel
        self.bridge = ArmsBridge(studio.bridge)
        for signal, slot in (
            (studio.bridge.opened, self._opened),
            (studio.bridge.studied, self._studied),
            (studio.bridge.hidden, panel.show_tried),
            (studio.overview.chosen_changed, panel.bar.show_chosen),
            (studio.panels.prompt.wished, lambda: self._follow()),
            (panel.asked, self._ask),
            (panel.stop_wanted, self.bridge.stop),
            (panel.copy_wanted, self._copy),
            (panel.save_wanted, self.save_table),
            (self.bridge.stand, panel.show_standing),
            (self.bridge.said, panel.show_token),
            (self.bridge.weighed, panel.show_weighed),
            (self.bridge.ended, self._ended),
        ):
            signal.connect(slot)

    def situation(self, now: Situation) -> Situation:
        """The situation with whether arms are answering."""
        return replace(now, pairing=self.panel.running)

    def show(self) -> None:
        """Have the panel be seen, ready for a prompt."""
        self.raised.emit()
        self.panel.text.setFocus()
        self.panel.text.selectAll()

    def compare_without(self) -> None:
        """This revision beside the same without the selected blocks, on the prompt panel's prompt: what they cause in its answer."""
        without = self.panel.bar.without()
        if without is not None and not self.panel.running:
            self.raised.emit()
            self._follow(again=True)
            self.panel.compare((THIS, without))

    def stop(self) -> None:
        """Stop what is answering."""
        self.bridge.stop()

    def save_table(self) -> None:
        """Ask where the table is to be written."""
        choose_new(self._window, "Save the table", "arms.csv", self.save_table_to, kinds="CSV (*.csv)", suffix="csv")

    def save_table_to(self, file: str) -> None:
        """Write the table."""
        self.bridge.save(self.panel.model.sheet(), Path(file))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.panel.model.sheet().text())
        self._studio.panels.status.say("Copied the table.")

    def _ask(self, ask: ArmsAsk) -> None:
        self.bridge.answer(ask)
        self.changed.emit()

    def _ended(self, ended: ArmsEnded) -> None:
        self.panel.show_ended(ended)
        self.changed.emit()

    def _follow(self, *, again: bool = False) -> None:
        ask = self._studio.panels.prompt.ask(0)
        self.panel.follow(ask.text, ask.key or "", again=again)

    def _opened(self, opened: Opened) -> None:
        self.bridge.stop()
        self.panel.show_bank(generic=opened.bank.generic)
        self.panel.show_study(opened.study)
        self._follow()

    def _studied(self, studied: Studied) -> None:
        self.panel.show_study(studied.study)
