"""`memstudio import`: what it says of a checkpoint, and that a bad one is one line and leaves nothing."""

from pathlib import Path

import pytest
import torch
import typer

from memstudio.bank.bank import open_bank
from memstudio.cli import app, importing
from memstudio.errors import UserError
from tests.checkpoint import RAMP, make_centroids, make_weights, save, tensors_of
from tests.cli.conftest import Shell, one_line
from tests.tiny import make_anchor


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    return make_anchor(tmp_path / "anchor")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Memory in the published layout, with a ramp, beside a tensor that is no part of it."""
    return save(tmp_path / "ck.safetensors", tensors_of(make_weights(RAMP)), make_centroids(), {"model.norm.weight": torch.ones(32)})


def test_it_says_what_it_found_and_what_it_could_not_map(shell: Shell, checkpoint: Path, anchor: Path, tmp_path: Path) -> None:
    said = shell("import", checkpoint, tmp_path / "bank", "--anchor", anchor, "--name", "mine", "--json")
    assert (said.status, said.err) == (0, "")
    assert said.json["not_mapped"] == [{"name": "model.norm.weight", "dtype": "float32", "shape": [32]}]
    assert said.json["levels"][2] == {"level": 3, "clusters": 27, "width": [1, 2], "shape": "ramp", "r": 1}
    assert (said.json["layers"], said.json["dtype"], said.json["generic"], said.json["tensors"]) == ([0, 1], "float32", True, 18)
    assert open_bank(tmp_path / "bank").name == "mine"
    plain = shell("import", checkpoint, tmp_path / "other", "--anchor", anchor, "--dtype", "bfloat16")
    assert plain.status == 0
    for part in ("18 tensors", "layers 0, 1", "bfloat16 (stored as float32)", "ramp, r = 4", "model.norm.weight", "left out"):
        assert part in plain.out


def test_the_imported_bank_runs(shell: Shell, checkpoint: Path, anchor: Path, tmp_path: Path) -> None:
    assert shell("import", checkpoint, tmp_path / "bank", "--anchor", anchor).status == 0
    routed, generic, none = (
        shell("run", tmp_path / "bank", "gold is", *more, "--json").json["top"]
        for more in (["--route", "3/22"], ["--memory", "generic", "--route", "3/22"], ["--memory", "none"])
    )
    assert routed != none
    assert generic not in (routed, none)


def test_a_tree_of_its_own(shell: Shell, anchor: Path, tmp_path: Path) -> None:
    blocks = save(tmp_path / "ck.pt", tensors_of(make_weights()))
    one_line(shell("import", blocks, tmp_path / "bank", "--anchor", anchor), 2, "--tree", "centroids")
    tree = save(tmp_path / "tree.pt", make_centroids(documents=False))
    said = shell("import", blocks, tmp_path / "bank", "--anchor", anchor, "--tree", tree)
    assert (said.status, "every tensor was mapped" in said.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.pt", "BANK", "--anchor", "ANCHOR"], "nowhere.pt"),
        (["ANCHOR/config.json", "BANK", "--anchor", "ANCHOR"], "config.json"),
        (["CK", "BANK"], "--anchor"),
        (["CK", "BANK", "--anchor", "nowhere"], "nowhere"),
        (["CK", "ANCHOR", "--anchor", "ANCHOR"], "already"),
        (["CK", "BANK", "--anchor", "ANCHOR", "--dtype", "float8"], "--dtype"),
        (["CK", "BANK", "--anchor", "ANCHOR", "--name", "a/b"], "--name"),
        (["CK", "BANK", "--anchor", "ANCHOR", "--tree", "ANCHOR/model.safetensors"], "no tree"),
        (["CK", "BANK", "--anchor", "ANCHOR", "--encoder", "ANCHOR"], "another encoder"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_bad_input_is_one_line(shell: Shell, checkpoint: Path, anchor: Path, tmp_path: Path, words: list[str], says: str) -> None:
    places = {"CK": checkpoint, "BANK": tmp_path / "bank"}
    given = [str(places.get(word, word)).replace("ANCHOR", str(anchor)) for word in words]
    one_line(shell("import", *given), 2, says)
    assert not (tmp_path / "bank").exists()


def test_export_gives_the_file_that_import_reads(
    shell: Shell, checkpoint: Path, anchor: Path, tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell("import", checkpoint, tmp_path / "one", "--anchor", anchor, "--name", "x")
    importing.export_published(str(tmp_path / "one"), tmp_path / "back.safetensors", json=False)
    assert "18 tensors" in capsys.readouterr().out
    again = shell("import", tmp_path / "back.safetensors", tmp_path / "two", "--anchor", anchor, "--name", "x", "--json")
    assert again.json["not_mapped"] == []
    names = ["blocks/level-1.safetensors", "blocks/level-3.safetensors", "retriever/tree.safetensors"]
    one, two = (open_bank(tmp_path / name).manifest.files for name in ("one", "two"))
    assert [one[name] for name in names] == [two[name] for name in names]
    with pytest.raises(UserError, match="not a bank"):
        importing.export_published(str(study), tmp_path / "study.safetensors", json=True)


def test_the_help_names_every_option() -> None:
    command = typer.main.get_command(app).commands["import"]  # type: ignore[attr-defined]
    assert {name for parameter in command.params for name in parameter.opts} >= {
        "--anchor",
        "--tree",
        "--name",
        "--dtype",
        "--encoder",
        "--json",
    }
