"""A window's style sheet when it changes: its parts that are in sight get it at once, the others when they come in sight.

Qt works the rules out anew for all that lies under a sheet that is set, hidden or not, and most of a window is hidden: dialogs, docks that
are closed or behind a tab. What a part wears goes before what its window wears.
"""

from PySide6.QtCore import QChildEvent, QEvent, QObject
from PySide6.QtWidgets import QWidget


class Dress(QObject):
    """Sees to it that no part of a window is seen in an older sheet."""

    def __init__(self, window: QWidget, sheet: str) -> None:
        """sheet: what all is to wear from the beginning; the window itself keeps it."""
        super().__init__(window)
        self._window, self._sheet = window, sheet
        window.setStyleSheet(sheet)
        window.installEventFilter(self)
        for part in self._parts():
            part.installEventFilter(self)

    def change(self, sheet: str, *, everywhere: bool = False) -> None:
        """Another sheet. everywhere: at once out of sight too, because other sizes come with it."""
        self._sheet = sheet
        for part in self._parts():
            if everywhere or _in_sight(part):
                self._put_on(part)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if watched is self._window:
            child = event.child() if kind == QEvent.Type.ChildPolished and isinstance(event, QChildEvent) else None
            if isinstance(child, QWidget):  # made since, and about to be shown
                child.installEventFilter(self)
                self._put_on(child)
        elif isinstance(watched, QWidget):
            raised = kind == QEvent.Type.Move and _in_sight(watched)  # a dock behind a tab stands beyond the window's edge
            if kind == QEvent.Type.Show or raised:
                self._put_on(watched)
        return False

    def _parts(self) -> list[QWidget]:
        return [part for part in self._window.children() if isinstance(part, QWidget)]

    def _put_on(self, part: QWidget) -> None:
        if (part.styleSheet() or self._window.styleSheet()) != self._sheet:
            part.setStyleSheet(self._sheet)


def _in_sight(part: QWidget) -> bool:
    return part.isVisible() and not part.visibleRegion().isEmpty()
