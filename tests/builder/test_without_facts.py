"""A bank built from documents has no facts: it is edited, erased from, pruned, proved and exported by its probes, and says so."""

from pathlib import Path

import pytest

from memstudio.bank.values import ClusterId
from memstudio.builder.build import build
from memstudio.builder.recipe import Recipe
from memstudio.cli import main
from memstudio.editing.erase import Erase
from memstudio.editing.prune import Prune
from memstudio.editing.update import Update
from memstudio.facts.score import beginning
from memstudio.session import Session
from memstudio.session.opening import open_session
from memstudio.session.patching import apply_patch, export_patch
from tests.builder.conftest import small_recipe, write_documents
from tests.standin import use_word_encoder

pytestmark = pytest.mark.usefixtures("words")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so read it only."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        use_word_encoder(patch)
        return build(small_recipe(folder, write_documents(folder)), folder / "bank", log=lambda _: None).path


@pytest.fixture
def session(bank: Path, tmp_path: Path) -> Session:
    return open_session(bank, study=tmp_path / "study", device="cpu")


def test_scores_count_probes_and_say_so(session: Session, bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with session:
        scores = session.score()
    assert scores.by_kind == {"probe": scores.accuracy}
    assert main(["facts", str(bank)]) == 0
    said = capsys.readouterr().out
    assert f"{scores.count} probes" in said
    assert "fact" not in said.splitlines()[0]


def test_an_update_of_a_probe_is_measured_on_the_others(session: Session) -> None:
    with session:
        probe = session.facts()[0]
        request = session.request(probe.prompt, "gold", phrasings=())
        revision = session.apply(Update((request.fact,)), measure=True)
        proportions = revision.receipt["proportions"]
        assert proportions["reliability"]["k"] == 1
        assert session.run(probe.prompt).text.strip().startswith("gold")
        assert proportions["locality"]["n"] > 0


def test_an_erased_probe_is_not_said_any_more(session: Session) -> None:
    with session:
        probe = max(session.facts(), key=lambda fact: session.score([fact]).accuracy or 0)
        assert session.score([probe]).accuracy == 1.0
        plan = session.with_takedown(session.plan(Erase((probe,)), measure=True))
        report = plan.receipt["takedown"]
        assert report["within"] == report["count"] == 1
        assert report["probes"][0]["extracted_before"]
        assert not report["probes"][0]["extracted"]
        session.apply(plan)
        assert session.score([probe]).accuracy == 0.0


def test_a_document_of_the_corpus_can_be_erased(session: Session) -> None:
    with session:
        document = session.bank.documents_of(session.routes([session.facts()[0].prompt])[0][-1])[0]
        report = session.with_takedown(session.plan(Erase(documents=(document.document,)))).receipt["takedown"]
        assert report["probes"][0]["after"] < report["probes"][0]["before"]


def test_a_pruned_leaf_changes_its_own_probes_and_no_others(session: Session) -> None:
    with session:
        leaf = next(ClusterId(2, index) for index in range(4) if session.bank.tree.present(ClusterId(2, index)))
        before = {row.fact: row.got for row in session.score().facts}
        receipt = session.apply(Prune((leaf,)), measure=True).receipt
        after = {row.fact: row.got for row in session.score().facts}
        moved = {name for name in before if before[name] != after[name]}
        relations = {fact.id: fact.relation for fact in session.facts()}
        assert moved
        assert {relations[name] for name in moved} == {str(leaf)}
        assert receipt["proportions"]["locality"]["n"] == sum(relation == str(leaf) for relation in relations.values())


def test_patch_and_evidence_hold_elsewhere(session: Session, bank: Path, tmp_path: Path) -> None:
    with session:
        probe = session.facts()[0]
        session.apply(Update((session.request(probe.prompt, "gold", phrasings=()).fact,)), measure=True)
        export_patch(session, tmp_path / "patch")
    with open_session(bank, study=tmp_path / "other", device="cpu") as other:
        apply_patch(other, tmp_path / "patch")
        assert other.run(probe.prompt).text.strip().startswith("gold")
    assert main(["evidence", str(tmp_path / "study"), str(tmp_path / "evidence")]) == 0
    assert main(["verify", str(tmp_path / "evidence"), "--bank", str(bank)]) == 0


def test_a_probe_is_judged_by_its_first_words() -> None:
    assert beginning("red and hot, by the wire", "red and") == "red and"
    assert beginning("red and, hot", "red and") == "red and"
    assert beginning("reddish and hot", "red and") != "red and"
    assert beginning("", "red") == ""


def test_a_bank_with_neither_facts_nor_probes_can_be_edited(recipe: Recipe, tmp_path: Path) -> None:
    bare = recipe.model_copy(update={"probes": 0, "training": recipe.training.model_copy(update={"epochs": 1.0})})
    build(bare, tmp_path / "bare", log=lambda _: None)
    with open_session(tmp_path / "bare", device="cpu") as session:
        assert session.facts() == []
        leaf = next(ClusterId(2, index) for index in range(4) if session.bank.tree.present(ClusterId(2, index)))
        receipt = session.apply(Prune((leaf,)), measure=True).receipt
        assert "locality" not in receipt["proportions"]
        session.undo()
    assert main(["facts", str(tmp_path / "bare")]) == 2
