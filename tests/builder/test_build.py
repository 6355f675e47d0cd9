"""A bank from a model and documents: built in stages, gone on with after any end, merged from parts, and known by its probes."""

import errno
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId
from memstudio.builder import build as stages
from memstudio.builder.build import Share, build
from memstudio.builder.built import Built
from memstudio.builder.estimate import estimate
from memstudio.builder.recipe import Recipe
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.session.opening import open_session
from tests.builder.conftest import small_recipe, write_documents
from tests.standin import use_word_encoder

pytestmark = pytest.mark.usefixtures("words")


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The recipe's bank with all its training; shared, so read it only."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        use_word_encoder(patch)
        return build(small_recipe(place, write_documents(place)), place / "bank", log=quiet)


def with_(recipe: Recipe, part: str, **values: object) -> Recipe:
    return recipe.model_copy(update={part: getattr(recipe, part).model_copy(update=values)})


class Killed(Job):
    """Ends at the n-th time that it is told of progress."""

    def __init__(self, at: int) -> None:
        super().__init__("build")
        self.left = at
        self.where = ""

    def progress(self, done: int, total: int | None = None) -> None:
        self.left -= 1
        if self.left == 0:
            self.where = self.title
            raise Cancelled(self.title)
        super().progress(done, total)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_fetched_path_knows_the_documents_better_than_the_generic_one_and_that_better_than_none(trained: Built) -> None:
    bank = open_bank(trained.path)
    bank.verify()
    assert [level["clusters"] for level in trained.levels] == [2, 4]
    perplexity = bank.manifest.recipe["perplexity"]
    assert isinstance(perplexity, dict)
    assert perplexity["fetched"] < perplexity["generic"] < perplexity["none"]


def test_probes_are_answered_with_their_blocks_and_not_without(trained: Built, tmp_path: Path) -> None:
    with open_session(trained.path, study=tmp_path / "study") as session:
        probes = session.facts()
        assert probes
        assert {probe.kind for probe in probes} == {"probe"}
        for probe in probes:
            text, path = session.bank.document(probe.id.rsplit("/", 1)[0]) or ("", ())
            assert f"{probe.prompt} {probe.expected}" in text
            assert session.routes([probe.prompt])[0] == path
            assert probe.relation == str(path[-1])
        assert (session.score().accuracy or 0) >= 0.9
        assert (session.score(memory="none").accuracy or 0) <= 0.3
        session.apply(Prune(tuple(ClusterId(2, index) for index in range(4) if session.bank.tree.present(ClusterId(2, index)))))
        assert (session.score().accuracy or 0) < 0.9


def test_a_cluster_is_labelled_by_its_documents_words(trained: Built) -> None:
    bank = open_bank(trained.path)
    for level in (1, 2):
        for card in bank.cards(level):
            texts = " ".join(near.text for near in bank.documents_of(card.cluster))
            assert card.terms
            assert all(term in texts.casefold() for term in card.terms)


def test_a_build_that_was_cut_short_anywhere_gives_the_same_bytes(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memstudio.builder.train._KEEP_BYTES", 1)  # a checkpoint after each step
    whole, pieces = tmp_path / "whole" / "bank", tmp_path / "pieces" / "bank"
    few = with_(recipe, "training", epochs=5.0)
    build(few, whole, log=quiet)
    met: set[str] = set()
    for at in itertools.cycle((1, 2, 3, 5, 8)):
        job = Killed(at)
        try:
            build(few, pieces, log=quiet, job=job)
        except Cancelled:
            met.add(job.where)
        else:
            break
    shutil.rmtree(pieces)
    with pytest.raises(Cancelled, match="probing"):
        build(few, pieces, log=quiet, job=Killed(2))
    build(few, pieces, log=quiet)
    assert {"reading the documents", "encoding", "growing the tree", "training 1 of 3", "training 3 of 3"} <= met
    assert files(whole) == files(pieces)


@pytest.mark.parametrize("mode", ["frozen", "cotrain"])
def test_a_training_goes_on_from_its_last_checkpoint(recipe: Recipe, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    few = with_(recipe, "training", epochs=8.0, mode=mode)
    build(few, tmp_path / "whole" / "bank", log=quiet)
    monkeypatch.setattr("memstudio.builder.train._KEEP_SECONDS", 0.0)
    with pytest.raises(Cancelled):
        build(few, tmp_path / "pieces" / "bank", log=quiet, job=Killed(30))
    states = sorted((tmp_path / "pieces" / "bank.build").rglob("state.json"))
    assert states
    build(few, tmp_path / "pieces" / "bank", log=quiet)
    assert files(tmp_path / "whole" / "bank") == files(tmp_path / "pieces" / "bank")


def test_parts_trained_apart_merge_to_the_same_bank(recipe: Recipe, tmp_path: Path) -> None:
    few = with_(recipe, "training", epochs=5.0)
    build(few, tmp_path / "whole" / "bank", log=quiet)
    here, there = tmp_path / "here" / "bank", tmp_path / "there" / "bank"
    assert build(few, here, log=quiet, share=Share(("generic",))).levels == []
    shutil.copytree(here.with_name("bank.build"), there.with_name("bank.build"))
    assert build(few, there, log=quiet, share=Share(("subtree-1",))).levels == []
    assert not (there / "bank.json").exists()
    for path in there.with_name("bank.build").glob("jobs-*/subtree-1"):
        shutil.copytree(path, here.with_name("bank.build") / path.parent.name / path.name)
    assert build(few, here, log=quiet).levels
    assert files(tmp_path / "whole" / "bank") == files(here)


def test_ranks_share_the_jobs_between_them(recipe: Recipe, tmp_path: Path) -> None:
    few = with_(recipe, "training", epochs=5.0)
    out = tmp_path / "bank"
    build(few, out, log=quiet, share=Share(("subtree-0",)))  # what rank 0 does before training is there
    build(few, out, log=quiet, share=Share((), 1, 2))
    done = {path.parent.name for path in out.with_name("bank.build").rglob("done.json")}
    assert done == {"subtree-0", "subtree-1"}
    build(few, out, log=quiet, share=Share((), 0, 2))
    assert open_bank(out).name == "small"


def test_an_unknown_part_is_named_with_those_there_are(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'subtree-9'; they are subtree-0, subtree-1, generic"):
        build(recipe, tmp_path / "bank", log=quiet, share=Share(("subtree-9",)))


def test_another_bank_is_never_written_over(recipe: Recipe, tmp_path: Path) -> None:
    few = with_(recipe, "training", epochs=1.0)
    build(few, tmp_path / "bank", log=quiet)
    before = files(tmp_path / "bank")
    build(few, tmp_path / "bank", log=quiet)
    assert files(tmp_path / "bank") == before
    with pytest.raises(UserError, match="already holds another bank"):
        build(with_(few, "tree", seed=5), tmp_path / "bank", log=quiet)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not empty"):
        build(few, tmp_path / "mine", log=quiet)


def test_fewer_windows_than_leaves_shrink_the_tree_and_say_so(recipe: Recipe, tmp_path: Path) -> None:
    said: list[str] = []
    few = with_(with_(with_(recipe, "tree", branching=[5, 5]), "training", epochs=1.0), "memory", widths=[2, 2])
    built = build(few, tmp_path / "bank", log=said.append)
    assert any("the tree shrinks from 5/5" in line for line in said)
    assert built.levels[-1]["clusters"] == 12


def test_a_full_disk_is_one_line_and_the_build_goes_on_later(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Iterator[str]:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    few = with_(recipe, "training", epochs=1.0)
    with monkeypatch.context() as patch:
        patch.setattr(stages, "write_built", full)
        with pytest.raises(UserError, match="the disk is full"):
            build(few, tmp_path / "bank", log=quiet)
    assert build(few, tmp_path / "bank", log=quiet).levels


def test_cotraining_moves_the_anchor_and_ships_it(recipe: Recipe, tmp_path: Path) -> None:
    build(with_(recipe, "training", epochs=3.0, mode="cotrain"), tmp_path / "bank", log=quiet)
    bank = open_bank(tmp_path / "bank")
    bank.verify()
    model = Path(recipe.anchor)
    assert (bank.folder / "anchor" / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()
    assert (bank.folder / "anchor" / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(
    ("memory", "widths"),
    [
        ({"layers": [1], "widths": [0, 4]}, [0, 4]),
        ({"ramp": True, "widths": [2, 4]}, [[2, 4], [4, 8]]),
        ({"layers": "late", "widths": [3, 3]}, [3, 3]),
        ({"layers": "all", "widths": [0, 0]}, [0, 0]),
    ],
)
def test_any_layers_and_widths_can_be_built(recipe: Recipe, tmp_path: Path, memory: dict[str, object], widths: list[object]) -> None:
    built = build(with_(with_(recipe, "memory", **memory), "training", epochs=1.0), tmp_path / "bank", log=quiet)
    assert [level["width"] for level in built.levels] == widths
    with open_session(tmp_path / "bank") as session:
        assert session.run("The ring of gold is").tokens


def test_nothing_of_this_machine_stands_in_the_bank(recipe: Recipe, tmp_path: Path) -> None:
    build(with_(recipe, "training", epochs=1.0), tmp_path / "bank", log=quiet)
    for name, raw in files(tmp_path / "bank").items():
        assert str(tmp_path).encode() not in raw, name


def test_an_estimate_counts_what_the_build_then_makes(recipe: Recipe, tmp_path: Path) -> None:
    expected = estimate(recipe)
    assert (expected.documents, expected.windows, expected.exact) == (12, 12, True)
    assert expected.branching == [2, 2]
    built = build(with_(recipe, "training", epochs=1.0), tmp_path / "bank", log=quiet)
    made = open_bank(built.path).info()
    assert expected.fetched_parameters == made["fetched_parameters"]
    assert expected.bank_parameters == int(str(made["bank_parameters"])) + int(str(made["generic_parameters"]))
    assert set(expected.by_stage) == {"read", "embed", "cluster", "train", "probe", "write"}
    assert expected.seconds == pytest.approx(sum(expected.by_stage.values()))
