"""The menu File. What concerns files: opening, building, importing, saving."""

from memstudio.ui.command import Action

FILE: tuple[Action, ...] = (
    Action("open_bank", "&Open bank…", "File", lambda d: d.choose_bank(), "Open a bank folder", ("Ctrl+O",), "open", toolbar=True),
    Action("open_study", "Open &study…", "File", lambda d: d.choose_study(), "Open a study folder, its bank with it", ("Ctrl+Shift+O",)),
    Action("build_bank", "&Build a bank…", "File", lambda d: d.build_bank(), "Build a bank from a model and documents", ("Ctrl+N",)),
    Action(
        "import_facts",
        "&Import facts…",
        "File",
        lambda d: d.import_facts(),
        "Show a fact file: JSON lines, CounterFact, zsRE, EasyEdit or CSV",
        ("Ctrl+I",),
        "facts",
        lambda n: n.bank,
        group=1,
    ),
    Action(
        "save_view",
        "Save this &view…",
        "File",
        lambda d: d.save_view(),
        "Save a picture of the panel in front, as PNG or SVG",
        ("Ctrl+Alt+P",),
        "camera",
        lambda n: n.bank,
        group=2,
    ),
    Action(
        "save_table",
        "Save this &table…",
        "File",
        lambda d: d.save_table(),
        "Save all rows of the table in front, as CSV",
        ("Ctrl+Alt+T",),
        None,
        lambda n: n.bank,
        group=2,
    ),
    Action("save_picture", "Save &picture…", "File", lambda d: d.save_picture(), "Save a picture of the window", (), "camera", group=2),
    Action("quit", "&Quit", "File", lambda d: d.leave(), "Leave memstudio", ("Ctrl+Q",), "quit", group=3),
)
