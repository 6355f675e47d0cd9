"""Two processes on one bank: both read it, each edits a study of its own, and one study has one writer at a time."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memstudio.cli import main

PROMPT = "The atomic number of gold is"
OTHER = """
import sys
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.session import open_session

bank, study = sys.argv[1:]
with open_session(bank, study=study, device="cpu") as session:
    print("ready", flush=True)
    for line in sys.stdin:
        if line.startswith("run"):
            print(session.run("The atomic number of gold is", route=[ClusterId(3, 13)]).text.strip(), flush=True)
        else:
            print(session.apply(Prune((ClusterId(1, int(line)),))).id, flush=True)
"""


class Other:
    """A session in another process, on a study that it writes."""

    def __init__(self, bank: Path, study: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(bank), str(study)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.hear() == "ready"

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.hear()

    def end(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture
def other(tiny_bank: Path, tmp_path: Path) -> Iterator[Other]:
    made = Other(tiny_bank, tmp_path / "theirs")
    yield made
    made.end()


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main([str(word) for word in words])
    out = capsys.readouterr()
    return status, out.out.strip(), out.err.strip()


def test_both_read_one_bank_and_each_edits_its_own_study(
    other: Other, tiny_bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path: path.stat().st_mtime_ns for path in tiny_bank.rglob("*")}
    run = ("run", tiny_bank, PROMPT, "--route", "3/13", "--device", "cpu")
    shipped = other.ask("run")
    assert shipped
    assert shipped in said(capsys, *run)[1]
    assert said(capsys, "prune", tiny_bank, "2/4", "--study", tmp_path / "mine", "--no-measure")[0] == 0
    assert other.ask("run") == shipped, "an edit in one study reached another"
    assert other.ask("1") == "1"
    assert shipped in said(capsys, *run)[1]
    log = said(capsys, "log", tmp_path / "mine", "--json")[1]
    assert '"prune 2/4"' in log
    assert "1/1" not in log
    assert {path: path.stat().st_mtime_ns for path in tiny_bank.rglob("*")} == files


def test_the_second_writer_of_a_study_is_told_in_one_line_and_may_read(
    other: Other, tiny_bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    assert other.ask("1") == "1"
    for words in (["prune", tiny_bank, "1/0", "--study", theirs, "--no-measure"], ["undo", theirs], ["redo", theirs]):
        status, out, err = said(capsys, *words)
        assert (status, out) == (2, "")
        place = f"open for writing in another place (process {other.process.pid})"
        assert err.splitlines() == [f"memstudio: study {theirs}: {place}: close it there or choose another --study"]
    status, out, _ = said(capsys, "log", theirs, "--json")
    assert status == 0
    assert '"prune 1/1"' in out
    assert said(capsys, "run", theirs, PROMPT, "--route", "3/13", "--device", "cpu")[0] == 0
    assert other.ask("2") == "2", "what the second tried got in the way of the first"
    other.end()
    assert said(capsys, "undo", theirs)[0] == 0
    assert said(capsys, "prune", tiny_bank, "1/0", "--study", theirs, "--no-measure")[0] == 0
