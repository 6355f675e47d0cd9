"""What the window does about "where is this fact": between the scan panel and the scan bridge, and into every view's colours."""

from itertools import count

from PySide6.QtCore import QObject, Signal

from memstudio.bank.values import ClusterId
from memstudio.ui.bridge import Bridge
from memstudio.ui.panels.scan_panel import ScanPanel
from memstudio.ui.scan_bridge import ScanBridge
from memstudio.ui.scan_views import ScanAsk, ScanRested, ScanSaid, scan_shades
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import NodeView, Opened, Studied


class ScanStudio(QObject):
    """Emits `shaded` with what was scanned so far, `failed` with a person's line, `ended` with each scan."""

    shaded = Signal(Shades)
    failed = Signal(str)
    ended = Signal()

    def __init__(self, bridge: Bridge, panel: ScanPanel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panel, self.bridge = panel, ScanBridge(bridge)
        self._numbers = count(1)
        self._at_work: int | None = None
        for signal, slot in (
            (bridge.opened, self._opened),
            (bridge.studied, self._studied),
            (bridge.nodes, self._nodes),
            (panel.stop_wanted, self.bridge.stop),
            (panel.wanted, bridge.ask_nodes),
            (self.bridge.said, self._said),
            (self.bridge.rested, self._rested),
        ):
            signal.connect(slot)

    @property
    def scanning(self) -> bool:
        """Whether a scan is at work."""
        return self._at_work is not None

    def scan(self, text: str, answer: str, key: str | None) -> None:
        """Scan for an answer to a prompt; the one at work is ended."""
        self.bridge.stop()
        self._at_work = next(self._numbers)
        self._panel.begin(text, answer)
        self.bridge.scan(ScanAsk(self._at_work, text, answer.strip(), key))

    def _said(self, said: ScanSaid) -> None:
        if said.number == self._at_work:
            self._panel.show_scan(said.scan)
            self.shaded.emit(scan_shades(said.scan))

    def _rested(self, rested: ScanRested) -> None:
        if rested.number == self._at_work:
            self._at_work = None
            self._panel.rest()
            if rested.line:
                self.failed.emit(rested.line)
            self.ended.emit()

    def _opened(self, _: Opened) -> None:
        self.bridge.stop()
        self._at_work = None
        self._panel.forget()

    def _studied(self, studied: Studied) -> None:
        self._panel.show_head(studied.study.head)

    def _nodes(self, nodes: dict[ClusterId, NodeView]) -> None:
        self._panel.show_nodes(nodes)
