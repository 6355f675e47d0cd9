"""Documents taught to a bank: known afterwards, undone exactly, taken down again, and told by nothing that leaves."""

from pathlib import Path

import pytest

from memstudio.bank.block import block_digest
from memstudio.editing.erase import Erase, Method
from memstudio.editing.learn import Learn, Learned
from memstudio.editing.lessons import Lesson
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.session import Session
from memstudio.session.graph import purge
from tests.session.conftest import OpenSession

NOTE = Learned("notes.txt", "The coin of copper is blue and belongs to the noble ring. The wire of lead is hot and known as a heavy gas.")


def figures(session: Session, edit: Learn) -> dict[str, float]:
    plan = session.plan(edit)
    row = plan.figures["learned"][0]
    return {"before": row["logprob_before"], "after": row["logprob_after"], "tokens": row["tokens"]}


def test_a_document_is_likelier_once_it_is_learnt(session: Session) -> None:
    found = figures(session, Learn((NOTE,), steps=60))
    assert found["tokens"] == 25
    assert found["after"] > found["before"] + 1.0


def test_only_blocks_on_the_document_s_routes_change_and_undo_gives_them_back(session: Session) -> None:
    texts = [NOTE.text, *NOTE.text.replace(". ", ".\n").splitlines()]
    reached = {cluster for path in session.routes(texts) for cluster in path}
    before = {cluster: block_digest(session.bank.block(cluster)) for cluster in reached}
    revision = session.apply(Learn((NOTE,), steps=20))
    assert revision.verb == "learn"
    assert {change.cluster.level for change in revision.changes} == {session.bank.tree.depth}
    assert reached & {change.cluster for change in revision.changes}
    session.undo()
    assert not session.overlay
    assert {cluster: block_digest(session.bank.block(cluster)) for cluster in reached} == before


@pytest.mark.parametrize("method", ["dampen", pytest.param("tuned", marks=pytest.mark.slow)])
def test_what_was_learnt_is_taken_down_again_by_its_name(session: Session, method: Method) -> None:
    plan = session.plan(Learn((NOTE,), steps=60))
    session.apply(plan)
    gone = session.plan(Erase(learned=(NOTE,), where="path", method=method))
    report = session.with_takedown(gone).receipt["takedown"]
    assert report["count"] >= 3
    assert all(probe["after"] < probe["before"] for probe in report["probes"])


def test_the_title_names_the_document_and_nothing_that_it_says(session: Session) -> None:
    assert Learn((NOTE,)).title == "learn notes.txt"


def test_a_patch_without_the_takedown_of_what_it_taught_is_refused(session: Session, tmp_path: Path) -> None:
    from memstudio.session.patching import export_patch

    taught = session.apply(Learn((NOTE,), steps=20)).id
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
        session.plan(Learn((NOTE,), steps=60))


def test_learning_can_be_kept_and_run_again(session: Session) -> None:
    from memstudio.editing.kinds import edit_from_json, edit_to_json

    kept = edit_to_json(Learn((NOTE,), "path"))
    assert kept is not None
    assert edit_from_json(kept) == Learn((NOTE,), "path")


def test_steps_bound_the_work_and_a_loss_that_no_longer_falls_ends_it(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from memstudio.editing import learn, tuned

    few = session.plan(Learn((NOTE,), steps=3)).figures["steps"]
    blocks = few // 3
    assert few == 3 * blocks > 0
    monkeypatch.setattr(learn, "_SAID", 2.0)  # never there
    monkeypatch.setattr(learn, "_SAID_LATE", 2.0)
    monkeypatch.setattr(learn, "_FLAT", 1.0)  # any loss is level
    monkeypatch.setattr(tuned, "_LEVEL", 10)
    assert session.plan(Learn((NOTE,), steps=200)).figures["steps"] == 20 * blocks


def test_a_step_takes_few_tokens_of_a_long_document_and_yet_all_is_learnt(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from memstudio.editing import tuned

    monkeypatch.setattr(tuned, "_LONG", 0)
    monkeypatch.setattr(tuned, "LONG_A_STEP", 12)
    some = tuned._Tuning._some
    drawn: list[list[Lesson]] = []
    given: set[Lesson] = set()

    def counted(self: tuned._Tuning) -> list[Lesson]:
        drawn.append(some(self))
        given.update(self._lessons)
        return drawn[-1]

    monkeypatch.setattr(tuned._Tuning, "_some", counted)
    found = figures(session, Learn((NOTE,), steps=60))
    assert found["after"] > found["before"] + 1.0
    assert all(len(lessons) == 1 or sum(len(lesson.answer) for lesson in lessons) <= 12 for lessons in drawn)
    assert {lesson for lessons in drawn for lesson in lessons} == given
    assert max(len(lesson.answer) for lesson in given) > 12


@pytest.mark.parametrize("above", [False, True])
def test_after_a_takedown_and_a_purge_no_file_of_the_study_tells_what_was_learnt(opens: OpenSession, study: Path, above: bool) -> None:
    session = opens(study=study)
    session.apply(Learn((NOTE,), steps=20))
    elsewhere = session.routes([NOTE.text])[0][:1] if above else ()  # the blocks that learnt it stay as they are
    session.apply(Erase(learned=(NOTE,), method="dampen", blocks=elsewhere))
    assert any(b"noble ring" in path.read_bytes() for path in study.rglob("*") if path.is_file())
    purge(session)
    assert not [path for path in study.rglob("*") if path.is_file() and b"noble ring" in path.read_bytes()]
    assert [revision.title for revision in session.log()][1:] == ["learn, purged", "erase, purged"]
