"""`export --as dense`: one route as an ordinary model folder, from the shell."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from tests.cli.conftest import Shell, one_line


def test_a_route_becomes_a_model_that_transformers_loads(shell: Shell, tiny_bank: Path, study: Path, tmp_path: Path) -> None:
    said = shell("export", tiny_bank, tmp_path / "a", "--as", "dense", "--route", "3/13", "--json")
    assert said.status == 0, said
    found = said.json
    assert (found["path"], found["route"], found["revision"]) == (str(tmp_path / "a"), ["1/1", "2/4", "3/13"], 0)
    assert found["difference"] < 1e-3
    assert found["inner"] == [64, 78]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "a").config.intermediate_size == 78
    people = shell("export", study, tmp_path / "b", "--as", "dense", "--route", "The atomic number of gold is", "--dtype", "bfloat16")
    assert people.status == 0, people
    assert "revision 1" in people.out
    assert "rounded to bfloat16" in people.out
    assert "recall on this route" in people.out
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "b").dtype == torch.bfloat16


def test_what_is_wrong_is_one_line_and_nothing_is_left(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    for words, part in (
        ([], "name it with --route TEXT"),
        (["--route", "3/99"], "no such cluster"),
        (["--route", "3/13", "--dtype", "int8"], "choose one of float32"),
        (["--route", "3/13", "--budget", "25%"], "--budget: goes with --as bank"),
    ):
        one_line(shell("export", tiny_bank, tmp_path / "out", "--as", "dense", *words), 2, part)
    one_line(shell("export", tiny_bank, tmp_path / "out", "--as", "bank", "--route", "3/13"), 2, "--route: goes with --as dense")
    assert not list(tmp_path.glob("out*"))
