"""What the window does about what is resident: measured while somebody looks at it, freed on the session's thread when they ask."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint

from memstudio.jobs import Job
from memstudio.session.resident import Part, free
from memstudio.ui.bridge import Bridge
from memstudio.ui.panels.memory_panel import MemoryPanel
from memstudio.ui.panels.status_bar import StatusBar
from memstudio.ui.theme import Theme
from memstudio.ui.vitals import Vitals
from memstudio.ui.vitals_bridge import VitalsBridge

if TYPE_CHECKING:
    from memstudio.session import Session


class MemoryStudio(QObject):
    """Between the status bar, its popup and the measuring thread."""

    def __init__(self, bridge: Bridge, status: StatusBar, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._status = bridge, status
        self.vitals = VitalsBridge(bridge)
        self.panel = MemoryPanel(theme, status)
        self.vitals.measured.connect(self._measured)
        status.memory.clicked.connect(self.show)
        self.panel.looked_at.connect(self.vitals.watch_all)
        self.panel.free_wanted.connect(self._free)

    def show(self) -> None:
        """Open the popup above the figure."""
        self._place()
        self.panel.show()

    def close(self) -> None:
        """End the measuring thread."""
        self.panel.hide()
        self.vitals.close()

    def _measured(self, vitals: Vitals) -> None:
        self._status.show_vitals(vitals)
        if vitals.held is not None:
            self.panel.show_held(vitals.held)
            self._place()

    def _place(self) -> None:
        """Its lower right corner on the status bar's upper one."""
        self.panel.adjustSize()
        corner = self._status.mapToGlobal(QPoint(self._status.width(), 0))
        self.panel.move(corner.x() - self.panel.width() - 8, corner.y() - self.panel.height() - 8)

    def _free(self, part: Part) -> None:
        def work(session: "Session", _: Job) -> None:
            free(session, part)

        self._bridge.errand(f"Freeing the {part}", work, shown=True)
