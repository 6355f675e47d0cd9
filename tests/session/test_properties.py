"""Over random edits: what a route does not fetch cannot change it, and undo gives every block back, after a restart too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from memstudio.bank.block import block_digest
from memstudio.bank.overlay import resolve
from memstudio.bank.values import ClusterId
from memstudio.editing.plan import Edit
from memstudio.editing.prune import Prune, Restore
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.editing.swap import Swap
from memstudio.errors import UserError
from memstudio.session import Session, open_session
from tests.tiny import make_bank

TEXT = "The atomic number of gold is"
CLUSTERS = [ClusterId(level, index) for level, count in ((1, 3), (2, 9), (3, 27)) for index in range(count)]
ROUTES = [(ClusterId(1, leaf // 9), ClusterId(2, leaf // 3), ClusterId(3, leaf)) for leaf in (0, 1, 5, 13, 26)]
Step = tuple[str, list[ClusterId], bool]
Clusters = tuple[ClusterId, ...]
Output = tuple[tuple[object, ...], tuple[tuple[float, str | None], ...], Tensor]
Digests = dict[ClusterId, tuple[str, float, str | None]]


clusters = st.sampled_from(CLUSTERS)
steps = st.one_of(
    st.tuples(st.just("prune"), st.lists(clusters, min_size=1, max_size=3, unique=True), st.booleans()),
    st.tuples(st.just("restore"), st.lists(clusters, min_size=1, max_size=3, unique=True), st.booleans()),
    st.tuples(st.just("scale"), st.lists(clusters, min_size=1, max_size=3, unique=True), st.booleans()),
    st.tuples(st.just("swap"), st.lists(clusters, min_size=2, max_size=2), st.booleans()),
    st.tuples(st.just("rewrite"), st.lists(clusters, min_size=1, max_size=1), st.booleans()),
    st.tuples(st.sampled_from(["undo", "redo"]), st.just([]), st.booleans()),
)


@pytest.fixture(scope="module", params=["zero", "generic", "sibling"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp(request.param)
    with open_session(make_bank(folder / "bank", fallback=request.param), study=folder / "study", device="cpu") as opened:
        yield opened


def take(session: Session, step: Step) -> None:
    """One random step; those that make no sense where the study stands are refused and change nothing."""
    verb, named, flag = step
    try:
        if verb == "undo":
            session.undo()
        elif verb == "redo":
            session.redo()
        else:
            session.apply(edit_of(session, verb, tuple(named), flag))
    except UserError:
        pass  # nothing left to prune, restore, undo or redo, no block to scale, or another shape


def edit_of(session: Session, verb: str, named: tuple[ClusterId, ...], flag: bool) -> Edit:
    if verb == "prune":
        return Prune(named, orphan=flag)
    if verb == "restore":
        return Restore(named, orphan=flag)
    if verb == "scale":
        return Scale(named, 0.25 if flag else 1.5, subtree=flag)
    if verb == "swap":
        return Swap(*named)
    layout = session.bank.layouts[named[0].level - 1]
    part = torch.full((layout.widths[0], layout.hidden_size), 0.25)
    return Rewrite(named[0], {"0.down": part} if flag else torch.full((layout.n,), -0.5))


def digests(session: Session) -> Digests:
    """What really stands in for each cluster, by its bytes."""
    found: Digests = {}
    for cluster in CLUSTERS:
        there = resolve(session.bank, session.overlay, cluster, session.blob)
        found[cluster] = (there.kind, there.scale, None if there.row is None else block_digest(there.row))
    return found


def outputs(session: Session) -> dict[Clusters, Output]:
    """Each route's identities, what is really added level by level (bytes and factor), and its logits."""
    there = digests(session)
    return {
        route: (session.resolved(route), tuple(there[cluster][1:] for cluster in route), session.logits(TEXT, route=route))
        for route in ROUTES
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=1, max_size=4))
def test_a_route_whose_blocks_are_unchanged_gives_bit_identical_logits(session: Session, plan: list[Step]) -> None:
    session.checkout(0)
    before = outputs(session)
    for step in plan:
        take(session, step)
        after = outputs(session)
        for route in ROUTES:
            (named, added, logits), (named_before, added_before, logits_before) = after[route], before[route]
            assert torch.equal(logits, logits_before) == (added == added_before)
            assert added == added_before or named != named_before
        before = after


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=1, max_size=4), steps)
def test_undo_gives_every_block_and_the_logits_back(session: Session, way: list[Step], last: Step) -> None:
    session.checkout(0)
    for step in way:
        take(session, step)
    before, shown, head = digests(session), outputs(session), session.head
    take(session, last)
    if last[0] in ("undo", "redo") or session.head == head:
        return
    after = digests(session)
    session.undo()
    assert (session.head, digests(session)) == (head, before)
    assert all(torch.equal(shown[route][2], logits) for route, (_, _, logits) in outputs(session).items())
    session.redo()
    assert digests(session) == after


@settings(max_examples=5, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4))
def test_a_study_opened_again_stands_where_it_was_and_undoes_from_there(
    tmp_path_factory: pytest.TempPathFactory, tiny_bank: Path, plan: list[tuple[str, list[ClusterId], bool]]
) -> None:
    study = tmp_path_factory.mktemp("studies") / "study"
    states: dict[int, Digests] = {}
    with open_session(tiny_bank, study=study) as first:
        states[0] = digests(first)
        for step in plan:
            take(first, step)
            states[first.head] = digests(first)
        head = first.head
    with open_session(tiny_bank, study=study) as again:
        assert (again.head, digests(again)) == (head, states[head])
        while again.head:
            parent = again.store.revision(again.head).parent
            assert parent is not None
            again.undo()
            assert digests(again) == states[parent]
