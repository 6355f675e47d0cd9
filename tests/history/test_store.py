"""What a study keeps, and how its head moves."""

import math
from pathlib import Path

import pytest

from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history.store import Store, read_binding
from tests.history.conftest import BANK, OpenStudy

GOLD, SILVER, IRON = ClusterId(3, 4), ClusterId(3, 5), ClusterId(2, 1)


def prune(store: Store, *clusters: ClusterId) -> int:
    with store.commit("prune", "prune it", [Change(cluster, BASE, PRUNED) for cluster in clusters]) as revision:
        return revision.id


def go(store: Store, revision: int | None) -> int:
    assert revision is not None
    with store.move(revision):
        return store.head


def test_a_new_study_stands_at_the_bank_as_shipped(open_study: OpenStudy) -> None:
    store = open_study()
    assert store.head == 0
    assert store.overlay() == {}
    assert [(r.id, r.parent, r.changes, r.current, r.head) for r in store.log()] == [(0, None, (), True, True)]
    assert store.undo_target() is None
    assert store.redo_target() is None


def test_a_commit_is_read_back_as_it_was_given_after_a_restart_too(open_study: OpenStudy) -> None:
    store = open_study()
    changes = [Change(SILVER, BASE, BlockState("base", 0.1)), Change(IRON, BASE, PRUNED)]
    with store.commit("prune", "two\n blocks", changes, {"blocks": 2, "recall": [0.5, None]}) as committed:
        pass
    assert committed.changes == (changes[1], changes[0])
    assert (committed.id, committed.parent, committed.title, committed.head) == (1, 0, "two blocks", True)
    assert store.revision(1) == committed == store.log()[1]
    store.close()
    again = open_study()
    assert again.revision(1) == committed
    assert again.head == 1
    assert again.overlay() == {IRON: PRUNED, SILVER: BlockState("base", 0.1)}


def test_the_body_of_a_commit_sees_the_new_revision_and_a_reader_beside_it_the_old_one(open_study: OpenStudy) -> None:
    store = open_study()
    reader = open_study(readonly=True)
    with store.commit("prune", "gold", [Change(GOLD, BASE, PRUNED)]) as revision:
        assert (store.head, store.overlay(), store.log()[-1]) == (1, {GOLD: PRUNED}, revision)
        assert (reader.head, reader.overlay(), len(reader.log())) == (0, {}, 1)
    assert (reader.head, reader.overlay(), reader.log()) == (1, {GOLD: PRUNED}, store.log())


def test_a_body_that_fails_leaves_nothing_behind(open_study: OpenStudy) -> None:
    store = open_study()
    prune(store, GOLD)
    before = store.log()
    with pytest.raises(MemoryError), store.commit("prune", "silver", [Change(SILVER, BASE, PRUNED)]):
        raise MemoryError
    assert (store.head, store.overlay(), store.log(), store.redo_target()) == (1, {GOLD: PRUNED}, before, None)
    with pytest.raises(MemoryError), store.move(0):
        raise MemoryError
    assert (store.head, store.overlay(), store.log()) == (1, {GOLD: PRUNED}, before)
    assert prune(store, SILVER) == 2


def test_undo_and_redo_move_along_the_branch(open_study: OpenStudy) -> None:
    store = open_study()
    for cluster in (GOLD, SILVER, IRON):
        prune(store, cluster)
    assert [go(store, store.undo_target()) for _ in range(3)] == [2, 1, 0]
    assert store.overlay() == {}
    store.close()
    store = open_study()
    assert [go(store, store.redo_target()) for _ in range(3)] == [1, 2, 3]
    assert store.overlay() == {GOLD: PRUNED, SILVER: PRUNED, IRON: PRUNED}
    assert store.redo_target() is None


def test_an_edit_after_an_undo_begins_a_branch_that_redo_follows(open_study: OpenStudy) -> None:
    store = open_study()
    prune(store, GOLD)  # 1 on 0
    prune(store, SILVER)  # 2 on 1
    go(store, 1)
    prune(store, IRON)  # 3 on 1
    assert store.revision(3).parent == 1
    assert [r.id for r in store.log() if r.current] == [0, 1, 3]
    go(store, 0)
    assert [go(store, store.redo_target()) for _ in range(2)] == [1, 3]
    assert store.overlay() == {GOLD: PRUNED, IRON: PRUNED}


def test_a_checkout_of_another_branch_takes_redo_along(open_study: OpenStudy) -> None:
    store = open_study()
    prune(store, GOLD)  # 1 on 0
    prune(store, SILVER)  # 2 on 1
    go(store, 0)
    prune(store, IRON)  # 3 on 0
    go(store, 1)
    assert store.overlay() == {GOLD: PRUNED}
    assert store.redo_target() == 2
    go(store, store.undo_target())
    assert store.redo_target() == 1


def test_a_diff_between_branches_names_what_differs_and_nothing_else(open_study: OpenStudy) -> None:
    store = open_study()
    prune(store, GOLD, SILVER)  # 1 on 0
    with store.commit("restore", "gold", [Change(GOLD, PRUNED, BASE)]):  # 2 on 1
        pass
    go(store, 0)
    prune(store, SILVER, IRON)  # 3 on 0
    assert store.diff(2, 3) == [Change(IRON, BASE, PRUNED)]
    assert store.diff(3, 1) == [Change(IRON, PRUNED, BASE), Change(GOLD, BASE, PRUNED)]
    assert store.diff(2, 2) == []


def test_a_change_must_start_at_what_stands_at_the_head(open_study: OpenStudy) -> None:
    store = open_study()
    prune(store, GOLD)
    with pytest.raises(UserError, match=r"block 3/4: the edit was made for base, but pruned is there now"):
        prune(store, GOLD)
    with (
        pytest.raises(UserError, match=r"block 3/5: .* is not in the study"),
        store.commit("swap", "silver", [Change(SILVER, BASE, BlockState("b0" * 32))]),
    ):
        pytest.fail("the body must not run")
    with pytest.raises(UserError, match="changes no block"), store.commit("prune", "nothing", []):
        pytest.fail("the body must not run")
    assert len(store.log()) == 2


@pytest.mark.parametrize(
    "changes",
    [
        [Change(GOLD, BASE, PRUNED), Change(GOLD, BASE, PRUNED)],
        [Change(GOLD, BASE, BlockState("../../etc/passwd"))],
        [Change(GOLD, BASE, BlockState("base", math.nan))],
        [Change(ClusterId(0, 1), BASE, PRUNED)],
    ],
)
def test_what_could_not_be_read_again_is_not_written(open_study: OpenStudy, changes: list[Change]) -> None:
    store = open_study()
    with pytest.raises(ValueError, match="gold"), store.commit("prune", "gold", changes):
        pytest.fail("the body must not run")
    with pytest.raises(ValueError, match="JSON"), store.commit("prune", "gold", [Change(GOLD, BASE, PRUNED)], {"recall": math.nan}):
        pytest.fail("the body must not run")
    assert len(store.log()) == 1


@pytest.mark.parametrize("revision", [-1, 2, 1 << 70])
def test_a_revision_that_does_not_exist_is_one_line(open_study: OpenStudy, revision: int) -> None:
    store = open_study()
    prune(store, GOLD)
    for ask in (store.revision, store.overlay, lambda r: store.diff(0, r), lambda r: go(store, r)):
        with pytest.raises(UserError, match=r"^revision .*: the study .* has revisions 0 to 1$"):
            ask(revision)
    assert store.head == 1


def test_the_overlay_given_out_is_the_callers_own(open_study: OpenStudy) -> None:
    store = open_study()
    store.overlay()[GOLD] = PRUNED
    assert store.overlay() == {}


def test_a_study_of_another_bank_is_refused_and_left_alone(open_study: OpenStudy, folder: Path) -> None:
    open_study().close()
    before = contents(folder)
    for readonly in (False, True):
        with pytest.raises(UserError, match=r"belongs to bank 'tiny' \(a1a1a1a1a1a1…\), not to 'other' \(b2b2b2b2b2b2…\)"):
            open_study(bank_digest="b2" * 32, bank_name="other", readonly=readonly)
    assert contents(folder) == before


def test_a_moved_bank_is_remembered_by_its_new_path(open_study: OpenStudy, folder: Path) -> None:
    open_study().close()
    assert read_binding(folder).bank_path == BANK["bank_path"]
    open_study(bank_path="/elsewhere/tiny").close()
    assert read_binding(folder).bank_path == "/elsewhere/tiny"


def test_a_closed_study_answers_nothing(open_study: OpenStudy) -> None:
    store = open_study()
    store.close()
    store.close()
    with pytest.raises(ValueError, match="closed"):
        store.log()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
