"""The verbs that change what a bank knows: what they write, what they say, what they refuse; and a study that stays as it was."""

import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from memstudio.jobs import Job
from memstudio.session import open_session
from tests.cli.conftest import Said, Shell
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"
IRON = "The atomic number of iron is"


@pytest.fixture
def study(shell: Shell, tiny_bank: Path, tmp_path: Path) -> Path:
    """A study of one revision."""
    assert shell("scale", tiny_bank, "3/4", "--factor", 0.5, "--study", tmp_path / "study", "--no-measure").status == 0
    return tmp_path / "study"


def state(study: Path) -> dict[str, str]:
    """Every file of a study that an edit writes, by digest, and where it stands."""
    with open_session(study, readonly=True) as session:
        where = f"{session.head} of {len(session.log())}"
    blobs = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((study / "blobs").rglob("*")) if path.is_file()}
    return {"head": where, **blobs}


def one_line(said: Said, status: int, *parts: str) -> None:
    assert (said.status, said.out, said.err.count("\n")) == (status, "", 1), said
    for part in parts:
        assert part in said.err


def test_an_update_is_said_and_undone(shell: Shell, study: Path) -> None:
    said = shell("update", study, "--prompt", PROMPT, "--target", "13", "--min-locality", 0, "--json").json
    receipt = said["receipt"]
    assert (said["revision"], said["dry_run"], receipt["reliability"]) == (2, False, 1.0)
    assert set(receipt["proportions"]["reliability"]) == {"k", "n", "share", "low", "high", "protocol"}
    assert {"blocks", "figures", "digests", "answers", "changed", "seconds", "protocol", "gate", "edit"} <= set(receipt)
    assert shell("run", study, PROMPT, "--max-tokens", 3, "--json").json["text"].strip().startswith("13")
    shown = shell("receipt", study).out
    assert f"edited: {PROMPT}" in shown
    assert "→ 13" in shown
    assert shell("undo", study).status == 0
    assert not shell("run", study, PROMPT, "--max-tokens", 3, "--json").json["text"].strip().startswith("13")


def test_a_dry_run_shows_everything_and_writes_nothing(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    said = shell("update", tiny_bank, "--prompt", PROMPT, "--target", "13", "--study", tmp_path / "new", "--dry-run", "--max-changed", 0)
    assert said.status == 0
    for part in ("nothing was written", "asked in these words too", "reliability 2 of 2", "locality ", "edited: "):
        assert part in said.out
    assert not (tmp_path / "new").exists()


def test_a_file_of_facts_is_one_revision(shell: Shell, study: Path, tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    lines = [{"prompt": prompt, "expected": "", "target": target} for prompt, target in ((PROMPT, "13"), (IRON, "47"))]
    file.write_text("\n".join([*map(json.dumps, lines), "{broken", json.dumps({"prompt": "no target", "expected": "x"})]))
    said = shell("update", study, "--facts", file, "--method", "closed-form", "--min-locality", 0, "--json")
    assert said.json["revision"] == 2
    assert "2 facts with a target; 1 without, 1 records skipped" in said.err
    assert {row["target"] for row in said.json["receipt"]["answers"]} == {"13", "47"}


def test_an_erasure_reports_what_is_left(shell: Shell, study: Path) -> None:
    shell("update", study, "--prompt", PROMPT, "--target", "13", "--no-measure")
    words = ("--method", "dampen", "--paths", "routed", "--anyway", "a test", "--json")
    said = shell("erase", study, "--prompt", PROMPT, *words).json
    report = said["receipt"]["takedown"]
    assert report["count"] == len(report["probes"]) >= 1
    assert {"none", "before", "after", "limit", "extracted", "gold"} <= set(report["probes"][0])
    assert "13" not in said["title"]
    document = shell("info", study, "--json")
    assert document.status == 0


@pytest.mark.parametrize("source", ["bank", "other", "patch"])
def test_a_swap_takes_a_block_from_anywhere_that_fits(shell: Shell, tiny_bank: Path, study: Path, tmp_path: Path, source: str) -> None:
    more: tuple[object, ...] = ()
    if source == "other":
        more = ("--from", tiny_bank)
    if source == "patch":
        shell("scale", tiny_bank, "3/5", "--factor", 1.5, "--study", tmp_path / "theirs", "--no-measure")
        assert shell("export", tmp_path / "theirs", tmp_path / "five.patch").status == 0
        more = ("--patch", tmp_path / "five.patch")
    said = shell("swap", study, "3/6", "3/5", *more, "--json").json
    assert [change["cluster"] for change in said["changes"]] == ["3/6"]
    assert said["receipt"]["measured"]
    assert shell("undo", study).status == 0


def test_a_block_goes_out_and_comes_back_as_it_was(shell: Shell, study: Path, tmp_path: Path) -> None:
    file = tmp_path / "block.safetensors"
    assert shell("rewrite", study, "3/7", "--save", file).status == 0
    one_line(shell("rewrite", study, "3/7", file), 2, "stand there already")
    tensors = {name: tensor * 1.5 for name, tensor in load_file(file).items()}
    save_file(tensors, file)
    assert shell("rewrite", study, "3/7", file, "--json").json["revision"] == 2


def test_the_gate_says_no_with_the_numbers_and_goes_on_with_a_reason(shell: Shell, study: Path) -> None:
    before = state(study)
    said = shell("scale", study, "1/0", "1/1", "1/2", "--subtree", "--factor", 0, "--max-changed", 0)
    one_line(said, 1, "stopped by the gate", "co-resident answers change, at most 0 may", "--anyway")
    assert state(study) == before
    words = ("--max-changed", 0, "--anyway", "to see what the anchor says")
    assert shell("scale", study, "1/0", "1/1", "1/2", "--subtree", "--factor", 0, *words).status == 0
    assert "went on because: to see what the anchor says" in shell("receipt", study).out
    assert shell("receipt", study, "--json").json["receipt"]["gate"]["ok"] is False


def test_a_refused_edit_begins_no_study(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    words = ("scale", tiny_bank, "1/0", "1/1", "1/2", "--factor", 0, "--subtree", "--max-changed", 0)
    assert shell(*words, "--study", tmp_path / "new").status == 1
    assert not (tmp_path / "new").exists()


def test_a_receipt_is_measured_later(shell: Shell, study: Path) -> None:
    assert "not measured" in shell("receipt", study).out
    said = shell("receipt", study, "--measure", "--json").json
    assert said["receipt"]["measured"]
    assert shell("receipt", study, "--json").json["receipt"] == said["receipt"]


def _rewrite(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Shell, Path, Path], Said]:
    def run(shell: Shell, study: Path, folder: Path) -> Said:
        file = folder / "block.safetensors"
        shell("rewrite", study, "3/7", "--save", file)
        save_file(change(load_file(file)), file)
        return shell("rewrite", study, "3/7", file)

    return run


def _with(number: float) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(tensors: dict[str, Any]) -> dict[str, Any]:
        next(iter(tensors.values())).view(-1)[3] = number
        return tensors

    return change


def _broken_facts(shell: Shell, study: Path, folder: Path) -> Said:
    (folder / "facts.jsonl").write_text("{broken\n[1\n")
    return shell("update", study, "--facts", folder / "facts.jsonl")


def _large_facts(shell: Shell, study: Path, folder: Path) -> Said:
    with (folder / "facts.jsonl").open("wb") as stream:
        stream.write(b'{"prompt": "a", "target": "b"}\n')
        stream.truncate(300 << 20)
    return shell("update", study, "--facts", folder / "facts.jsonl")


def _patch_of_another_bank(shell: Shell, study: Path, folder: Path) -> Said:
    shell("prune", make_bank(folder / "other", seed=1), "3/4", "--study", folder / "theirs")
    shell("export", folder / "theirs", folder / "theirs.patch")
    return shell("apply", study, folder / "theirs.patch")


BAD: dict[str, tuple[Callable[[Shell, Path, Path], Said], str]] = {
    "an empty target": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT, "--target", " "), "empty"),
    "a target of no token": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT, "--target", "\u200b\u200d"), "new answer"),
    "a target of control codes": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT, "--target", "\x07\x1b"), "new answer"),
    "an empty prompt": (lambda shell, study, _: shell("update", study, "--prompt", " ", "--target", "13"), "empty"),
    "no target": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT), "--target"),
    "a document that is not there": (lambda shell, study, _: shell("erase", study, "--document", "nowhere"), "nowhere"),
    "a factor over 2": (lambda shell, study, _: shell("scale", study, "3/4", "--factor", 2.5), "2.5"),
    "a factor that is no number": (lambda shell, study, _: shell("scale", study, "3/4", "--factor", "nan"), "nan"),
    "NaN in a block": (_rewrite(_with(float("nan"))), "NaN"),
    "infinity in a block": (_rewrite(_with(float("inf"))), "infinite"),
    "a block of another shape": (_rewrite(lambda tensors: {"block": torch.zeros(5)}), "block"),
    "a tensor of another name": (_rewrite(lambda tensors: {"weights": torch.zeros(5)}), "weights"),
    "a block of another level": (lambda shell, study, _: shell("swap", study, "3/4", "1/0"), "1/0"),
    "a patch of another bank": (_patch_of_another_bank, "is a patch for bank"),
    "a fact file of broken lines": (_broken_facts, "facts.jsonl"),
    "a fact file that is too large": (_large_facts, "facts.jsonl"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_the_study_as_it_was(shell: Shell, study: Path, tmp_path: Path, name: str) -> None:
    run, says = BAD[name]
    before = state(study)
    one_line(run(shell, study, tmp_path), 2, says)
    assert state(study) == before


def test_a_fact_whose_route_has_no_block_is_refused(shell: Shell, study: Path) -> None:
    assert shell("prune", study, "1/0", "1/1", "1/2").status == 0
    before = state(study)
    one_line(shell("update", study, "--prompt", PROMPT, "--target", "13", "--json"), 2, "no block", PROMPT)
    assert state(study) == before


def test_ctrl_c_in_a_batch_leaves_the_study_as_it_was(
    shell: Shell, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "facts.jsonl").write_text("\n".join(json.dumps({"prompt": p, "target": t}) for p, t in ((PROMPT, "13"), (IRON, "47"))))
    before, breaths, breathe = state(study), [], Job.breathe

    def interrupted(job: Job) -> None:
        breaths.append(job)
        if len(breaths) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        breathe(job)

    monkeypatch.setattr(Job, "breathe", interrupted)
    one_line(shell("update", study, "--facts", tmp_path / "facts.jsonl"), 2, "interrupted", "a study stays as it was")
    assert len(breaths) >= 7
    monkeypatch.setattr(Job, "breathe", breathe)
    assert state(study) == before
    assert shell("scale", study, "3/5", "--factor", 0.5, "--no-measure").status == 0
