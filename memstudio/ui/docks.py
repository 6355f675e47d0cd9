"""The docks of the window: a table of where each panel stands to begin with, the menu that goes to them, layouts kept and brought back.

A new panel is a line in PLACES (else it stands below the prompt) and its widget in the window's list.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QByteArray, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QMenu, QTabWidget, QToolButton, QWidget

from memstudio.ui.icons import icon
from memstudio.ui.panels.parts import label, row
from memstudio.ui.theme import Theme

Area = Literal["left", "left below", "right", "below"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands to begin with. shown: not closed; raised: in front in its area; key: the shortcut that goes there."""

    name: str
    area: Area = "below"
    shown: bool = True
    raised: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout as it is kept. docks: the names of those that it speaks of; others stand at their first place."""

    geometry: QByteArray
    state: QByteArray
    docks: tuple[str, ...] = ()


PLACES = (
    Place("bank", "left", key="Ctrl+1"),
    Place("block", "right", raised=True, key="Ctrl+2"),
    Place("route", "right"),
    Place("history", "left below", raised=True, key="Ctrl+3"),
    Place("jobs", "left below"),
    Place("log", "left below"),
    Place("heat", raised=True, key="Ctrl+4"),
    Place("icicle", key="Ctrl+5"),
    Place("map", key="Ctrl+6"),
    Place("table", key="Ctrl+7"),
    Place("scan", key="Ctrl+8"),
    Place("facts", key="Ctrl+9"),
    Place("sets", key="Ctrl+0"),
    Place("compare", shown=False),
    Place("pair", shown=False),
)
"""In the order of the tabs; what its action brings up when it is wanted is not shown before that."""

LAYOUT_VERSION = 2
LEFT_WIDTH, RIGHT_WIDTH = 380, 330
BANK_HEIGHT, LEFT_BELOW_HEIGHT = 360, 280
BELOW_HEIGHT = 320
GRIP = QSize(80, 12)
"""As much of a window's upper edge as has to be seen for it to be moved."""

_AREAS = {
    "left": Qt.DockWidgetArea.LeftDockWidgetArea,
    "left below": Qt.DockWidgetArea.LeftDockWidgetArea,
    "right": Qt.DockWidgetArea.RightDockWidgetArea,
    "below": Qt.DockWidgetArea.BottomDockWidgetArea,
}
_KNOWN = {place.name: place for place in PLACES}


def make_docks(window: QMainWindow, panels: Iterable[tuple[str, str, QWidget]]) -> dict[str, QDockWidget]:
    """A dock for each (name, title, panel), in the order of PLACES; the sides reach down to the status bar."""
    areas, corners = Qt.DockWidgetArea, Qt.Corner
    for corner in (corners.TopLeftCorner, corners.BottomLeftCorner):
        window.setCorner(corner, areas.LeftDockWidgetArea)
    for corner in (corners.TopRightCorner, corners.BottomRightCorner):
        window.setCorner(corner, areas.RightDockWidgetArea)
    window.setDockNestingEnabled(True)
    window.setTabPosition(areas.AllDockWidgetAreas, QTabWidget.TabPosition.North)
    made = {}
    for name, title, panel in panels:
        dock = QDockWidget(title, window)
        dock.setObjectName(name)
        dock.setWidget(panel)
        dock.setTitleBarWidget(DockTitle(dock))
        made[name] = dock
    order = [place.name for place in PLACES]
    return dict(sorted(made.items(), key=lambda one: order.index(one[0]) if one[0] in order else len(order)))


def place_docks(window: QMainWindow, docks: Mapping[str, QDockWidget]) -> None:
    """Every dock at its first place: the bank over history, jobs and log; block and route; the rest as tabs below the prompt."""
    for dock in docks.values():
        dock.setFloating(False)
        window.removeDockWidget(dock)
    for name in docks:
        _put(window, docks, name)
    for name, dock in docks.items():
        if _place(name).raised:
            dock.raise_()
    across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
    window.resizeDocks([docks["bank"], docks["block"]], [LEFT_WIDTH, RIGHT_WIDTH], across)
    window.resizeDocks([docks["bank"], docks["history"]], [BANK_HEIGHT, LEFT_BELOW_HEIGHT], down)
    window.resizeDocks([docks["heat"]], [BELOW_HEIGHT], down)


def _place(name: str) -> Place:
    return _KNOWN.get(name, Place(name))


def _put(window: QMainWindow, docks: Mapping[str, QDockWidget], name: str) -> None:
    """One dock at its first place, as a tab beside those that stand there."""
    place, dock = _place(name), docks[name]
    area = _AREAS[place.area]
    there = [
        other
        for key, other in docks.items()
        if other is not dock and _place(key).area == place.area and not other.isFloating() and window.dockWidgetArea(other) == area
    ]
    window.addDockWidget(area, dock)
    if there:
        window.tabifyDockWidget(there[-1], dock)
    elif place.area == "left below":
        window.splitDockWidget(docks["bank"], dock, Qt.Orientation.Vertical)
    dock.setVisible(place.shown)


# Layouts


def kept_layout(window: QMainWindow, docks: Mapping[str, QDockWidget]) -> Layout:
    """Where everything is now."""
    return Layout(window.saveGeometry(), window.saveState(LAYOUT_VERSION), tuple(docks))


def restore_layout(window: QMainWindow, docks: Mapping[str, QDockWidget], kept: Layout) -> None:
    """Put everything where it was; what would stand on a screen that is gone is brought back onto one.

    A layout of another version leaves the first one. A dock that the layout does not know stands at its first place.
    """
    window.restoreGeometry(kept.geometry)
    if window.restoreState(kept.state, LAYOUT_VERSION):
        for name in docks:
            if name not in kept.docks:
                _put(window, docks, name)
    else:
        place_docks(window, docks)
    screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
    for each in (window, *(dock for dock in docks.values() if dock.isFloating())):
        there = brought_back(each.geometry(), screens)
        if there != each.geometry():
            each.setGeometry(there)


def brought_back(rect: QRect, screens: list[QRect]) -> QRect:
    """The same rectangle where its upper edge can be grabbed on a screen; else in the middle of the first screen, as large as fits."""
    edge = QRect(rect.topLeft(), QSize(rect.width(), GRIP.height()))
    for screen in screens:
        seen = edge.intersected(screen)
        if seen.width() >= min(GRIP.width(), rect.width()) and seen.height() >= GRIP.height():
            return rect
    if not screens:
        return rect
    made = QRect(QPoint(), rect.size().boundedTo(screens[0].size()))
    made.moveCenter(screens[0].center())
    return made


# Going to a panel


def panels_menu(window: QMainWindow, docks: Mapping[str, QDockWidget]) -> QMenu:
    """An entry for each dock, ticked where it is open. It goes to the panel; from within the panel it closes it."""
    menu = QMenu("&Panels", window)
    menu.setToolTipsVisible(True)
    entries = []
    for name, dock in docks.items():
        entry = QAction(dock.windowTitle(), window)
        entry.setObjectName(f"panel_{name}")
        entry.setCheckable(True)
        entry.setShortcut(QKeySequence(_place(name).key))
        entry.setToolTip(f"Go to the panel {dock.windowTitle()}; from within it, close it")
        entry.triggered.connect(lambda _=False, dock=dock: go_to(dock))
        window.addAction(entry)  # its shortcut holds while the menu is closed
        menu.addAction(entry)
        entries.append((entry, dock))

    def tick() -> None:
        for entry, dock in entries:
            entry.setChecked(not dock.isHidden())

    menu.aboutToShow.connect(tick)
    return menu


def show_dock(dock: QDockWidget) -> None:
    """Bring a dock to the eye, in front of those that share its place."""
    dock.show()
    dock.raise_()


def go_to(dock: QDockWidget) -> None:
    """Show a dock with the keys in it; where they are in it already, close it."""
    focus = QApplication.focusWidget()
    if focus is not None and dock.isAncestorOf(focus) and not dock.visibleRegion().isEmpty():
        dock.close()
        return
    show_dock(dock)
    if dock.isFloating():
        dock.activateWindow()
    panel = dock.widget()
    if panel is not None:
        (first_stop(panel) or panel).setFocus(Qt.FocusReason.ShortcutFocusReason)


def first_stop(panel: QWidget) -> QWidget | None:
    """The first part of a panel that Tab would reach."""
    each = panel.nextInFocusChain()
    while each is not None and each is not panel:
        if each.focusPolicy() & Qt.FocusPolicy.TabFocus and each.isEnabled() and panel.isAncestorOf(each) and each.isVisibleTo(panel):
            return each
        each = each.nextInFocusChain()
    return None


class DockTitle(QWidget):
    """A dock's title with small buttons that float it and close it."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__()
        self.setProperty("kind", "dock-title")
        name = dock.windowTitle()
        self._buttons = {
            "float": _button(f"Float {name}", "Take the panel out of the window, or put it back", _toggle_floating(dock)),
            "close": _button(f"Close {name}", "Close the panel; View › Panels brings it back", dock.close),
        }
        title = label(name, "dock-title")
        dock.windowTitleChanged.connect(title.setText)
        inside = row(title, 1, *self._buttons.values(), spacing=2)
        inside.setContentsMargins(8, 3, 4, 3)
        self.setLayout(inside)

    def retone(self, theme: Theme) -> None:
        """Another theme."""
        for name, button in self._buttons.items():
            button.setIcon(icon(name, theme.tone, theme.tone.dim))


def _toggle_floating(dock: QDockWidget) -> Callable[[], None]:
    return lambda: dock.setFloating(not dock.isFloating())


def _button(name: str, tip: str, act: Callable[[], object]) -> QToolButton:
    made = QToolButton()
    made.setAutoRaise(True)
    made.setIconSize(QSize(12, 12))
    made.setAccessibleName(name)
    made.setToolTip(tip)
    made.clicked.connect(lambda: act())
    return made
