"""The rails of the history: every line that begins at a revision ends at its parent, and the way to the head is lane 0."""

from hypothesis import given
from hypothesis import strategies as st

from memstudio.history.values import Revision
from memstudio.ui.models.revision_graph import Rail, rails
from tests.ui.fabricated import revision


def log_of(parents: list[int], head: int) -> list[Revision]:
    """Revisions 0 … n, newest first; revision i + 1 stands on parents[i]."""
    above: dict[int, int | None] = {0: None} | {at + 1: parent for at, parent in enumerate(parents)}
    way, at = set(), head
    while True:
        way.add(at)
        parent = above[at]
        if parent is None:
            break
        at = parent
    return [revision(number, above[number], head=number == head, current=number in way) for number in sorted(above, reverse=True)]


def test_one_line_is_one_lane() -> None:
    assert rails(log_of([0, 1], 2)) == (Rail(0, (), (), True), Rail(0, (0,), (), True), Rail(0, (0,), (), False))


def test_a_branch_stands_beside_the_way_to_the_head_and_joins_it_at_its_parent() -> None:
    # 3 on 1 is the head, 2 on 1 is aside
    assert rails(log_of([0, 1, 1], 3)) == (
        Rail(0, (), (), True),
        Rail(1, (), (0,), True),
        Rail(0, (0, 1), (), True),
        Rail(0, (0,), (), False),
    )


def test_what_was_undone_stands_beside_the_head() -> None:
    assert rails(log_of([0, 1], 1)) == (Rail(1, (), (), True), Rail(0, (1,), (), True), Rail(0, (0,), (), False))


@st.composite
def logs(draw: st.DrawFn) -> list[Revision]:
    count = draw(st.integers(0, 14))
    parents = [draw(st.integers(0, at)) for at in range(count)]
    return log_of(parents, draw(st.integers(0, count)))


@given(logs())
def test_every_line_arrives_at_its_parent_and_no_two_share_a_lane(log: list[Revision]) -> None:
    waiting: dict[int, int] = {}  # lane -> parent
    for each, rail in zip(log, rails(log), strict=True):
        assert (rail.lane == 0) == each.current
        assert {lane for lane, parent in waiting.items() if parent == each.id} == set(rail.above)
        assert {lane for lane, parent in waiting.items() if parent != each.id} == set(rail.passing)
        assert rail.lane not in rail.passing
        waiting = {lane: parent for lane, parent in waiting.items() if parent != each.id}
        assert rail.below == (each.parent is not None)
        if each.parent is not None:
            waiting[rail.lane] = each.parent
    assert waiting == {}
