"""The menu Help. What helps: the palette, the log."""

from memstudio.ui.command import Action

HELP: tuple[Action, ...] = (
    Action(
        "palette",
        "&Find a command…",
        "Help",
        lambda d: d.show_palette(),
        "Every command by a few letters of its name",
        ("Ctrl+Shift+P",),
    ),
    Action("log", "Show the &log", "Help", lambda d: d.show_log(), "What was done as lines of Python, what was said, what went wrong"),
    Action("about", "&About memstudio", "Help", lambda d: d.show_about(), "What this is, and its licence", (), "about", group=1),
)
