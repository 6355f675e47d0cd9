"""Why a command cannot be used just now, read off the command itself: what would have to be otherwise for it to be enabled."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

from memstudio.bank.values import BASE, PRUNED, ClusterId
from memstudio.history.values import Revision
from memstudio.ui.command import Action
from memstudio.ui.snapshots import Situation

_ASIDE = Revision(2, 1, "prune", "", (), {}, 0.0, current=True, head=False)
_CHANGES: tuple[tuple[str, Callable[[Situation], Situation]], ...] = (
    ("open a bank first", lambda now: replace(now, bank=True, ready=True)),
    ("write a prompt first", lambda now: replace(now, prompt=True)),
    ("select a block first", lambda now: replace(now, selected=ClusterId(1, 0))),
    ("wait for the answer, or stop it", lambda now: replace(now, running=False, pairing=False)),
    ("nothing is being answered", lambda now: replace(now, running=True)),
    ("the block is pruned", lambda now: replace(now, selected_state=BASE)),
    ("the block is as shipped", lambda now: replace(now, selected_state=PRUNED)),
    ("there is nothing to undo", lambda now: replace(now, undo=True)),
    ("there is nothing to redo", lambda now: replace(now, redo=True)),
    ("no edit fell into an answer", lambda now: replace(now, edited_midway=True)),
    ("no fact of the list asks for another answer", lambda now: replace(now, targets=1)),
    ("the map is there, or being made", lambda now: replace(now, mapped=False)),
    ("make an edit first", lambda now: replace(now, revisions=max(now.revisions, 3))),
    ("select an edit before the head in the history", lambda now: replace(now, revision=_ASIDE)),
)
_MOST = 3


def why_not(action: Action, now: Situation) -> str:
    """A sentence that says why the action is disabled; "" where it is not."""
    if action.enabled(now):
        return ""
    for count in range(1, _MOST + 1):
        for chosen in combinations(_CHANGES, count):
            then = now
            for _, change in chosen:
                then = change(then)
            if action.enabled(then):
                words = "; ".join(text for text, _ in chosen)
                return words[0].upper() + words[1:]
    return "Not possible just now"
