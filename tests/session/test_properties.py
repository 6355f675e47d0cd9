"""Over random edits: what a route does not fetch cannot change it, and undo gives every block back, after a restart too."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from memstudio.bank.bank import Bank
from memstudio.bank.block import block_digest
from memstudio.bank.overlay import resolve
from memstudio.bank.values import BASE, BlockState, Change, ClusterId, Overlay
from memstudio.editing.plan import Edit
from memstudio.editing.prune import Prune, Restore
from memstudio.errors import UserError
from memstudio.session import Session, open_session
from tests.tiny import make_bank

TEXT = "The atomic number of gold is"
CLUSTERS = [ClusterId(level, index) for level, count in ((1, 3), (2, 9), (3, 27)) for index in range(count)]
ROUTES = [(ClusterId(1, leaf // 9), ClusterId(2, leaf // 3), ClusterId(3, leaf)) for leaf in (0, 1, 5, 13, 26)]
Step = tuple[str, list[ClusterId], bool]
Digests = dict[ClusterId, tuple[str, float, str | None]]


@dataclass(frozen=True)
class Scale:
    """A stand-in for the edits to come that keep a block's tensor in the study: times `factor`, kept as a blob, at half its size."""

    verb: ClassVar[str] = "scale"
    clusters: tuple[ClusterId, ...]
    blob: str
    title: str = "scale"

    def changes(self, bank: Bank, overlay: Overlay) -> list[Change]:
        after = BlockState(self.blob, 0.5)
        found = [Change(cluster, overlay.get(cluster, BASE), after) for cluster in self.clusters]
        return [change for change in found if change.before != after]


clusters = st.sampled_from(CLUSTERS)
steps = st.one_of(
    st.tuples(st.just("prune"), st.lists(clusters, min_size=1, max_size=3, unique=True), st.booleans()),
    st.tuples(st.just("restore"), st.lists(clusters, min_size=1, max_size=3, unique=True), st.booleans()),
    st.tuples(st.just("scale"), st.lists(clusters, min_size=1, max_size=1), st.booleans()),
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
        pass  # nothing left to prune, restore, undo or redo


def edit_of(session: Session, verb: str, named: tuple[ClusterId, ...], flag: bool) -> Edit:
    if verb == "prune":
        return Prune(named, orphan=flag)
    if verb == "restore":
        return Restore(named, orphan=flag)
    row = torch.full((session.bank.layouts[named[0].level - 1].n,), 0.25 if flag else -0.5)
    return Scale(named, session.store.put_blob(row))


def digests(session: Session) -> Digests:
    """What really stands in for each cluster, by its bytes."""
    found: Digests = {}
    for cluster in CLUSTERS:
        there = resolve(session.bank, session.overlay, cluster, session.blob)
        found[cluster] = (there.kind, there.scale, None if there.row is None else block_digest(there.row))
    return found


def outputs(session: Session) -> dict[tuple[ClusterId, ...], tuple[object, Tensor]]:
    return {route: (session.resolved(route), session.logits(TEXT, route=route)) for route in ROUTES}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=1, max_size=4))
def test_a_route_whose_blocks_are_unchanged_gives_bit_identical_logits(session: Session, plan: list[Step]) -> None:
    session.checkout(0)
    before = outputs(session)
    for step in plan:
        take(session, step)
        after = outputs(session)
        for route in ROUTES:
            if after[route][0] == before[route][0]:
                assert torch.equal(after[route][1], before[route][1])
            else:
                assert not torch.equal(after[route][1], before[route][1])
        before = after


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=1, max_size=4), steps)
def test_undo_gives_every_block_and_the_logits_back(
    session: Session, way: list[Step], last: Step
) -> None:
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
    assert all(torch.equal(shown[route][1], logits) for route, (_, logits) in outputs(session).items())
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
