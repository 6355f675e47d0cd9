"""A patch made in one study gives the same blocks and the same logits in another, and is refused where it does not fit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from memstudio.bank.block import block_digest
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId
from memstudio.editing.erase import Erase
from memstudio.editing.prune import Prune
from memstudio.editing.update import Update
from memstudio.errors import UserError
from memstudio.events import Committed
from memstudio.session import Session
from memstudio.session.graph import purge
from memstudio.session.patching import apply_patch, export_patch, plan_patch
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

GOLD, SILVER = ClusterId(3, 4), ClusterId(3, 5)
ROUTE = (ClusterId(1, 0), ClusterId(2, 1), GOLD)
TEXT = "The atomic number of gold is"


def write(session: Session, cluster: ClusterId, value: float) -> int:
    row = torch.full((session.bank.layouts[cluster.level - 1].n,), value)
    sha256 = block_digest(row)
    return session.commit(
        "write", f"write {cluster}", [Change(cluster, session.state(cluster), BlockState(sha256))], tensors={sha256: row}
    ).id


@pytest.fixture
def author(opens: OpenSession) -> Session:
    """Gold twice, silver between."""
    session = opens()
    write(session, GOLD, 0.5)
    session.apply(Prune((SILVER,)))
    write(session, GOLD, -0.25)
    return session


def test_a_patch_carries_blocks_and_logits_to_another_study(author: Session, opens: OpenSession, tmp_path: Path) -> None:
    changes = export_patch(author, tmp_path / "gold.patch")
    reader = opens(study=tmp_path / "theirs")
    before = reader.logits(TEXT, route=ROUTE)
    plan = plan_patch(reader, tmp_path / "gold.patch")
    assert (plan.changes, reader.head, reader.overlay) == (changes, 0, {})
    assert (plan.blocks, plan.edit.title) == (2, "apply gold")
    events: list[object] = []
    reader.listen(events.append)
    done = apply_patch(reader, tmp_path / "gold.patch")
    assert (done.verb, done.title, done.changes) == ("apply", "apply gold", changes)
    assert done.receipt["figures"] == {"titles": ["write 3/4", "prune 3/5", "write 3/4"]}
    assert events == [Committed(done, frozenset({GOLD, SILVER}))]
    assert reader.overlay == author.overlay
    assert torch.equal(reader.logits(TEXT, route=ROUTE), author.logits(TEXT, route=ROUTE))
    reader.undo()
    assert torch.equal(reader.logits(TEXT, route=ROUTE), before)
    reader.close()
    again = opens(tmp_path / "theirs")
    again.redo()
    assert torch.equal(again.logits(TEXT, route=ROUTE), author.logits(TEXT, route=ROUTE))


def test_some_revisions_make_a_smaller_patch(author: Session, opens: OpenSession, tmp_path: Path) -> None:
    assert export_patch(author, tmp_path / "a.patch", [2]) == (Change(SILVER, BASE, PRUNED),)
    third = author.store.revision(3).changes[0]
    assert export_patch(author, tmp_path / "b.patch", [3, 2]) == (third, Change(SILVER, BASE, PRUNED))
    for revisions, said in (([9], "revisions 0 to 3"), ([0], "revision 0: does not lead"), ([], "no revision to put into a patch")):
        with pytest.raises(UserError, match=said):
            export_patch(author, tmp_path / "c.patch", revisions)
    author.undo()
    with pytest.raises(UserError, match="revision 3: does not lead to revision 2"):
        export_patch(author, tmp_path / "c.patch", [3])
    assert not (tmp_path / "c.patch").exists()


def test_a_patch_that_does_not_fit_names_the_blocks_and_where_it_would(author: Session, opens: OpenSession, tmp_path: Path) -> None:
    export_patch(author, tmp_path / "last.patch", [3])
    for _ in range(2):
        author.undo()
    assert apply_patch(author, tmp_path / "last.patch").parent == 1
    with pytest.raises(UserError, match="patch last: is applied already"):
        apply_patch(author, tmp_path / "last.patch")
    write(author, GOLD, 0.125)
    count = len(author.log())
    with pytest.raises(UserError, match=r"patch last: was made on other states of 3/4 .*; it fits revision 2: checkout 2 first"):
        apply_patch(author, tmp_path / "last.patch")
    shipped = opens()
    with pytest.raises(UserError, match=r"patch last: .* of 3/4 .*; it fits no revision of this study"):
        apply_patch(shipped, tmp_path / "last.patch")
    assert len(author.log()) == count


def test_a_refused_patch_leaves_the_study_as_it_was(author: Session, opens: OpenSession, tmp_path: Path) -> None:
    export_patch(author, tmp_path / "x.patch")
    other = opens(make_bank(tmp_path / "other", seed=1), study=tmp_path / "study")
    with pytest.raises(UserError, match="is a patch for bank"):
        apply_patch(other, tmp_path / "x.patch")
    assert (other.head, len(other.log())) == (0, 1)
    assert not any((tmp_path / "study" / "blobs").glob("*")) or not (tmp_path / "study" / "blobs").exists()


def files(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_dry_run_needs_no_study(author: Session, opens: OpenSession, tmp_path: Path) -> None:
    export_patch(author, tmp_path / "x.patch")
    shipped = opens(readonly=True)
    assert plan_patch(shipped, tmp_path / "x.patch").blocks == 2
    assert shipped.study is None
    assert files(tmp_path / "x.patch") == ["blocks.safetensors", "patch.json"]


def test_what_was_purged_is_not_exported_but_comes_back_with_a_patch(author: Session, opens: OpenSession, tmp_path: Path) -> None:
    export_patch(author, tmp_path / "first.patch", [1])
    purge(author)
    with pytest.raises(UserError, match="was purged on"):
        export_patch(author, tmp_path / "again.patch", [1])
    assert not (tmp_path / "again.patch").exists()
    assert export_patch(author, tmp_path / "all.patch")[0].cluster == GOLD  # what stands is there
    author.checkout(0)
    apply_patch(author, tmp_path / "first.patch")
    author.checkout(1)  # the same block, so the way there is open again


def test_a_patch_tells_nothing_of_a_fact_that_was_taken_down_later(opens: OpenSession, tmp_path: Path) -> None:
    session = opens()
    fact = session.request(TEXT, "light").fact
    told = session.apply(Update((fact,), method="closed-form"))
    assert "light" in told.title
    session.apply(Erase((replace(fact, expected="light", target=""),), method="dampen"))
    export_patch(session, tmp_path / "gold.patch")
    files = b"".join(path.read_bytes() for path in (tmp_path / "gold.patch").iterdir())
    assert b"light" not in files
    assert TEXT.encode() not in files
    with pytest.raises(UserError, match="revision 1: taught what revision 2 took down"):
        export_patch(session, tmp_path / "before.patch", [told.id])
    session.checkout(told.id)
    export_patch(session, tmp_path / "then.patch")
    assert b"light" in (tmp_path / "then.patch" / "patch.json").read_bytes()


def test_a_title_with_control_characters_makes_a_patch_all_the_same(opens: OpenSession, tmp_path: Path) -> None:
    session = opens()
    session.commit("prune", "one\nline \x1b[2J", session.plan(Prune((SILVER,))).changes)
    export_patch(session, tmp_path / "odd.patch")
    assert plan_patch(opens(study=tmp_path / "theirs"), tmp_path / "odd.patch").blocks == 1
