"""The history as rails: for each revision, newest first, the lane that it stands in and the lines that pass it. No Qt in here."""

from collections.abc import Sequence
from dataclasses import dataclass

from memstudio.history.values import Revision


@dataclass(frozen=True, slots=True)
class Rail:
    """One row of the graph, lane 0 being the way to the head.

    above: the lanes from which a line comes down into this revision. passing: the lanes that only pass by.
    below: whether a line goes down from it, in its own lane.
    """

    lane: int
    above: tuple[int, ...]
    passing: tuple[int, ...]
    below: bool


def rails(log: Sequence[Revision]) -> tuple[Rail, ...]:
    """The rails of revisions, newest first, so that children come before parents. What does not lead to the head stands beside lane 0."""
    waiting: dict[int, int] = {}  # lane -> the revision that its line goes down to
    found = []
    for revision in log:
        above = tuple(sorted(lane for lane, parent in waiting.items() if parent == revision.id))
        for lane in above:
            del waiting[lane]
        lane = _lane(revision, above, waiting)
        found.append(Rail(lane, above, tuple(sorted(waiting)), revision.parent is not None))
        if revision.parent is not None:
            waiting[lane] = revision.parent
    return tuple(found)


def _lane(revision: Revision, above: tuple[int, ...], waiting: dict[int, int]) -> int:
    if revision.current:
        return 0
    own = next((lane for lane in above if lane), None)
    if own is not None:
        return own
    lane = 1
    while lane in waiting:
        lane += 1
    return lane
