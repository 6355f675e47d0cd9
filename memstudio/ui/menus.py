"""Makes Qt actions, menus, the toolbar and the context menu from the table in actions.py."""

from itertools import groupby

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar

from memstudio.ui.actions import ACTIONS, MENUS
from memstudio.ui.command import Desk
from memstudio.ui.icons import icon
from memstudio.ui.panels.palette import Entry
from memstudio.ui.reasons import why_not
from memstudio.ui.snapshots import Situation
from memstudio.ui.theme import Tone

TOOLBAR_GROUPS = (("open_bank",), ("run", "stop", "trace"), ("prune", "undo", "redo"))


class ActionSet:
    """The window's actions by key, kept in step with the situation."""

    def __init__(self, window: QMainWindow, desk: Desk) -> None:
        self.by_key: dict[str, QAction] = {}
        self.menus: dict[str, QMenu] = {}
        self.now = Situation()
        self._reasons: dict[str, str] = {}
        for each in ACTIONS:
            made = QAction(each.text, window)
            made.setObjectName(each.key)
            made.setShortcuts([QKeySequence(text) for text in each.shortcuts])
            made.setIconText(each.short)
            made.setToolTip(each.tooltip)
            made.setCheckable(each.checked is not None)
            made.triggered.connect(lambda _=False, run=each.run: run(desk))
            window.addAction(made)
            self.by_key[each.key] = made

    def fill_menu_bar(self, window: QMainWindow) -> None:
        """One menu for each of MENUS, groups parted by a line."""
        for name in MENUS:
            menu = window.menuBar().addMenu(f"&{name}")
            menu.setToolTipsVisible(True)
            mine = sorted((each for each in ACTIONS if each.menu == name), key=lambda each: each.group)
            for number, (_, group) in enumerate(groupby(mine, key=lambda each: each.group)):
                if number:
                    menu.addSeparator()
                for each in group:
                    menu.addAction(self.by_key[each.key])
            self.menus[name] = menu

    def toolbar(self, window: QMainWindow) -> QToolBar:
        """The actions that the table wants there."""
        bar = QToolBar("Toolbar", window)
        bar.setObjectName("toolbar")
        bar.setMovable(False)
        bar.setIconSize(QSize(18, 18))
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        for number, group in enumerate(TOOLBAR_GROUPS):
            if number:
                bar.addSeparator()
            for key in group:
                bar.addAction(self.by_key[key])
        return bar

    def context_menu(self, window: QMainWindow) -> QMenu:
        """What can be done with a cluster."""
        menu = QMenu(window)
        for number, (_, group) in enumerate(groupby((each for each in ACTIONS if each.context), key=lambda each: each.group)):
            if number:
                menu.addSeparator()
            for each in group:
                menu.addAction(self.by_key[each.key])
        return menu

    def refresh(self, now: Situation) -> None:
        """Enable and check by the situation."""
        if now != self.now or not self._reasons:
            self.now, self._reasons = now, {each.key: why_not(each, now) for each in ACTIONS}
        for each in ACTIONS:
            made, reason = self.by_key[each.key], self._reasons[each.key]
            made.setEnabled(not reason)
            made.setToolTip(f"{each.tooltip}\n{reason}" if reason else each.tooltip)
            if each.checked is not None:
                made.setChecked(each.checked(now))

    def entries(self, now: Situation) -> list[Entry]:
        """Every command as a line of the palette."""
        return [
            Entry(
                each.key,
                each.text.replace("&", ""),
                each.menu,
                each.tip,
                each.shortcuts[0] if each.shortcuts else "",
                why_not(each, now),
                self.by_key[each.key].trigger,
            )
            for each in ACTIONS
            if each.key != "palette"
        ]

    def retone(self, tone: Tone) -> None:
        """Icons in the colours of another theme."""
        for each in ACTIONS:
            if each.icon is not None:
                self.by_key[each.key].setIcon(icon(each.icon, tone))
