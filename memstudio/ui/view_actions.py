"""The menu View. How the window looks."""

from memstudio.ui.command import Action

VIEW: tuple[Action, ...] = (
    Action(
        "theme_system",
        "Theme: as the &system",
        "View",
        lambda d: d.choose_theme("system"),
        "Light or dark as the system says",
        checked=lambda n: n.theme == "system",
        group=1,
    ),
    Action(
        "theme_light",
        "Theme: &light",
        "View",
        lambda d: d.choose_theme("light"),
        "Dark on light",
        checked=lambda n: n.theme == "light",
        group=1,
    ),
    Action(
        "theme_dark",
        "Theme: &dark",
        "View",
        lambda d: d.choose_theme("dark"),
        "Light on dark",
        checked=lambda n: n.theme == "dark",
        group=1,
    ),
    Action(
        "make_map",
        "Make the &map",
        "View",
        lambda d: d.make_map(),
        "Lay all clusters out by what they mean, once a bank; work goes on meanwhile",
        enabled=lambda n: n.bank and not n.mapped,
        group=2,
    ),
    Action(
        "show_memory",
        "What is in me&mory",
        "View",
        lambda d: d.show_memory(),
        "Model, slots, cache and files that are resident, as measured, and what can be freed",
        group=2,
    ),
    Action("reset_layout", "&Reset layout", "View", lambda d: d.reset_layout(), "Put every dock back to its place", (), "layout", group=2),
)
