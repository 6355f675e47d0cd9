"""Evidence and its check in the shell."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.tiny import make_bank


@pytest.fixture
def out(shell: Shell, tiny_bank: Path, tmp_path: Path) -> Path:
    assert shell("prune", tiny_bank, "3/4", "--study", tmp_path / "study").status == 0
    said = shell("evidence", tmp_path / "study", tmp_path / "out", "--prompt", "gold is", "--json")
    assert said.status == 0
    assert said.json["revision"] == 1
    return tmp_path / "out"


def test_what_was_written_is_verified_and_a_lie_gives_status_1(shell: Shell, tiny_bank: Path, out: Path) -> None:
    said = shell("verify", out, "--bank", tiny_bank, "--json")
    assert said.status == 0
    assert said.json["ok"]
    assert said.json["agreed"] == said.json["count"] > 8
    body = json.loads((out / "evidence.json").read_text())
    body["prompts"][0]["after"]["text"] = "something else"
    (out / "evidence.json").write_text(json.dumps(body))
    lied = shell("verify", out, "--bank", tiny_bank)
    assert lied.status == 1
    assert "NOT agreed" in lied.out
    assert f"{said.json['count'] - 2} of {said.json['count']} figures agree" in lied.out, "the lie, and the page that does not tell it"


def test_bad_input_is_one_line_and_status_2(shell: Shell, tiny_bank: Path, out: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    for words in (
        ("evidence", tiny_bank, tmp_path / "new", "--study", tmp_path / "none"),
        ("evidence", study, out),
        ("evidence", study, tmp_path / "new", "--revisions", "7"),
        ("evidence", study, tmp_path / "new", "--prompt", " "),
        ("verify", tmp_path, "--bank", tiny_bank),
        ("verify", out, "--bank", study),
        ("verify", out, "--bank", make_bank(tmp_path / "other", seed=1)),
        ("verify", out, "--bank", tmp_path / "nowhere"),
    ):
        said = shell(*words)
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
