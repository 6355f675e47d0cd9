"""Pruning takes what lies below along, restoring what lies above; orphans only when asked for, and said."""

from pathlib import Path

import pytest

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.values import BASE, PRUNED, BlockState, ClusterId, Overlay, parse_cluster
from memstudio.editing.plan import plan_edit
from memstudio.editing.prune import Prune, Restore
from memstudio.errors import UserError
from tests.editing.desks import make_desk
from tests.tiny import make_bank


@pytest.fixture(scope="module")
def bank(tiny_bank: Path) -> Bank:
    return open_bank(tiny_bank)


def after(bank: Bank, edit: Prune | Restore, overlay: Overlay | None = None) -> Overlay:
    found = dict(overlay or {})
    for change in edit.changes(bank, found):
        assert change.before == found.get(change.cluster, BASE)
        found[change.cluster] = change.after
    return {cluster: state for cluster, state in found.items() if state != BASE}


def names(*texts: str) -> tuple[ClusterId, ...]:
    return tuple(map(parse_cluster, texts))


def test_descendants_go_along(bank: Bank) -> None:
    assert set(after(bank, Prune(names("2/3")))) == set(names("2/3", "3/9", "3/10", "3/11"))
    assert len(after(bank, Prune(names("1/0")))) == 13


def test_a_cluster_named_twice_or_under_another_changes_once(bank: Bank) -> None:
    edit = Prune(names("3/9", "2/3", "2/3"))
    assert after(bank, edit) == after(bank, Prune(names("2/3")))
    assert len(edit.changes(bank, {})) == 4


def test_an_orphan_is_left_only_when_asked_for_and_said(bank: Bank) -> None:
    plan = plan_edit(Prune(names("2/3"), orphan=True), make_desk(bank, {}))
    assert [change.cluster for change in plan.changes] == list(names("2/3"))
    assert plan.orphans == names("3/9", "3/10", "3/11")
    assert any("orphans" in note and "3/9" in note for note in plan.notes)
    assert plan_edit(Prune(names("2/3")), make_desk(bank, {})).orphans == ()


def test_restoring_what_was_pruned_gives_the_bank_as_shipped(bank: Bank) -> None:
    assert after(bank, Restore(names("1/0")), after(bank, Prune(names("1/0")))) == {}


def test_restoring_a_leaf_brings_its_ancestors_and_no_sibling(bank: Bank) -> None:
    left = after(bank, Restore(names("3/4")), after(bank, Prune(names("1/0"))))
    assert set(names("1/0", "2/1", "3/4")).isdisjoint(left)
    assert len(left) == 10


def test_restoring_a_leaf_alone_makes_an_orphan_and_says_so(bank: Bank) -> None:
    pruned = after(bank, Prune(names("1/0")))
    plan = plan_edit(Restore(names("3/4"), orphan=True), make_desk(bank, pruned))
    assert [change.cluster for change in plan.changes] == list(names("3/4"))
    assert plan.orphans == names("3/4")


def test_restoring_keeps_other_edits_of_clusters_that_were_not_named(bank: Bank) -> None:
    edited = BlockState("ab" * 32)
    overlay: Overlay = {ClusterId(2, 0): edited, ClusterId(3, 0): PRUNED}
    assert after(bank, Restore(names("3/0")), overlay) == {ClusterId(2, 0): edited}
    assert after(bank, Restore(names("2/0")), overlay) == {}


NOTHING = [Prune(names("1/3")), Prune(names("4/0")), Restore(names("3/27")), Prune(()), Restore(names("3/0"))]


@pytest.mark.parametrize("edit", NOTHING, ids=lambda edit: f"{edit.verb}-{edit.clusters}")
def test_an_edit_that_names_nothing_or_changes_nothing_is_refused(bank: Bank, edit: Prune | Restore) -> None:
    with pytest.raises(UserError):
        edit.changes(bank, {})


def test_pruning_what_is_pruned_is_refused(bank: Bank) -> None:
    with pytest.raises(UserError, match="no block is left"):
        Prune(names("2/3")).changes(bank, after(bank, Prune(names("1/1"))))


def test_clusters_without_a_block_are_left_out(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", levels=((3, 0), (9, 4)), kept=(None, (0, 1, 4))))
    assert [change.cluster for change in Prune(names("1/0")).changes(bank, {})] == list(names("2/0", "2/1"))
    with pytest.raises(UserError, match="no block is left"):
        Prune(names("1/2")).changes(bank, {})


def test_a_plan_counts_blocks_and_bytes(bank: Bank) -> None:
    plan = plan_edit(Prune(names("2/3")), make_desk(bank, {}))
    assert plan.blocks == 4
    assert plan.bytes == bank.manifest.row_bytes(2) + 3 * bank.manifest.row_bytes(3)
    assert plan.descendants == names("3/9", "3/10", "3/11")
    assert any(bank.manifest.fallback in note for note in plan.notes)
