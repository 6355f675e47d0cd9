"""compare as a gate for other people's checks: exit status 0, 1 and 2; and facts at a revision by its name."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.tiny import make_bank


@pytest.fixture
def study(shell: Shell, tiny_bank: Path, tmp_path: Path) -> Path:
    """A study whose second revision has no memory left."""
    folder = tmp_path / "study"
    assert shell("scale", tiny_bank, "3/4", "--factor", 0.5, "--study", folder, "--no-measure").status == 0
    assert shell("prune", folder, "1/0", "1/1", "1/2").status == 0
    assert shell("name", folder, "bare").status == 0
    return folder


@pytest.fixture
def facts(shell: Shell, study: Path, tmp_path: Path) -> Path:
    """Facts that the bank as shipped answers rightly: the first number that it says is what is expected."""
    rows = shell("facts", study, "--revision", 0, "--prompts-only", "--json").json["facts"]
    path = tmp_path / "facts.jsonl"
    said = {row["prompt"]: re.search(r"\d+", row["got"]) for row in rows}
    lines = [json.dumps({"prompt": prompt, "expected": number[0]}) for prompt, number in said.items() if number]
    path.write_text("\n".join(lines))
    return path


def test_more_lost_than_allowed_is_status_1(shell: Shell, study: Path, facts: Path) -> None:
    said = shell("compare", f"{study}@0", f"{study}@bare", "--facts", facts, "--json")
    lost = len(said.json["lost"])
    assert said.status == 1
    assert lost > 0
    assert not said.json["ok"]
    assert {"cluster", "norm"} <= set(said.json["blocks"][0])
    assert shell("compare", study, study, "--revision-a", 0, "--facts", facts, "--max-lost", lost).status == 0
    shown = shell("compare", f"{study}@0", study, "--facts", facts, "--max-lost", lost - 1)
    assert shown.status == 1
    assert f"{lost} facts lost, more than the {lost - 1} allowed" in shown.out
    assert "95% interval" in shown.out


def test_nothing_lost_is_status_0(shell: Shell, study: Path, facts: Path) -> None:
    assert shell("compare", f"{study}@0", f"{study}@0", "--facts", facts).status == 0


def test_banks_built_apart_are_compared(shell: Shell, tiny_bank: Path, facts: Path, tmp_path: Path) -> None:
    said = shell("compare", tiny_bank, make_bank(tmp_path / "other", seed=3), "--facts", facts, "--json")
    assert said.status == 1
    assert said.json["blocks"] == []
    assert said.json["a"]["n"] == said.json["b"]["n"] > 0


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [("STUDY@9", "STUDY", "9"), ("STUDY@nobody", "STUDY", "nobody"), ("nowhere", "STUDY", "nowhere"), ("STUDY", "nowhere", "nowhere")],
)
def test_what_is_not_there_is_one_line_and_status_2(shell: Shell, study: Path, a: str, b: str, says: str) -> None:
    said = shell("compare", *(side.replace("STUDY", str(study)) for side in (a, b)))
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert says in said.err


def test_facts_are_scored_at_a_named_revision_and_by_other_judges(shell: Shell, study: Path, tiny_bank: Path) -> None:
    named = shell("facts", study, "--revision", "bare", "--json").json
    assert named["revision"] == 2
    forced = shell("facts", study, "--judge", "teacher-forced")
    assert "teacher-forced" in forced.out
    assert "flatters" in forced.out
    assert "95%" in forced.out
    refused = shell("facts", tiny_bank, "--revision", "bare")
    assert (refused.status, refused.err.count("\n")) == (2, 1)


def test_facts_go_from_one_format_to_another(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    for name in ("easyedit", "counterfact", "zsre", "csv", "jsonl"):
        said = shell("facts", tiny_bank, "--write", tmp_path / name, "--format", name)
        assert said.status == 0
        assert shell("facts", tiny_bank, tmp_path / name, "--prompts-only", "--json").json["count"] == 12
