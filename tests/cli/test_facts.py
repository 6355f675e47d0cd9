"""The verb facts: every share with its n and interval, every judge by its name, and what of a file could not be used."""

import json
from pathlib import Path

import pytest

from memstudio.facts import read
from memstudio.facts.statistics import Proportion
from tests.cli.conftest import Shell, one_line


@pytest.fixture
def targets(tmp_path: Path) -> Path:
    """Facts with targets, one broken line among them."""
    path = tmp_path / "targets.jsonl"
    lines = [json.dumps({"prompt": f"Prompt {number} is", "expected": "79", "target": "80"}) for number in range(3)]
    path.write_text("\n".join([*lines[:2], "{broken", lines[2]]))
    return path


def test_every_share_has_its_n_and_its_interval(shell: Shell, tiny_bank: Path) -> None:
    found = shell("facts", tiny_bank, "--staircase", "--json").json
    for counts in (found["proportions"], *(step["proportions"] for step in found["staircase"])):
        for share in counts.values():
            wanted = Proportion(share["k"], share["n"])
            assert (share["share"], share["low"], share["high"]) == (wanted.share, wanted.low, wanted.high)
    assert found["proportions"]["accuracy"]["n"] > 0
    shown = shell("facts", tiny_bank, "--staircase")
    assert shown.out.count("95% interval") == 3


@pytest.mark.parametrize(("judge", "label"), [("teacher-forced", "flatters editors"), ("probability", "not divided by length")])
def test_a_judge_other_than_generation_is_labelled(shell: Shell, tiny_bank: Path, targets: Path, judge: str, label: str) -> None:
    shown = shell("facts", tiny_bank, targets, "--judge", judge)
    assert shown.status == 0
    assert f"judged by {judge}: " in shown.out
    assert label in shown.out
    found = shell("facts", tiny_bank, targets, "--judge", judge, "--json").json
    assert (found["judge"], found["count"]) == (judge, 3)
    assert (found["mean_logprob"] is not None) == (judge == "probability")


def test_what_cannot_be_used_is_said_with_its_line_and_the_rest_is_scored(shell: Shell, tiny_bank: Path, targets: Path) -> None:
    said = shell("facts", tiny_bank, targets, "--target", "--json")
    assert (said.status, said.json["count"], said.json["answers"], said.json["skipped_count"]) == (0, 3, "target", 1)
    assert said.json["skipped"][0]["line"] == 3
    assert "1 of 4 records cannot be used" in said.err
    assert "line 3: not JSON" in said.err


def test_only_broken_lines_and_a_file_too_large_are_one_line_and_status_2(
    shell: Shell, tiny_bank: Path, tmp_path: Path, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").write_text("{broken\n{again\n")
    one_line(shell("facts", tiny_bank, tmp_path / "broken"), 2, "no fact that can be used", "line 1")
    monkeypatch.setattr(read, "MAX_FILE_BYTES", 10)
    one_line(shell("facts", tiny_bank, targets), 2, "over the limit of 10")


def test_an_unknown_revision_is_one_line_and_status_2(shell: Shell, tiny_bank: Path, study: Path) -> None:
    assert shell("facts", tiny_bank, "--revision", "head", "--prompts-only", "--json").json["revision"] == 0
    assert shell("facts", study, "--revision", "tip", "--prompts-only", "--json").json["revision"] == 1
    for where in (tiny_bank, study):
        one_line(shell("facts", where, "--revision", "nobody"), 2, "nobody")


def test_nothing_is_written_over(shell: Shell, tiny_bank: Path, targets: Path) -> None:
    before = targets.read_bytes()
    one_line(shell("facts", tiny_bank, "--write", targets), 2, "there already")
    assert targets.read_bytes() == before
