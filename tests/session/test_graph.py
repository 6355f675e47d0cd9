"""One revision is taken back exactly or with those that stand on it; differences are the plain formula; what was purged says so."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from memstudio.bank.block import block_digest
from memstudio.bank.overlay import resolve
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId, Overlay
from memstudio.editing.erase import Erase
from memstudio.editing.prune import Prune, Restore
from memstudio.editing.scale import Scale
from memstudio.editing.update import Update
from memstudio.errors import UserError
from memstudio.events import Committed
from memstudio.session import Session
from memstudio.session.graph import diff, plan_revert, purge, revert
from tests.session.conftest import OpenSession

GOLD, SILVER, IRON = ClusterId(3, 4), ClusterId(3, 5), ClusterId(3, 6)
LEAVES = [ClusterId(3, index) for index in range(8)]
TEXT = "The atomic number of gold is"


def row_of(session: Session, cluster: ClusterId, value: float) -> Tensor:
    return torch.full((session.bank.layouts[cluster.level - 1].n,), value)


def write(session: Session, wanted: dict[ClusterId, float | None], scale: float = 1.0) -> int:
    """Commit blocks filled with a value; None prunes. Gives the revision."""
    tensors: dict[str, Tensor] = {}
    changes = []
    for cluster, value in wanted.items():
        after = PRUNED
        if value is not None:
            row = row_of(session, cluster, value)
            after = BlockState(block_digest(row), scale)
            tensors[after.source] = row
        changes.append(Change(cluster, session.state(cluster), after))
    return session.commit("write", "write", changes, tensors=tensors).id


def digests(session: Session, clusters: Sequence[ClusterId] = LEAVES) -> list[tuple[str, float, str | None]]:
    """What really stands, by its bytes."""
    found = [resolve(session.bank, session.overlay, cluster, session.blob) for cluster in clusters]
    return [(one.kind, one.scale, None if one.row is None else block_digest(one.row)) for one in found]


def test_one_in_the_middle_goes_and_the_others_stay(session: Session) -> None:
    for cluster, value in ((GOLD, 1.0), (SILVER, 2.0), (IRON, None)):
        write(session, {cluster: value})
    before = session.overlay
    plan = plan_revert(session, 2)
    assert (plan.exact, plan.dependents, [change.cluster for change in plan.changes]) == (True, (), [SILVER])
    events: list[object] = []
    session.listen(events.append)
    done = revert(session, 2)
    assert (done.id, done.parent, done.verb, done.title) == (4, 3, "revert", "revert 2")
    assert done.receipt["figures"] == {"reverts": [2]}
    assert session.overlay == {cluster: state for cluster, state in before.items() if cluster != SILVER}
    assert events == [Committed(done, frozenset({SILVER}))]
    session.undo()
    assert session.overlay == before


def test_a_revert_can_be_reverted(session: Session) -> None:
    write(session, {GOLD: 1.0, SILVER: 2.0})
    before = session.overlay
    revert(session, 1)
    assert session.overlay == {}
    revert(session, 2)
    assert session.overlay == before


def test_those_that_stand_on_it_are_named_and_nothing_is_written(session: Session) -> None:
    write(session, {GOLD: 1.0})
    write(session, {GOLD: 2.0, SILVER: 2.0})
    write(session, {IRON: 3.0})
    write(session, {SILVER: 4.0})
    plan = plan_revert(session, 1)
    assert (plan.exact, plan.dependents) == (False, (2, 4))
    with pytest.raises(UserError, match=r"^revision 1: revisions 2 and 4 stand on its blocks: revert them together .* or run them again"):
        revert(session, 1)
    with pytest.raises(UserError, match=r"^revision 2: revision 4 stands on its blocks"):
        revert(session, 2)
    with pytest.raises(UserError, match="not both"):
        revert(session, 1, along=True, again=True)
    assert (session.head, len(session.log())) == (4, 5)
    done = revert(session, 1, along=True)
    assert done.title == "revert 1, 2 and 4"
    assert set(session.overlay) == {IRON}


def test_what_does_not_lead_to_the_head_is_not_reverted(session: Session) -> None:
    write(session, {GOLD: 1.0})
    session.undo()
    write(session, {SILVER: 1.0})
    for revision, said in ((0, "the bank as shipped"), (1, "does not lead to revision 2"), (7, "revisions 0 to 2")):
        with pytest.raises(UserError, match=said):
            revert(session, revision)
    write(session, {SILVER: None})
    session.commit("restore", "back", [Change(SILVER, PRUNED, BASE)])
    with pytest.raises(UserError, match="revert 2, 3 and 4: every block is as it was before already"):
        revert(session, 2, along=True)
    assert len(session.log()) == 5


Link = dict[ClusterId, float | None]
states = st.one_of(st.none(), st.sampled_from([0.5, 1.0, 2.0]))
chains = st.lists(st.dictionaries(st.sampled_from(LEAVES), states, min_size=1, max_size=3), min_size=2, max_size=6)


def replay(session: Session, chain: Sequence[Link]) -> tuple[Overlay, dict[int, Link]]:
    """The state after a chain on the bank as shipped, and what each revision really changed; a link that changes nothing makes none."""
    session.checkout(0)
    made: dict[int, Link] = {}
    for link in chain:
        real = {cluster: value for cluster, value in link.items() if not (value is None and session.state(cluster).pruned)}
        real = {c: v for c, v in real.items() if v is None or session.state(c).source != block_digest(row_of(session, c, v))}
        if real:
            made[write(session, real)] = real
    return session.overlay, made


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chain=chains, data=st.data())
def test_a_revert_in_a_chain_of_disjoint_edits_is_the_chain_without_it(session: Session, chain: list[Link], data: st.DataObject) -> None:
    seen: set[ClusterId] = set()
    disjoint = []
    for link in chain:
        own = {cluster: value for cluster, value in link.items() if cluster not in seen}
        seen |= own.keys()
        if own:
            disjoint.append(own)
    at = data.draw(st.integers(0, len(disjoint) - 1), "taken back")
    without, _ = replay(session, disjoint[:at] + disjoint[at + 1 :])
    there = digests(session)
    _, made = replay(session, disjoint)
    number = list(made)[at]
    assert plan_revert(session, number).exact
    revert(session, number)
    assert session.overlay == without
    assert digests(session) == there


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chain=chains, data=st.data())
def test_a_revert_along_is_the_chain_without_the_revision_and_its_dependents(
    session: Session, chain: list[Link], data: st.DataObject
) -> None:
    now, made = replay(session, chain)
    head = session.head
    number = data.draw(st.sampled_from(sorted(made)), "taken back")
    plan = plan_revert(session, number)
    gone = {number, *plan.dependents}
    assert min(gone) == number
    without, _ = replay(session, [link for revision, link in made.items() if revision not in gone])
    there = digests(session)
    session.checkout(head)
    assert session.overlay == now
    if plan.changes:
        revert(session, number, along=True)
    assert session.overlay == without
    assert digests(session) == there


def test_the_later_edits_are_run_again_on_what_is_left(session: Session) -> None:
    write(session, {SILVER: 1.0, ClusterId(1, 0): 3.0})  # 1
    session.apply(Prune((ClusterId(2, 1),)))  # 2: silver, 3/3 and gold too
    session.apply(Prune((IRON,)))  # 3: stands on nothing
    session.apply(Restore((SILVER,), orphan=True))  # 4
    done = revert(session, 1, again=True)
    again = session.log()[5:]
    assert [one.title for one in again] == ["revert 1, 2 and 4", "prune 2/1", "restore 3/5, alone"]
    assert [one.verb for one in again] == ["revert", "prune", "restore"]
    assert [one.receipt.get("again") for one in again] == [None, 2, 4]
    assert (done.id, session.head) == (7, 7)
    assert session.overlay == dict.fromkeys((ClusterId(2, 1), ClusterId(3, 3), GOLD, IRON), PRUNED)
    assert again[1].receipt["edit"] == session.log()[2].receipt["edit"]


def test_an_edit_that_was_not_kept_or_cannot_be_made_again_stops_all_of_it(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    write(session, {GOLD: None})  # 1
    session.apply(Restore((GOLD,), orphan=True))  # 2: on what is left, nothing is pruned
    write(session, {SILVER: 1.0})  # 3
    write(session, {SILVER: 2.0})  # 4
    before = session.log()
    with pytest.raises(UserError, match=r"revision 2 cannot be run again: .* as shipped already; nothing was reverted"):
        revert(session, 1, again=True)
    with pytest.raises(UserError, match=r"revision 4 \(write\) cannot be run again, its edit was not kept"):
        revert(session, 3, again=True)
    session.store.annotate(4, {"edit": {"verb": "format", "disk": "c"}})
    with pytest.raises(UserError, match="no edit is called 'format'"):
        revert(session, 3, again=True)
    session.store.annotate(4, {})
    assert session.log() == before


def test_where_writing_the_later_edits_fails_the_study_stands_where_it_was(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    write(session, {ClusterId(2, 1): 1.0})
    session.apply(Prune((ClusterId(2, 1),)))
    before, route = session.overlay, (ClusterId(1, 0), ClusterId(2, 1), GOLD)
    shown = session.logits(TEXT, route=route)

    def full(*_: object, **__: object) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr(session, "commit", lambda verb, *given, **more: (full if verb == "prune" else real)(verb, *given, **more))
    real = Session.commit.__get__(session)
    with pytest.raises(UserError, match="the disk is full"):
        revert(session, 1, again=True)
    assert (session.head, session.overlay) == (2, before)
    assert torch.equal(session.logits(TEXT, route=route), shown)


def test_a_difference_is_the_l2_norm_of_the_rows_as_they_run(session: Session) -> None:
    write(session, {GOLD: 2.0}, scale=0.5)
    write(session, {SILVER: None})
    layout = session.bank.layouts[2]
    scaled = row_of(session, GOLD, 2.0)
    for _, _, down in layout.split(scaled):
        down.mul_(0.5)
    gold, silver = session.bank.block(GOLD), session.bank.block(SILVER)
    found = diff(session, 0, 2)
    assert [(one.cluster, one.before, one.after.source[:6]) for one in found][1] == (SILVER, BASE, "pruned")
    assert found[0].norm == pytest.approx(float((scaled - gold).square().sum().sqrt()), rel=1e-5)
    assert found[0].relative == pytest.approx(float((scaled - gold).square().sum().sqrt() / gold.square().sum().sqrt()), rel=1e-5)
    assert found[1].norm == pytest.approx(float(silver.square().sum().sqrt()), rel=1e-5)
    assert found[1].relative == pytest.approx(1.0)
    back = diff(session, 2, 0)
    assert [one.norm for one in back] == pytest.approx([one.norm for one in found])
    assert back[1].relative is None  # nothing stood there
    assert diff(session, 1, 1) == []
    with pytest.raises(UserError, match="revisions 0 to 2"):
        diff(session, 0, 9)


def test_a_difference_does_not_change_what_is_compared(session: Session) -> None:
    write(session, {GOLD: 2.0}, scale=0.5)
    assert diff(session, 0, 1) == diff(session, 0, 1)
    assert torch.equal(session.blob(session.state(GOLD).source), row_of(session, GOLD, 2.0))


def test_after_a_purge_undo_and_revert_say_why_they_cannot(opens: OpenSession, study: Path) -> None:
    session = opens(study=study)
    write(session, {GOLD: 1.0})
    write(session, {GOLD: 2.0})
    session.apply(Prune((SILVER,)))
    route = (ClusterId(1, 0), ClusterId(2, 1), GOLD)
    shown = session.logits(TEXT, route=route)
    assert purge(session).blobs == 1
    assert diff(session, 1, 2)[0].norm is None
    assert diff(session, 0, 2)[0].norm is not None
    session.undo()
    for act in (session.undo, lambda: session.checkout(1)):
        with pytest.raises(UserError, match=r"^revision 1 needs the block 3/4 as it was, which was purged on "):
            act()
    assert session.head == 2
    with pytest.raises(UserError, match=r"revision 2: cannot be reverted, the block 3/4 as it was before has been purged"):
        revert(session, 2)
    assert torch.equal(session.logits(TEXT, route=route), shown)
    session.checkout(3)
    revert(session, 1, along=True)  # back to the bank as shipped, which still holds the block
    assert session.state(GOLD) == BASE
    session.close()
    again = opens(study)
    assert (again.head, again.state(SILVER)) == (4, PRUNED)


def test_updates_and_erasures_that_stand_on_a_revision_are_worked_out_again(session: Session) -> None:
    prompt = "The atomic number of gold is"
    leaf = session.routes([prompt])[0][-1]
    session.apply(Scale((leaf,), 0.5))
    fact = session.request(prompt, "13").fact
    session.apply(Update((fact,), method="closed-form"))
    session.apply(Erase((dataclasses.replace(fact, expected="13", target=""),), method="dampen"))
    assert plan_revert(session, 1).dependents == (2, 3)
    done = revert(session, 1, again=True)
    assert [revision.verb for revision in session.log()][-3:] == ["revert", "update", "erase"]
    assert done.id == session.head
    assert session.state(leaf).scale == 1.0
    after_update = session.store.overlay(done.parent or 0)
    assert after_update[leaf].source not in {session.store.overlay(2)[leaf].source, "base"}
    session.checkout(done.parent or 0)
    assert session.run(prompt).text.strip().startswith("13")
