"""The verbs that change what a bank knows: what they write, what they say, and what the gate has them refuse."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.cli.conftest import Shell, one_line, state

PROMPT = "The atomic number of gold is"
IRON = "The atomic number of iron is"


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
    for part in ("nothing was written", "asked in these words too", "reliability 2 of 2", "locality ", "edited: ", "the gate would stop"):
        assert part in said.out
    words = ("update", tiny_bank, "--prompt", PROMPT, "--target", "13", "--dry-run", "--method", "closed-form")
    plan = shell(*words, "--json").json
    assert (plan["revision"], plan["dry_run"], plan["head"]) == (None, True, 0)
    assert all(change["cluster"] in said.out for change in plan["changes"])
    assert not (tmp_path / "new").exists()


def test_a_file_of_facts_is_one_revision(shell: Shell, study: Path, tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    useless = [{"prompt": "no target", "expected": "x"}, {"prompt": "nothing that can be said", "target": "\u200b"}]
    lines = [{"prompt": prompt, "expected": "", "target": target} for prompt, target in ((PROMPT, "13"), (IRON, "47"))]
    file.write_text("\n".join([*map(json.dumps, lines), "{broken", *map(json.dumps, useless)]))
    said = shell("update", study, "--facts", file, "--method", "closed-form", "--min-locality", 0, "--json")
    assert said.json["revision"] == 2
    assert "2 of 4 facts have no target and stay as they are" in said.err
    assert "1 of 5 records cannot be used" in said.err
    assert "line 3: " in said.err
    assert {row["target"] for row in said.json["receipt"]["answers"]} == {"13", "47"}


def test_an_erasure_reports_what_is_left(shell: Shell, study: Path) -> None:
    shell("update", study, "--prompt", PROMPT, "--target", "13", "--no-measure")
    words = ("--method", "dampen", "--paths", "routed", "--anyway", "a test", "--json")
    said = shell("erase", study, "--prompt", PROMPT, *words).json
    report = said["receipt"]["takedown"]
    assert report["count"] == len(report["probes"]) >= 1
    assert {"none", "before", "after", "limit", "extracted", "gold"} <= set(report["probes"][0])
    assert "13" not in said["title"]
    assert "what is left: " in shell("receipt", study).out


def test_a_document_is_taken_down_with_the_facts_in_it(shell: Shell, study: Path) -> None:
    words = ("--document", "doc-gold", "--method", "dampen", "--paths", "routed", "--anyway", "a test")
    said = shell("erase", study, *words, "--json").json
    assert said["receipt"]["figures"]["taken_down"] == {"facts": ["gold-number"], "documents": ["doc-gold"]}
    assert {row["fact"] for row in said["receipt"]["answers"]} == {"gold-number"}
    shell("undo", study)
    people = shell("erase", study, *words, "--dry-run").out
    assert all(change["cluster"] in people for change in said["changes"])


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
