"""The docks of the window: which panel stands where to begin with, and the title with its close button."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QToolButton, QWidget

from memstudio.ui.icons import icon
from memstudio.ui.panels.parts import label, row
from memstudio.ui.theme import Theme

LEFT_WIDTH, RIGHT_WIDTH = 400, 330
TREE_HEIGHT, HISTORY_HEIGHT = 360, 280
BELOW_HEIGHT = 320
LEFT, RIGHT = ("bank", "history"), ("block",)
"""What is on neither side stands below the prompt, as tabs in one place."""


def make_docks(window: QMainWindow, panels: Iterable[tuple[str, str, QWidget]]) -> dict[str, QDockWidget]:
    """A dock for each (name, title, panel); the sides reach down to the status bar."""
    areas = Qt.DockWidgetArea
    for corner, area in (
        (Qt.Corner.TopLeftCorner, areas.LeftDockWidgetArea),
        (Qt.Corner.BottomLeftCorner, areas.LeftDockWidgetArea),
        (Qt.Corner.TopRightCorner, areas.RightDockWidgetArea),
        (Qt.Corner.BottomRightCorner, areas.RightDockWidgetArea),
    ):
        window.setCorner(corner, area)
    window.setDockNestingEnabled(True)
    window.setTabPosition(areas.AllDockWidgetAreas, QTabWidget.TabPosition.North)
    made = {}
    for name, title, panel in panels:
        dock = QDockWidget(title, window)
        dock.setObjectName(name)
        dock.setWidget(panel)
        dock.setTitleBarWidget(DockTitle(dock))
        made[name] = dock
    return made


def place_docks(window: QMainWindow, docks: Mapping[str, QDockWidget]) -> None:
    """Every dock at its first place: bank over history, the block, and the rest as tabs below the prompt."""
    areas, across, down = Qt.DockWidgetArea, Qt.Orientation.Horizontal, Qt.Orientation.Vertical
    below = [name for name in docks if name not in (*LEFT, *RIGHT)]
    for name, dock in docks.items():
        area = areas.LeftDockWidgetArea if name in LEFT else areas.BottomDockWidgetArea if name in below else areas.RightDockWidgetArea
        window.addDockWidget(area, dock)
        dock.setFloating(False)
        dock.show()
    window.splitDockWidget(docks["bank"], docks["history"], down)
    for one, other in pairwise(below):
        window.tabifyDockWidget(docks[one], docks[other])
    docks[below[0]].raise_()
    window.resizeDocks([docks["bank"], docks["block"]], [LEFT_WIDTH, RIGHT_WIDTH], across)
    window.resizeDocks([docks["bank"], docks["history"]], [TREE_HEIGHT, HISTORY_HEIGHT], down)
    window.resizeDocks([docks[below[0]]], [BELOW_HEIGHT], down)


class DockTitle(QWidget):
    """A dock's title with a small button that closes it (View brings it back)."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__()
        self.setProperty("kind", "dock-title")
        self._close = QToolButton()
        self._close.setAutoRaise(True)
        self._close.setIconSize(QSize(12, 12))
        self._close.setToolTip("Close this dock; the View menu brings it back")
        self._close.clicked.connect(dock.close)
        title = label(dock.windowTitle(), "dock-title")
        dock.windowTitleChanged.connect(title.setText)
        inside = row(title, 1, self._close)
        inside.setContentsMargins(8, 3, 4, 3)
        self.setLayout(inside)

    def retone(self, theme: Theme) -> None:
        """Another theme."""
        self._close.setIcon(icon("close", theme.tone, theme.tone.dim))
