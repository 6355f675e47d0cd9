"""What a session promises about opening, routing, hiding, muting and editing."""

import gc
import shutil
from pathlib import Path

import pytest
import torch

import memstudio
from memstudio.anchor.values import Sampling
from memstudio.bank.block import block_digest
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId, Overlay
from memstudio.editing.prune import Prune, Restore
from memstudio.errors import UserError
from memstudio.events import Committed, Event, Finished, Generated, Hidden, Routed, Traced
from memstudio.session import Session, study_for
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"


def test_opening_loads_no_model_and_begins_no_study(session: Session) -> None:
    assert not session.running.loaded
    assert session.study is None
    assert session.head == 0
    assert session.info()["revision"] == 0


def test_the_same_prompt_gives_the_same_logits_again(session: Session) -> None:
    assert torch.equal(session.logits(PROMPT), session.logits(PROMPT))


def test_routed_blocks_generic_blocks_and_none_differ(session: Session) -> None:
    fetched, generic, none = (session.logits(PROMPT, memory=memory) for memory in ("fetched", "generic", "none"))
    assert not torch.equal(fetched, none)
    assert not torch.equal(generic, none)
    assert not torch.equal(fetched, generic)


def test_a_key_takes_the_prompt_s_place_in_routing(session: Session) -> None:
    other = "Tell me about tin"
    assert session.route(other) != session.route(PROMPT)
    assert torch.equal(session.logits(PROMPT, key=other), session.logits(PROMPT, route=session.route(other).clusters))


def test_a_route_may_be_named_by_its_deepest_cluster(session: Session) -> None:
    path = session.route(PROMPT).clusters
    assert session.bank.tree.explicit(path[-1:]).clusters == session.bank.tree.explicit(path).clusters == path


@pytest.mark.parametrize("route", [(), (ClusterId(1, 0), ClusterId(2, 8)), (ClusterId(3, 27),), (ClusterId(4, 0),)])
def test_a_route_that_is_no_path_of_the_tree_is_refused(session: Session, route: tuple[ClusterId, ...]) -> None:
    with pytest.raises(UserError):
        session.logits(PROMPT, route=route)


def test_hiding_takes_the_runner_up_and_changes_nothing_else(session: Session) -> None:
    before = session.route(PROMPT)
    session.hide({before.clusters[0]})
    after = session.route(PROMPT)
    assert after.clusters[0] == before.runners_up[0][0]
    session.hide(())
    assert session.route(PROMPT) == before


def test_a_muted_block_adds_nothing_and_stays_on_the_route(session: Session) -> None:
    route = session.route(PROMPT).clusters
    whole = session.logits(PROMPT)
    session.mute({route[-1]})
    muted = session.logits(PROMPT)
    session.mute(())
    assert torch.equal(session.logits(PROMPT), whole)
    session.apply(Prune((route[-1],)))  # the tiny bank falls back to nothing
    assert torch.equal(session.logits(PROMPT), muted)
    assert session.route(PROMPT).clusters == route


def test_every_step_is_told(session: Session) -> None:
    events: list[Event] = []
    forget = session.listen(events.append)
    session.run(PROMPT, sampling=Sampling(max_tokens=2))
    session.trace(PROMPT)
    session.hide({ClusterId(1, 0)})
    session.apply(Prune((ClusterId(3, 0),)))
    forget()
    session.undo()
    assert [type(event) for event in events] == [Routed, Generated, Generated, Finished, Traced, Hidden, Committed]
    assert isinstance(events[-1], Committed)
    assert events[-1].clusters == {ClusterId(3, 0)}


def test_a_temporary_study_goes_with_the_session(tiny_bank: Path) -> None:
    with memstudio.open(tiny_bank, device="cpu") as session:
        session.apply(Prune((ClusterId(3, 0),)))
        study = session.study
        assert study is not None
        assert study.is_dir()
    assert not study.exists()
    gc.collect()


def test_a_bank_opened_as_shipped_takes_no_edit(opens: OpenSession) -> None:
    with pytest.raises(UserError, match="to read only"):
        opens(readonly=True).apply(Prune((ClusterId(3, 0),)))


def test_a_study_is_opened_by_its_own_path_and_a_bank_s_name_reads_the_bank_as_shipped(opens: OpenSession, study: Path) -> None:
    writer = opens(study=study)
    writer.apply(Prune((ClusterId(1, 0),)))
    writer.close()
    assert opens(study).state(ClusterId(1, 0)) == PRUNED
    assert opens().state(ClusterId(1, 0)) == BASE


def test_a_reader_sees_what_the_writer_beside_it_committed(opens: OpenSession, study: Path) -> None:
    writer = opens(study=study)
    writer.apply(Prune((ClusterId(1, 0),)))
    reader = opens(study=study, readonly=True)
    assert reader.state(ClusterId(1, 0)) == PRUNED
    with pytest.raises(UserError, match="reading only"):
        reader.undo()


def test_a_second_writer_is_refused(opens: OpenSession, study: Path) -> None:
    opens(study=study)
    with pytest.raises(UserError):
        opens(study=study)


def test_a_study_of_another_bank_is_refused(opens: OpenSession, study: Path, tmp_path: Path) -> None:
    opens(study=study).close()
    with pytest.raises(UserError):
        opens(make_bank(tmp_path / "other", seed=1), study=study)


def test_a_study_whose_bank_has_gone_says_where_it_was(opens: OpenSession, study: Path, tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    opens(bank, study=study).close()
    shutil.move(bank, tmp_path / "moved")
    with pytest.raises(UserError, match="no longer at"):
        opens(study)
    assert opens(tmp_path / "moved", study=study).head == 0


def test_two_studies_at_once_are_refused(opens: OpenSession, study: Path, tmp_path: Path) -> None:
    opens(study=study).close()
    with pytest.raises(UserError, match="is a study already"):
        opens(study, study=tmp_path / "another")
    with pytest.raises(UserError, match="is a study already"):
        study_for(study, tmp_path / "another")


def test_an_edit_that_fails_half_way_leaves_study_and_model_as_before(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    route = session.route(PROMPT).clusters
    session.apply(Prune((ClusterId(1, (route[0].index + 1) % 3),)))
    before, overlay = session.logits(PROMPT), session.overlay
    fetch, calls = session.running.refetch, []

    def fails_once(overlay: Overlay, blob: object) -> None:
        calls.append(1)
        fetch(overlay, session.blob)
        if len(calls) == 1:
            raise OSError("no space left on device")

    monkeypatch.setattr(session.running, "refetch", fails_once)
    with pytest.raises(OSError, match="no space"):
        session.apply(Prune((route[0],)))
    assert (session.head, session.overlay) == (1, overlay)
    assert torch.equal(session.logits(PROMPT), before)
    assert len(session.log()) == 2


def test_undo_and_redo_say_when_there_is_nothing_left(session: Session) -> None:
    with pytest.raises(UserError, match="nothing to undo"):
        session.undo()
    session.apply(Prune((ClusterId(3, 0),)))
    with pytest.raises(UserError, match="nothing to redo"):
        session.redo()
    assert session.undo().id == 0
    assert session.redo().id == 1
    assert session.checkout(0).id == 0
    with pytest.raises(UserError):
        session.checkout(7)


def test_a_revision_keeps_what_the_edit_did(session: Session) -> None:
    plan = session.plan(Prune((ClusterId(2, 0),)))
    revision = session.apply(plan.edit)
    assert (revision.verb, revision.title) == ("prune", "prune 2/0")
    assert revision.receipt["blocks"] == plan.blocks == len(revision.changes) == 4
    assert revision.receipt["bytes"] == plan.bytes
    assert session.diff(0, 1) == list(revision.changes)
    assert session.apply(Restore((ClusterId(2, 0),))).changes == tuple(Change(c.cluster, PRUNED, BASE) for c in revision.changes)


def test_a_blob_of_another_shape_in_a_study_is_refused(session: Session) -> None:
    route = session.route(PROMPT).clusters
    wrong = session.store.put_blob(torch.ones(3))
    with session.store.commit("swap", "a wrong one", [Change(route[0], BASE, BlockState(wrong))]):
        pass
    session._overlay = session.store.overlay()  # as a session that opens such a study has it
    with pytest.raises(UserError, match="has shape"):
        session.logits(PROMPT)


def test_neurons_of_a_pruned_block_are_none_of_its_stand_in(session: Session) -> None:
    cluster = session.route(PROMPT).clusters[-1]
    assert session.neurons(cluster)
    session.apply(Prune((cluster,)))
    assert session.neurons(cluster) == ()


def test_the_bank_s_files_are_never_touched(opens: OpenSession, tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in bank.rglob("*") if path.is_file()}
    session = opens(bank, study=tmp_path / "study")
    row = torch.zeros(session.bank.layouts[2].n)
    assert session.store.put_blob(row) == block_digest(row)
    session.apply(Prune((ClusterId(1, 0),)))
    session.logits(PROMPT)
    session.close()
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in bank.rglob("*") if path.is_file()} == before
