"""The verb `use` on a tiny bank: the figures of the session, in words and as JSON; what is kept in a study that is named."""

import json
from pathlib import Path

import pytest

from memstudio.session import open_session
from memstudio.session.used import standing
from tests.cli.conftest import Shell, one_line


def test_use_says_what_the_session_counts(shell: Shell, tiny_bank: Path) -> None:
    said = shell("use", tiny_bank, "--effects", "--hot", 99, "--json").json
    with open_session(tiny_bank, device="cpu") as session:
        use = session.count_use(effects=True).use
        masks = standing([session.bank.held(level) for level in (1, 2, 3)], {})
        assert said["dead"] == [str(cluster) for cluster in use.dead(masks)]
        assert said["idle"] == [str(cluster) for cluster in use.idle(masks)]
        assert [each["cluster"] for each in said["hot"]] == [str(cluster) for cluster in use.hot(masks)]
    assert said["hot"][0]["effect_mean"] == pytest.approx(use.of(use.hot(masks)[0]).effect_sum / said["hot"][0]["effects"], abs=1e-5)
    assert [level["fetched"] + level["dead"] for level in said["levels"]] == [level["blocks"] for level in said["levels"]]
    assert said["prompts"] == said["measured"] == said["sets"][0]["total"]
    assert said["study"] is None


def test_without_effects_nothing_is_said_to_be_measured(shell: Shell, tiny_bank: Path) -> None:
    said = shell("use", tiny_bank, "--json").json
    assert said["idle"] is None
    assert all(each["effect_mean"] is None for each in said["hot"])
    people = shell("use", tiny_bank, "--dead").out
    assert f"not fetched by any of {said['prompts']} prompts" in people
    assert str(said["dead"][0]) in people


def test_a_study_that_is_named_keeps_the_counts(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    study, file = tmp_path / "study", tmp_path / "mine.txt"
    file.write_text("It was hot\nTell me about gold\n")
    said = shell("use", tiny_bank, file, "--study", study, "--json").json
    assert said["study"] == str(study)
    assert shell("use", study, "--no-keep", "--json").json["study"] is None
    kept = shell("use", study, "--kept", "--json").json
    assert [each["name"] for each in kept["sets"]] == ["mine.txt"]
    assert (kept["prompts"], kept["dead"]) == (2, said["dead"])
    assert "mine.txt: 2 of 2 prompts, at revision 0" in shell("use", study, "--kept").out


def test_lines_that_cannot_be_used_are_said(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"prompt": "It was hot"}) + "\n{}\n" + json.dumps({"prompt": "gold " * 400}) + "\n")
    said = shell("use", tiny_bank, file, "--effects", "--json")
    assert said.status == 0
    assert [each["line"] for each in said.json["skipped"]] == [2]
    assert [each["line"] for each in said.json["sets"][0]["not_measured"]] == [3]
    assert "the first is line 2: prompt is missing" in said.err
    assert "the first is line 3" in said.err


def test_bad_input_is_one_line(shell: Shell, tiny_bank: Path, study: Path, tmp_path: Path) -> None:
    one_line(shell("use", tiny_bank, tmp_path / "none.txt"), 2, "none.txt")
    one_line(shell("use", study, "--kept"), 2, "keeps no counts")
    one_line(shell("use", study, "--kept", "--effects"), 2, "--kept counts nothing")
