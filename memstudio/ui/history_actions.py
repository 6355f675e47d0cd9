"""The commands about revisions, as lines of the table in actions.py; each works on the revision that is selected in the history."""

from memstudio.ui.command import Action
from memstudio.ui.snapshots import Situation


def _revised(now: Situation) -> bool:
    """A revision is selected that is not the bank as shipped."""
    return now.revision is not None and now.revision.parent is not None


HISTORY: tuple[Action, ...] = (
    Action(
        "checkout",
        "&Go to this revision",
        "History",
        lambda d: d.history("checkout"),
        "Have the bank stand as it did at the selected revision",
        ("Ctrl+G",),
        enabled=lambda n: n.revision is not None and not n.revision.head,
    ),
    Action(
        "name_revision",
        "&Name…",
        "History",
        lambda d: d.history("name"),
        "Give the selected revision a name, or take one away",
        ("F2",),
        enabled=lambda n: n.revision is not None,
    ),
    Action(
        "measure_revision",
        "&Measure now",
        "History",
        lambda d: d.history("measure"),
        "Measure what the selected revision did, and keep that as its receipt",
        ("Ctrl+Shift+R",),
        enabled=_revised,
    ),
    Action(
        "revert",
        "Re&vert…",
        "History",
        lambda d: d.history("revert"),
        "Take the selected revision back by a new one, the others kept",
        ("Ctrl+Shift+U",),
        enabled=lambda n: _revised(n) and n.revision is not None and n.revision.current,
    ),
    Action(
        "compare_parent",
        "&Compare with its parent",
        "History",
        lambda d: d.history("compare_parent"),
        "Facts and blocks before and after the selected revision",
        ("Ctrl+D",),
        enabled=_revised,
        group=1,
    ),
    Action(
        "compare_head",
        "Compare with the &head",
        "History",
        lambda d: d.history("compare_head"),
        "Facts and blocks at the selected revision and at the head",
        ("Ctrl+Shift+D",),
        enabled=lambda n: n.revision is not None and not n.revision.head,
        group=1,
    ),
    Action(
        "compare",
        "Compare &two revisions",
        "History",
        lambda d: d.history("compare"),
        "Choose two revisions and see what one answers that the other does not",
        enabled=lambda n: n.bank,
        group=1,
    ),
    Action(
        "pair",
        "&A/B/C: answer side by side",
        "History",
        lambda d: d.show_arms(),
        "No memory, generic blocks, revisions or routes answer the same prompt with the same seed",
        ("Ctrl+Shift+B",),
        enabled=lambda n: n.bank,
        group=1,
    ),
    Action(
        "export_patch",
        "&Export patch…",
        "History",
        lambda d: d.history("export"),
        "Write revisions as a folder that others can apply to the same bank",
        ("Ctrl+Shift+S",),
        enabled=lambda n: n.revisions > 1,
        group=2,
    ),
    Action(
        "apply_patch",
        "A&pply patch…",
        "History",
        lambda d: d.history("apply_patch"),
        "See what a patch would do to this bank, then apply it as one revision",
        enabled=lambda n: n.bank,
        group=2,
    ),
    Action(
        "purge",
        "P&urge old blocks…",
        "History",
        lambda d: d.history("purge"),
        "Remove every edited block that does not stand at the head, for good",
        enabled=lambda n: n.revisions > 1,
        group=3,
    ),
)
