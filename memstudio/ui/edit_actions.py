"""The menu Edit. What changes the bank, or what is tried on its blocks; and what is found and copied."""

from memstudio.ui.command import Action, Desk
from memstudio.ui.snapshots import Situation


def prune_block(desk: Desk) -> None:
    desk.prune(desk.selected())


def restore_block(desk: Desk) -> None:
    desk.restore(desk.selected())


def hide_subtree(desk: Desk) -> None:
    desk.toggle_hide(desk.selected())


def mute_block(desk: Desk) -> None:
    desk.toggle_mute(desk.selected())


def solo_block(desk: Desk) -> None:
    desk.toggle_solo(desk.selected())


def copy_cluster(desk: Desk) -> None:
    desk.copy(str(desk.selected()))


def copy_as_python(desk: Desk) -> None:
    desk.copy("python")


def _block(now: Situation) -> bool:
    return now.selected is not None


def _standing(now: Situation) -> bool:
    return now.selected is not None and not now.selected_state.pruned


EDIT: tuple[Action, ...] = (
    Action("undo", "&Undo", "Edit", lambda d: d.undo(), "Take the last edit back", ("Ctrl+Z",), "undo", lambda n: n.undo, toolbar=True),
    Action(
        "redo",
        "&Redo",
        "Edit",
        lambda d: d.redo(),
        "Make the edit again",
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        "redo",
        lambda n: n.redo,
        toolbar=True,
    ),
    Action(
        "change_fact",
        "&Change a fact…",
        "Edit",
        lambda d: d.change_fact(),
        "Give the prompt, or what is selected of its answer, another answer",
        ("Ctrl+E",),
        "facts",
        lambda n: n.bank,
        group=1,
    ),
    Action(
        "erase_fact",
        "&Erase this fact…",
        "Edit",
        lambda d: d.erase_fact(),
        "Take what the prompt asks for out of the blocks that hold it",
        ("Ctrl+Shift+E",),
        None,
        lambda n: n.bank and n.prompt,
        group=1,
    ),
    Action(
        "change_all",
        "Change &all facts of the list…",
        "Edit",
        lambda d: d.change_all_facts(),
        "Give every imported fact that asks for one its new answer, as one revision",
        enabled=lambda n: n.bank and n.targets > 0,
        group=1,
    ),
    Action(
        "prune",
        "&Prune block",
        "Edit",
        prune_block,
        "Take the block and all below it out, softly: undo brings them back",
        ("Del",),
        "prune",
        lambda n: _block(n) and not n.selected_state.pruned,
        group=2,
        toolbar=True,
        context=True,
    ),
    Action(
        "restore",
        "Re&store block",
        "Edit",
        restore_block,
        "Bring the block and all below it back as shipped",
        ("Ctrl+B",),
        "restore",
        lambda n: _block(n) and str(n.selected_state) != "base",
        group=2,
        context=True,
    ),
    Action(
        "scale",
        "S&cale block…",
        "Edit",
        lambda d: d.scale_block(),
        "Have the block add more or less of what it holds, 0 to 2 times",
        enabled=_standing,
        group=2,
        context=True,
    ),
    Action(
        "swap",
        "S&wap block…",
        "Edit",
        lambda d: d.swap_block(),
        "Put the block of another cluster, bank or patch in its place",
        enabled=_block,
        group=2,
        context=True,
    ),
    Action(
        "rewrite",
        "Re&write block…",
        "Edit",
        lambda d: d.rewrite_block(),
        "Write the block's numbers from a safetensors file",
        enabled=_standing,
        group=2,
        context=True,
    ),
    Action(
        "mute",
        "&Mute block",
        "Edit",
        mute_block,
        "Fetch the block but do not add it, until unmuted; nothing is saved",
        ("Ctrl+M",),
        "mute",
        lambda n: n.selected is not None,
        lambda n: n.selected_muted,
        group=3,
        context=True,
    ),
    Action(
        "solo",
        "S&olo block",
        "Edit",
        solo_block,
        "Add this block alone of those that are fetched, until it is solo no more; nothing is saved",
        ("Ctrl+Shift+M",),
        None,
        lambda n: n.selected is not None,
        lambda n: n.selected_solo,
        group=3,
        context=True,
    ),
    Action(
        "compare_muted",
        "Compare with these &blocks muted",
        "Edit",
        lambda d: d.compare_muted(),
        "Answer the prompt with and without the selected blocks side by side; nothing is saved",
        ("Ctrl+Alt+M",),
        None,
        lambda n: n.selected is not None and n.prompt and not n.pairing,
        group=3,
        context=True,
    ),
    Action(
        "pin",
        "P&in route",
        "Edit",
        lambda d: d.toggle_pin(),
        "Have every run take the route to this block, whatever its prompt; nothing is saved",
        ("Ctrl+P",),
        None,
        lambda n: n.selected is not None or n.pinned,
        lambda n: n.pinned,
        group=3,
        context=True,
    ),
    Action(
        "hide",
        "&Hide subtree",
        "Edit",
        hide_subtree,
        "Let the retriever pass the subtree over and take the runner-up; nothing is saved",
        ("Ctrl+H",),
        "hide",
        lambda n: n.selected is not None,
        lambda n: n.selected_hidden,
        group=3,
        context=True,
    ),
    Action(
        "copy_cluster",
        "&Copy cluster id",
        "Edit",
        copy_cluster,
        "Copy the selected cluster's id, for example 3/1339",
        ("Ctrl+Shift+C",),
        "copy",
        lambda n: n.selected is not None,
        group=4,
        context=True,
    ),
    Action(
        "copy_python",
        "Copy as P&ython",
        "Edit",
        copy_as_python,
        "Copy a Python script that does what was done since the bank was opened; the log holds its lines",
        ("Ctrl+Alt+C",),
        "python",
        lambda n: n.bank,
        group=4,
        context=True,
    ),
    Action(
        "add_documents",
        "Add &documents…",
        "Edit",
        lambda d: d.add_documents(),
        "Teach your own notes to the blocks that they reach, as a revision",
        ("Ctrl+Shift+A",),
        None,
        lambda n: n.bank,
        group=1,
    ),
    Action(
        "find",
        "&Find in the bank",
        "Edit",
        lambda d: d.find_cluster(),
        "Search labels, terms, ids, documents, tokens and facts",
        ("Ctrl+F",),
        "find",
        lambda n: n.bank,
        group=5,
    ),
    Action(
        "measure_edits",
        "Measure after each e&dit",
        "Edit",
        lambda d: d.toggle_measuring(),
        "Measure what each edit of blocks did as soon as nothing else is to be done",
        checked=lambda n: n.measure_edits,
        group=6,
    ),
    Action(
        "preferences",
        "Pre&ferences…",
        "Edit",
        lambda d: d.show_preferences(),
        "Theme, text size, device, and what is done by itself",
        ("Ctrl+,",),
        "settings",
        group=7,
    ),
)
