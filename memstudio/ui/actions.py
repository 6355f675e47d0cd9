"""Every command of the window, as data: menus, toolbar, context menu, shortcuts and tooltips are made from this one table.

A new command is a plain function and a line in the file of its menu; the tests run over every line.
"""

from memstudio.ui.command import Action
from memstudio.ui.edit_actions import EDIT
from memstudio.ui.file_actions import FILE
from memstudio.ui.help_actions import HELP
from memstudio.ui.history_actions import HISTORY
from memstudio.ui.run_actions import RUN
from memstudio.ui.view_actions import VIEW

MENUS = ("File", "Edit", "View", "Run", "History", "Help")

ACTIONS: tuple[Action, ...] = (*FILE, *EDIT, *RUN, *HISTORY, *VIEW, *HELP)


def action(key: str) -> Action:
    """The action of that key.

    Raises:
        KeyError: there is none.
    """
    return {each.key: each for each in ACTIONS}[key]
