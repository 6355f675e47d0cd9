"""`memstudio build`: one command from a model and documents to a bank, an estimate first, bad input in one line; and the page about it."""

import re
import shlex
from pathlib import Path

import pytest

from memstudio.bank.bank import open_bank
from tests.cli.conftest import Shell, one_line
from tests.standin import use_word_encoder
from tests.tiny import make_anchor

PAGE = Path(__file__).parents[2] / "docs" / "own-bank.md"
TEXT = "The coin of copper is blue and belongs to the noble ring. The wire of lead is hot and known as a heavy gas. "
QUICK = ("--epochs", 2, "--widths", "2,4", "--branching", "2,2", "--window", 16)
LEARNT = ("--epochs", 40, "--widths", "4,12", "--branching", "2,2", "--window", 32, "--layers", "all")


@pytest.fixture(autouse=True)
def _encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    use_word_encoder(monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_anchor(tmp_path / "model")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for at, metal in enumerate(("gold", "tin", "iron", "silver")):
        (folder / f"{metal}.md").write_text(f"{metal} is the element number {at}. " + TEXT.replace("copper", metal))
    return folder


def test_one_command_makes_a_bank_and_says_what_came_of_it(shell: Shell, model: Path, documents: Path, tmp_path: Path) -> None:
    said = shell("build", "--anchor", model, "--corpus", documents, tmp_path / "bank", *LEARNT, "--json")
    assert said.status == 0, said.err
    assert [level["clusters"] for level in said.json["levels"]] == [2, 4]
    assert set(said.json["recall"]) == {"fetched", "generic", "none"}
    assert "corpus: 4 documents" in said.err
    open_bank(tmp_path / "bank").verify()


def test_several_paths_stand_before_the_folder_to_make(shell: Shell, model: Path, documents: Path, tmp_path: Path) -> None:
    one, two = documents / "gold.md", documents / "tin.md"
    said = shell("build", "--anchor", model, "--corpus", one, two, tmp_path / "bank", *QUICK, "--json")
    assert said.status == 0, said.err
    assert open_bank(tmp_path / "bank").manifest.recipe["corpus"] == ["gold.md", "tin.md"]


def test_an_estimate_writes_nothing(shell: Shell, model: Path, documents: Path, tmp_path: Path) -> None:
    said = shell("build", "--anchor", model, "--corpus", documents, "--estimate-only", tmp_path / "bank", *QUICK, "--json")
    assert said.status == 0, said.err
    assert said.json["branching"] == [2, 2]
    assert said.json["seconds"] > 0
    assert said.json["disk_bytes"] > said.json["bank_bytes"] > 0
    assert not list(tmp_path.glob("bank*"))


def test_a_recipe_says_the_same_as_flags(shell: Shell, model: Path, documents: Path, tmp_path: Path) -> None:
    assert shell("build", "--anchor", model, "--corpus", documents, tmp_path / "flags", *QUICK, "--name", "same").status == 0
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: same\nanchor: model\ncorpus: [texts]\nwindow: 16\ntree: {branching: [2, 2]}\n"
        "memory: {widths: [2, 4]}\ntraining: {epochs: 2}\n"
    )
    assert shell("build", recipe, tmp_path / "recipe").status == 0
    assert (tmp_path / "flags" / "bank.json").read_bytes() == (tmp_path / "recipe" / "bank.json").read_bytes()


def test_bad_input_is_one_line_and_makes_no_bank(shell: Shell, model: Path, documents: Path, tmp_path: Path) -> None:
    out = tmp_path / "bank"
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").write_text(" \n\t\n")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "key.yaml").write_text("anchor: model\ncorpus: [texts]\ntraining: {epoch: 3}\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "gpt2", "hidden_size": 8, "num_hidden_layers": 1}')
    cases: list[tuple[list[object], str]] = [
        (["--anchor", model, "--corpus", tmp_path / "empty", out], "no text in it"),
        (["--anchor", model, "--corpus", tmp_path / "blank.txt", out], "no text in it"),
        (["--anchor", model, "--corpus", tmp_path / "image.png", out], "not a text file"),
        (["--anchor", model, "--corpus", tmp_path / "nowhere", out], "no such file or folder"),
        (["--anchor", tmp_path / "nowhere", "--corpus", documents, out], "no such model folder"),
        (["--anchor", "nobody/nothing", "--corpus", documents, out], "nor in the model cache"),
        (["--anchor", tmp_path / "other", "--corpus", documents, out], "kind 'gpt2'"),
        (["--anchor", model, "--corpus", documents, out, "--layers", "7"], "names layer 7"),
        (["--anchor", model, "--corpus", documents, out, "--widths", "a,b"], "whole numbers"),
        (["--anchor", model, "--corpus", documents, out, "--widths", "2", "--branching", "2,2"], "memory.widths names 1 levels"),
        ([tmp_path / "key.yaml", out], "the nearest known one is 'epochs'"),
        ([tmp_path / "nowhere.yaml", out], "no such file"),
        ([out], "name RECIPE.yaml and OUT, or --anchor"),
    ]
    for words, says in cases:
        one_line(shell("build", *words), 2, says)
        assert not out.exists()


def test_a_tokenizer_of_another_model_is_refused(shell: Shell, model: Path, documents: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.add_tokens([f"word{at}" for at in range(50)])
    tokenizer.save(str(model / "tokenizer.json"))
    (documents / "gold.md").write_text("word49 " * 20)
    one_line(shell("build", "--anchor", model, "--corpus", documents, tmp_path / "bank", *QUICK), 2, "files of two models")


def test_the_commands_of_the_page_work(shell: Shell, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = {"MODEL": str(model), "DOCS": str(tmp_path / "texts")}
    (tmp_path / "texts").mkdir()
    for at in range(6):
        (tmp_path / "texts" / f"{at}.txt").write_text(f"The element number {at} is red. {TEXT}")
    ran = 0
    for line in "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)).splitlines():
        if not line.strip():
            continue
        words = [values.get(word.removeprefix("$"), word) if word.startswith("$") else word for word in shlex.split(line, comments=True)]
        if words[0] == "echo":
            Path(words[3]).write_text(words[1])
        elif words[0] == "memstudio":
            said = shell(*words[1:])
            assert said.status == 0, (line, said.err)
            ran += 1
        else:
            assert words[0].split("=")[0] in values, line
    assert ran == 10
