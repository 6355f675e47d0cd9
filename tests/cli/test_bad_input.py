"""Bad input: one line on stderr that says what and where, exit status 2, nothing on stdout, nothing changed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from memstudio.session import open_session
from tests.bank.damage import edit_header, edit_manifest, write_with_header
from tests.cli.conftest import Said, Shell
from tests.tiny import make_bank

BLOCKS = "blocks/level-3.safetensors"


def refused(said: Said, *says: str) -> None:
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("memstudio: ")
    assert said.err.count("\n") == 1
    for text in says:
        assert text in said.err


@pytest.fixture
def bank(tmp_path: Path, tiny_bank: Path) -> Path:
    """A bank of one's own to damage."""
    return Path(shutil.copytree(tiny_bank, tmp_path / "bank"))


def _no_manifest(bank: Path) -> None:
    (bank / "bank.json").unlink()


def _not_json(bank: Path) -> None:
    (bank / "bank.json").write_text("{")


def _wrong_type(bank: Path) -> None:
    edit_manifest(bank, lambda body: body.update(hidden_size="32"))


def _wrong_field(bank: Path) -> None:
    edit_manifest(bank, lambda body: body.update(extra=1))


def _missing_file(bank: Path) -> None:
    (bank / BLOCKS).unlink()


def _short_file(bank: Path) -> None:
    os.truncate(bank / BLOCKS, 100)


def _absurd_header(bank: Path) -> None:
    path = bank / BLOCKS
    path.write_bytes((1 << 60).to_bytes(8, "little") + path.read_bytes()[8:])


def _bad_header(bank: Path) -> None:
    write_with_header(bank / BLOCKS, b"[1, 2", b"")


def _wrong_shape(bank: Path) -> None:
    edit_header(bank, BLOCKS, lambda header: header["blocks"].update(shape=[14, header["blocks"]["shape"][1] * 2]))


def _path_that_leaves(bank: Path) -> None:
    edit_manifest(bank, lambda body: body["files"].update({"../elsewhere.json": body["files"]["facts.jsonl"]}))


def _link_that_leaves(bank: Path) -> None:
    outside = bank.parent / "outside.safetensors"
    shutil.move(bank / BLOCKS, outside)
    (bank / BLOCKS).symlink_to(outside)


def _pickle(bank: Path) -> None:
    (bank / "blocks" / "level-1.pt").write_bytes(b"\x80\x04.")


DAMAGE = [
    _no_manifest,
    _not_json,
    _wrong_type,
    _wrong_field,
    _missing_file,
    _short_file,
    _absurd_header,
    _bad_header,
    _wrong_shape,
    _path_that_leaves,
    _link_that_leaves,
    _pickle,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__.strip("_"))
@pytest.mark.parametrize("line", ["info BANK", "run BANK gold --route 3/0", "prune BANK 3/0"], ids=lambda line: line.split()[0])
def test_a_damaged_bank_is_refused(shell: Shell, bank: Path, data: Path, damage: Callable[[Path], None], line: str) -> None:
    damage(bank)
    refused(shell(*(word.replace("BANK", str(bank)) for word in line.split()), "--json"), str(bank))
    assert not data.exists()


def test_a_wrong_checksum_is_found_by_verify(shell: Shell, bank: Path) -> None:
    raw = bytearray((bank / BLOCKS).read_bytes())
    raw[-1] ^= 1
    (bank / BLOCKS).write_bytes(raw)
    assert shell("info", bank).status == 0
    refused(shell("info", bank, "--verify"), BLOCKS, "checksum")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["info", "no-such-folder"], "no-such-folder"),
        (["info", "BANK/blocks"], "not a bank"),
        (["info", "BANK/bank.json"], "bank.json"),
        (["run", "BANK", ""], "empty"),
        (["run", "BANK", " \n"], "empty"),
        (["run", "BANK", "gold " * 300], "at most 256"),
        (["run", "BANK", "gold", "--key", " "], "empty"),
        (["run", "BANK", "gold", "--route", "1/0,2/8"], "not one path"),
        (["run", "BANK", "gold", "--route", "3/27"], "3/26"),
        (["run", "BANK", "gold", "--route", "gold"], "LEVEL/INDEX"),
        (["run", "BANK", "gold", "--route", ""], "LEVEL/INDEX"),
        (["run", "BANK", "gold", "--max-tokens", "0"], "at least 1"),
        (["run", "BANK", "gold", "--max-tokens", "ten"], "--max-tokens"),
        (["run", "BANK", "gold", "--temperature", "-1"], "temperature"),
        (["run", "BANK", "gold", "--temperature", "nan"], "temperature"),
        (["run", "BANK", "gold", "--top-p", "0"], "top-p"),
        (["run", "BANK", "gold", "--memory", "some"], "--memory"),
        (["run", "BANK", "gold", "--device", "abacus"], "--device"),
        (["run", "BANK", "gold", "--hide", "9/9"], "levels 1 to 3"),
        (["run", "BANK", "gold", "--anchor", "no-such-folder"], "no-such-folder"),
        (["trace", "BANK", ""], "empty"),
        (["trace", "BANK", "gold", "--answer", ""], "empty"),
        (["trace", "BANK", "gold", "--against", "47"], "--answer"),
        (["route", "BANK", ""], "empty"),
        (["prune", "BANK", "3/27"], "3/26"),
        (["prune", "BANK", "0/0"], "LEVEL/INDEX"),
        (["prune", "BANK", "3/-1"], "3/-1"),
        (["prune", "BANK"], "CLUSTER"),
        (["prune", "BANK", "3/1", "--orphan", "--subtree"], "--orphan"),
        (["restore", "BANK", "3/1"], "as shipped already"),
        (["facts", "BANK", "no-such-file"], "no-such-file"),
        (["facts", "BANK", "BANK/bank.json"], "line 1"),
        (["facts", "BANK", "--relation", "colour"], "atomic number"),
        (["facts", "BANK", "--hide", "1/9"], "1/2"),
        (["facts", "BANK", "--levels", "4"], "levels 4"),
        (["facts", "BANK", "--revision", "1"], "as shipped"),
        (["facts", "BANK", "--staircase", "--levels", "1"], "--staircase"),
        (["log", "BANK"], "no study there yet"),
        (["undo", "BANK"], "no study there yet"),
        (["checkout", "BANK", "-1"], ""),
        (["checkout", "BANK", "1"], "no study there yet"),
        (["info", "BANK", "--study", "no-such-study"], "no-such-study"),
        (["build", "no-such-recipe.yaml", "out"], "no-such-recipe.yaml"),
        (["buidl"], "buidl"),
        (["info"], "BANK"),
        (["info", "BANK", "--what"], "--what"),
        (["open", "no-such-folder"], "no-such-folder"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_bad_command_line_is_refused(
    shell: Shell, tiny_bank: Path, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(shell(*(word.replace("BANK", str(tiny_bank)) for word in words)), says)
    assert not data.exists()


def test_a_study_of_another_bank_is_refused(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shell("prune", make_bank(tmp_path / "other", seed=1), "3/0", "--study", study)
    refused(shell("prune", tiny_bank, "3/0", "--study", study), str(study))
    refused(shell("info", tiny_bank, "--study", study), str(study))
    assert shell("log", study, "--json").json["head"] == 1


def test_a_second_writer_is_refused_and_readers_are_not(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shell("prune", tiny_bank, "3/0", "--study", study)
    with open_session(study) as writer:
        refused(shell("prune", study, "3/1"), str(study))
        refused(shell("undo", study), str(study))
        assert shell("log", study).status == 0
        assert writer.head == 1


def test_a_folder_that_is_no_study_is_refused_and_left_alone(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    other = tmp_path / "papers"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    refused(shell("prune", tiny_bank, "3/0", "--study", other), str(other))
    assert [path.name for path in other.iterdir()] == ["letter.txt"]
    (other / "study.db").write_bytes(b"not a database")
    refused(shell("log", other), str(other))


def test_a_window_without_a_display_says_so(shell: Shell, tiny_bank: Path) -> None:
    refused(shell("open", tiny_bank), "no display")
    refused(shell(tiny_bank), "no display")
    refused(shell(), "no display")
