"""Documents taught to a bank: known afterwards, undone exactly, taken down again, and told by nothing that leaves."""

from pathlib import Path

import pytest

from memstudio.bank.block import block_digest
from memstudio.editing.erase import Erase
from memstudio.editing.learn import Learn, Learned
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.session import Session

NOTE = Learned("notes.txt", "The coin of copper is blue and belongs to the noble ring. The wire of lead is hot and known as a heavy gas.")


def figures(session: Session, edit: Learn) -> dict[str, float]:
    plan = session.plan(edit)
    row = plan.figures["learned"][0]
    return {"before": row["logprob_before"], "after": row["logprob_after"], "tokens": row["tokens"]}


def test_a_document_is_likelier_once_it_is_learnt(session: Session) -> None:
    found = figures(session, Learn((NOTE,)))
    assert found["tokens"] == 25
    assert found["after"] > found["before"] + 1.0


def test_only_blocks_on_the_document_s_routes_change_and_undo_gives_them_back(session: Session) -> None:
    texts = [NOTE.text, *NOTE.text.replace(". ", ".\n").splitlines()]
    reached = {cluster for path in session.routes(texts) for cluster in path}
    before = {cluster: block_digest(session.bank.block(cluster)) for cluster in reached}
    revision = session.apply(Learn((NOTE,)))
    assert revision.verb == "learn"
    assert {change.cluster.level for change in revision.changes} == {session.bank.tree.depth}
    assert reached & {change.cluster for change in revision.changes}
    session.undo()
    assert not session.overlay
    assert {cluster: block_digest(session.bank.block(cluster)) for cluster in reached} == before


def test_what_was_learnt_is_taken_down_again_by_its_name(session: Session) -> None:
    plan = session.plan(Learn((NOTE,)))
    session.apply(plan)
    gone = session.plan(Erase(learned=(NOTE,), where="path"))
    report = session.with_takedown(gone).receipt["takedown"]
    assert report["count"] >= 3
    assert all(probe["after"] < probe["before"] for probe in report["probes"])


def test_the_title_names_the_document_and_nothing_that_it_says(session: Session) -> None:
    assert Learn((NOTE,)).title == "learn notes.txt"


def test_a_patch_without_the_takedown_of_what_it_taught_is_refused(session: Session, tmp_path: Path) -> None:
    from memstudio.session.patching import export_patch

    taught = session.apply(Learn((NOTE,))).id
    session.apply(Erase(learned=(NOTE,), method="dampen"))
    with pytest.raises(UserError, match="took down"):
        export_patch(session, tmp_path / "patch", [taught])
    export_patch(session, tmp_path / "whole")
    for path in (tmp_path / "whole").rglob("*"):
        assert not path.is_file() or b"noble ring" not in path.read_bytes()


@pytest.mark.parametrize(
    ("documents", "says"),
    [((), "name a document"), ((Learned("a", " \n"),), "'a': holds no text"), ((Learned("b", "red " * 60_000),), "over 200000")],
)
def test_nothing_and_too_much_are_one_line(session: Session, documents: tuple[Learned, ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        session.plan(Learn(documents))


def test_a_document_whose_route_is_pruned_is_refused(session: Session) -> None:
    paths = set(session.routes([NOTE.text]))
    session.apply(Prune(tuple({cluster for path in paths for cluster in path})))
    with pytest.raises(UserError, match="has no block that could be written"):
        session.plan(Learn((NOTE,)))


def test_learning_can_be_kept_and_run_again(session: Session) -> None:
    from memstudio.editing.kinds import edit_from_json, edit_to_json

    kept = edit_to_json(Learn((NOTE,), "path"))
    assert kept is not None
    assert edit_from_json(kept) == Learn((NOTE,), "path")
