"""A purge leaves only the blocks that stand; what is gone is gone from every file, and undo says why it cannot."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import torch

from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history.store import Store
from tests.history.conftest import OpenStudy

GOLD, SILVER = ClusterId(3, 4), ClusterId(3, 5)
SECRET = "the vault opens with xyzzy-4711"
RECEIPT = {
    "answers": [{"prompt": SECRET, "before": "a", "after": "b"}],
    "changed": [{"prompt": SECRET}],
    "edit": {"verb": "update", "facts": [SECRET]},
    "notes": [SECRET],
    "reliability": 1.0,
    "blocks": 1,
}


def row(value: float) -> torch.Tensor:
    return torch.full((32,), value)


def write(store: Store, cluster: ClusterId, value: float, verb: str = "update") -> str:
    sha256 = store.put_blob(row(value))
    change = Change(cluster, store.overlay().get(cluster, BASE), BlockState(sha256))
    with store.commit(verb, f"{verb} {SECRET}", [change], RECEIPT):
        return sha256


def go(store: Store, revision: int) -> None:
    with store.move(revision):
        pass


def blobs(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "blobs").iterdir()}


def holds(folder: Path, text: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.fixture
def store(open_study: OpenStudy) -> Store:
    """0 → 1 (gold 1) → 2 (gold 2), and 0 → 3 (silver 3, gold pruned) beside it, the head at 2."""
    store = open_study()
    write(store, GOLD, 1.0)
    write(store, GOLD, 2.0)
    go(store, 0)
    write(store, SILVER, 3.0)
    go(store, 2)
    return store


def test_only_what_stands_is_kept_and_every_other_state_says_why_not(store: Store, folder: Path) -> None:
    sizes = {path.stem: path.stat().st_size for path in (folder / "blobs").iterdir()}
    head = store.overlay()[GOLD].source
    done = store.purge()
    assert (done.blobs, done.bytes, done.clean) == (2, sum(sizes.values()) - sizes[head], True)
    assert blobs(folder) == {head}
    assert torch.equal(store.blob(head), row(2.0))
    assert set(store.purged()) == sizes.keys() - {head}
    with pytest.raises(
        UserError,
        match=r"^revision 1 needs the block 3/4 as it was, which was purged on \d{4}-\d\d-\d\d: its history cannot be walked back; "
        r"restore 3/4 gives the block as shipped$",
    ):
        go(store, 1)
    with pytest.raises(UserError, match="revision 3 needs the block 3/5 as it was"):
        go(store, 3)
    assert (store.head, store.overlay()) == (2, {GOLD: BlockState(head)})
    go(store, 0)
    go(store, 2)
    assert torch.equal(store.blob(head), row(2.0))


def test_a_blob_that_was_purged_is_called_so_and_a_change_to_it_is_refused(store: Store) -> None:
    gone = store.revision(1).changes[0].after.source
    now = store.overlay()[GOLD]
    store.purge()
    with pytest.raises(UserError, match=rf"{gone[:12]}… was purged on "):
        store.blob(gone)
    with (
        pytest.raises(UserError, match=rf"block 3/4: the blob {gone[:12]}… was purged on "),
        store.commit("revert", "x", [Change(GOLD, now, BlockState(gone))]),
    ):
        pytest.fail("the body must not run")


def test_what_receipts_and_titles_told_is_in_no_file_any_more(store: Store, folder: Path) -> None:
    write(store, SILVER, 5.0, "erase")  # 4: of the head, but a takedown
    with store.commit("prune", "prune 3/5", [Change(SILVER, store.overlay()[SILVER], PRUNED)], {"notes": ["one"]}):
        pass  # 5: names the purged block as its before
    assert "study.db" in {name.removesuffix("-wal") for name in holds(folder, SECRET)}
    assert store.purge().receipts == 5
    log = store.log()
    assert [revision.receipt for revision in log[1:]] == [{"blocks": 1, "reliability": 1.0}] * 4 + [{}]
    # revision 2 still stands, so its title does; what it stood on does not
    titles = ["update, purged", f"update {SECRET}", "update, purged", "erase, purged", "prune 3/5"]
    assert [revision.title for revision in log[1:]] == titles
    assert SECRET not in str([revision.receipt for revision in log])


def test_no_free_page_and_no_log_keeps_what_was_scrubbed(open_study: OpenStudy, folder: Path) -> None:
    store = open_study()
    write(store, GOLD, 1.0)
    with store.commit("restore", "restore 3/4", [Change(GOLD, store.overlay()[GOLD], BASE)]):
        pass
    assert holds(folder, SECRET)
    assert store.purge().clean
    assert holds(folder, SECRET) == []
    store.close()
    assert holds(folder, SECRET) == []


def test_a_purge_again_finds_nothing_and_edits_go_on(store: Store, open_study: OpenStudy) -> None:
    store.purge()
    assert (store.purge().blobs, store.purge().receipts) == (0, 0)
    write(store, SILVER, 7.0)
    store.close()
    again = open_study()
    assert torch.equal(again.blob(again.overlay()[SILVER].source), row(7.0))
    go(again, 2)


def test_a_block_that_is_brought_back_is_no_longer_purged(store: Store, open_study: OpenStudy) -> None:
    gone = store.revision(3).changes[0].after.source
    store.purge()
    write(store, SILVER, 3.0)
    assert gone not in store.purged()
    store.close()
    again = open_study()
    assert torch.equal(again.blob(gone), row(3.0))
    go(again, 3)
    assert again.overlay() == {SILVER: BlockState(gone)}


def test_a_purge_beside_a_program_that_reads_is_ended_by_the_next_writer(store: Store, open_study: OpenStudy, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "study.db", timeout=0)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM revisions").fetchall()
        done = store.purge()
    assert (done.blobs, done.clean) == (2, False)
    go(store, 0)
    assert store.purge().clean
    store.close()
    assert holds(folder, "answers") == []
