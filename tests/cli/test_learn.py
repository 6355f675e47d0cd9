"""`memstudio learn`: a file into a study, and out of it again."""

from pathlib import Path

import pytest

from memstudio.bank.bank import open_bank
from tests.cli.conftest import Shell, one_line
from tests.standin import use_tiny_encoder
from tests.tiny import make_bank


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_tiny_encoder(monkeypatch)
    return make_bank(tmp_path / "bank")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("The coin of copper is blue and belongs to the noble ring.")
    return path


def test_a_file_is_learnt_and_erased_by_its_name(shell: Shell, bank: Path, note: Path, tmp_path: Path) -> None:
    study = tmp_path / "mine"
    said = shell("learn", bank, note, "--study", study, "--steps", "20", "--anyway", "a random bank holds nothing still", "--json")
    assert said.status == 0, said.err
    assert said.json["receipt"]["figures"]["learned"][0]["document"] == "note.txt"
    gone = shell("erase", study, "--document", "note.txt", "--method", "dampen", "--anyway", "as above", "--json")
    assert gone.status == 0, gone.err
    assert gone.json["revision"] == 2
    assert open_bank(bank).document("note.txt") is None


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "no text in it"), (b"\x00\x01\x02", "not a text file"), (b"red " * 60_000, "build a bank over them")],
)
def test_files_that_cannot_be_learnt_are_one_line_and_begin_no_study(
    shell: Shell, bank: Path, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    said = shell("learn", bank, path, "--study", tmp_path / "mine")
    one_line(said, 2, says)
    assert not (tmp_path / "mine").exists()


def test_every_text_that_was_learnt_under_a_name_is_erased_by_it(shell: Shell, bank: Path, note: Path, tmp_path: Path) -> None:
    study, go = tmp_path / "mine", ("--anyway", "a random bank holds nothing still", "--json")
    assert shell("learn", bank, note, "--study", study, "--steps", "10", *go).status == 0
    note.write_text("The wire of lead is hot and known as a heavy gas.")
    assert shell("learn", study, note, "--steps", "10", *go).status == 0
    gone = shell("erase", study, "--document", "note.txt", "--method", "dampen", *go)
    assert gone.status == 0, gone.err
    asked = [probe["prompt"] for probe in gone.json["receipt"]["takedown"]["probes"]]
    assert any("copper" in prompt for prompt in asked)
    assert any("lead" in prompt for prompt in asked)


def test_a_dry_run_says_what_would_be_learnt_and_begins_no_study(shell: Shell, bank: Path, note: Path, tmp_path: Path) -> None:
    said = shell("learn", bank, note, "--study", tmp_path / "mine", "--steps", "5", "--dry-run")
    assert said.status == 0, said.err
    assert "would change" in said.out
    assert "note.txt: -" in said.out
    assert not (tmp_path / "mine").exists()


def test_no_document_and_no_steps_are_refused(shell: Shell, bank: Path, note: Path, tmp_path: Path) -> None:
    assert shell("learn", bank).status == 2
    assert shell("learn", bank, note, "--steps", "0").status == 2
    one_line(shell("learn", bank, tmp_path / "absent.txt"), 2, "no such file or folder")
