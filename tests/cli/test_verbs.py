"""Each verb does what the table of verbs says, in words for people and as one JSON object for scripts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from memstudio.cli import VERBS
from memstudio.session import study_for
from tests.cli.conftest import Shell

PROMPT = "The atomic number of gold is"


def test_info_says_what_the_bank_is(shell: Shell, tiny_bank: Path) -> None:
    said = shell("info", tiny_bank, "--verify", "--json").json
    wanted = {"kind", "anchor", "levels", "bank_parameters", "fetched_parameters", "bank_bytes", "generic", "fallback", "verified"}
    assert wanted <= set(said)
    assert {"parameters", "architecture"} <= set(said["anchor"])
    assert [set(level) >= {"level", "clusters", "width", "block_bytes"} for level in said["levels"]] == [True] * 3
    people = shell("info", tiny_bank)
    assert people.status == 0
    assert "fall back to zero" in people.out


def test_route_says_clusters_distances_and_margins(shell: Shell, tiny_bank: Path) -> None:
    said = shell("route", tiny_bank, PROMPT, "--json").json
    assert [cluster.split("/")[0] for cluster in said["route"]] == ["1", "2", "3"]
    assert len(said["distances"]) == len(said["runners_up"]) == len(said["margins"]) == 3
    hidden = shell("route", tiny_bank, PROMPT, "--hide", said["route"][0], "--json").json
    assert hidden["route"][0] == said["runners_up"][0][0]
    assert [margin < 0.02 * distance for margin, distance in zip(said["margins"], said["distances"], strict=True)] == said["thin"]
    people = shell("route", tiny_bank, PROMPT).out
    assert [line.split()[1] for line in people.splitlines() if line.strip().startswith("▸")] == said["route"]
    assert all(cluster in people for others in said["runners_up"] for cluster in others)


def test_route_marks_thin_margins_hidden_clusters_and_a_route_that_ends(shell: Shell, tiny_bank: Path) -> None:
    said = next(
        each for each in (shell("route", tiny_bank, f"{PROMPT} {at}", "--json").json for at in range(100)) if sum(each["thin"]) == 1
    )
    level = said["thin"].index(True) + 1
    people = shell("route", tiny_bank, said["key"]).out
    assert f"▲ Thin margin at level {level}: another wording may go elsewhere." in people
    assert [line.split()[1] for line in people.splitlines() if "▲ thin" in line] == [said["route"][level - 1]]
    first = said["route"][0]
    assert any("hidden" in line and first in line for line in shell("route", tiny_bank, said["key"], "--hide", first).out.splitlines())
    below = [f"2/{int(first[2:]) * 3 + at}" for at in range(3)]
    assert "The route ends at level 1" in shell("route", tiny_bank, said["key"], "--hide", ",".join(below)).out


def test_run_continues_the_prompt(shell: Shell, tiny_bank: Path) -> None:
    said = shell("run", tiny_bank, PROMPT, "--max-tokens", 5, "--json").json
    assert len(said["tokens"]) == 5
    assert "".join(token["text"] for token in said["tokens"]) == said["text"]
    assert {"token", "logprob"} == set(said["top"][0])
    assert said["revision"] == 0
    assert said["tokens_per_second"] > 0
    people = shell("run", tiny_bank, PROMPT, "--max-tokens", 5)
    assert people.out.rstrip("\n") == said["text"]
    assert " › ".join(said["route"]) in people.err


def test_run_takes_a_route_a_key_and_a_kind_of_memory(shell: Shell, tiny_bank: Path) -> None:
    def text(*words: str) -> str:
        return str(shell("run", tiny_bank, PROMPT, "--max-tokens", 6, "--json", *words).json["text"])

    assert text("--route", "3/13") == text("--route", "1/1,2/4,3/13")
    assert shell("run", tiny_bank, PROMPT, "--max-tokens", 1, "--memory", "none", "--json").json["route"] is None
    assert len({text(), text("--memory", "none"), text("--memory", "generic")}) == 3
    assert text("--temperature", "2", "--seed", "1") == text("--temperature", "2", "--seed", "1")
    assert text("--temperature", "2", "--seed", "1") != text("--temperature", "2", "--seed", "2")
    key = "Element tin has the atomic number"
    route = shell("route", tiny_bank, key, "--json").json["route"]
    assert text("--key", key) == text("--route", ",".join(route))


def test_run_measures_each_token_beside_lesser_memories_where_that_is_asked(shell: Shell, tiny_bank: Path) -> None:
    words = ("run", tiny_bank, PROMPT, "--max-tokens", 5)
    plain, said = shell(*words, "--json").json, shell(*words, "--beside", "--json").json
    assert [(token["id"], token["logprob"]) for token in said["tokens"]] == [(token["id"], token["logprob"]) for token in plain["tokens"]]
    assert {(len(token["beside"]), token["gain"], token["decided"]) for token in plain["tokens"]} == {(0, None, None)}
    for token in said["tokens"]:
        assert set(token["beside"]) == {"generic", "none"}
        assert token["gain"] == pytest.approx(token["logprob"] - token["beside"]["none"]["logprob"])
        assert token["decided"] == (token["beside"]["none"]["top"][0][0] != token["top"][0][0])
    people = shell(*words, "--beside")
    assert people.out.startswith(said["text"])
    assert f"the memory decided {sum(token['decided'] for token in said['tokens'])} of 5 tokens" in people.out
    assert "nothing to measure" in shell(*words, "--memory", "none", "--beside").out


def test_trace_explains_a_token_of_the_run(shell: Shell, tiny_bank: Path) -> None:
    run = shell("run", tiny_bank, PROMPT, "--max-tokens", 4, "--json").json
    said = shell("trace", tiny_bank, PROMPT, "--token", 3, "--json").json
    assert (said["token"], said["route"]) == (3, run["route"])
    assert said["answer"]["fetched"] == pytest.approx(run["tokens"][3]["logprob"], abs=1e-4)
    assert shell("trace", tiny_bank, PROMPT, "--token", 3).out.startswith("token 3 ")
    assert shell("trace", tiny_bank, PROMPT, "--token", 3, "--answer", "79").status == 2
    refused = shell("trace", tiny_bank, PROMPT, "--token", 100_000)
    assert refused.status == 2


def test_trace_says_what_each_block_causes(shell: Shell, tiny_bank: Path) -> None:
    said = shell("trace", tiny_bank, PROMPT, "--answer", "79", "--against", "47", "--json").json
    assert set(said["effect"]) == set(said["route"])
    assert len(said["contribution"]) == len(said["layers"]) == 2
    assert [len(level) for level in said["contribution"][0]] == [len(said["tokens"])] * 3
    assert said["answer"]["text"] == "79"
    assert said["evidence"]["effect"] == "causal"
    gain = said["answer"]["steps"][-1][1] - said["answer"]["steps"][0][1]
    assert gain == pytest.approx(said["answer"]["fetched"] - said["answer"]["none"], abs=1e-4)
    assert "causal" in shell("trace", tiny_bank, PROMPT, "--answer", "79").out


def test_edits_go_to_the_default_study_whose_path_is_printed_and_the_bank_s_name_reads_it_as_shipped(
    shell: Shell, tiny_bank: Path, data: Path
) -> None:
    done = shell("prune", tiny_bank, "1/0", "--json").json
    study = Path(done["study"])
    assert study == study_for(tiny_bank)
    assert data in study.parents
    assert done["revision"] == 1
    assert {"cluster": "3/8", "before": "base", "after": "pruned"} in done["changes"]
    assert shell("info", tiny_bank, "--json").json["revision"] == 0
    assert shell("info", tiny_bank, "--json").json["pruned"]["1"] == 0
    assert shell("info", study, "--json").json["pruned"] == {"1": 1, "2": 3, "3": 9}
    assert shell("info", tiny_bank, "--study", study, "--json").json["revision"] == 1
    assert str(study) in shell("restore", tiny_bank, "1/0").out


def test_a_pruned_study_answers_differently_until_undone(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"

    def text(bank: Path) -> str:
        return str(shell("run", bank, PROMPT, "--route", "3/25", "--max-tokens", 6, "--json").json["text"])

    before = text(tiny_bank)
    shell("prune", tiny_bank, "1/2", "--study", study)
    assert text(study) != before
    assert text(tiny_bank) == before
    assert shell("undo", study, "--json").json["head"] == 0
    assert text(study) == before
    assert shell("redo", study, "--json").json["head"] == 1
    assert shell("checkout", study, 0, "--json").json["head"] == 0
    log = shell("log", study, "--json").json
    assert [revision["verb"] for revision in log["revisions"]][1:] == ["prune"]
    assert "prune 1/2" in shell("log", study).out


def test_a_dry_run_writes_nothing(shell: Shell, tiny_bank: Path, data: Path) -> None:
    said = shell("prune", tiny_bank, "2/3", "--dry-run", "--json").json
    assert (said["revision"], said["receipt"]["blocks"]) == (None, 4)
    assert not data.exists()


def test_an_orphan_is_said(shell: Shell, tiny_bank: Path) -> None:
    assert shell("prune", tiny_bank, "2/3", "--orphan", "--dry-run", "--json").json["receipt"]["orphans"] == ["3/9", "3/10", "3/11"]
    assert "orphans" in shell("prune", tiny_bank, "2/3", "--orphan").out


def test_clusters_may_be_parted_by_commas_or_spaces(shell: Shell, tiny_bank: Path) -> None:
    one = shell("prune", tiny_bank, "3/1,3/2 3/3", "--dry-run", "--json").json
    assert one["changes"] == shell("prune", tiny_bank, "3/1", "3/2", "3/3", "--dry-run", "--json").json["changes"]


def test_nothing_to_undo_or_redo_is_a_no(shell: Shell, tiny_bank: Path) -> None:
    shell("prune", tiny_bank, "3/0")
    assert shell("redo", tiny_bank).status == 1
    assert shell("undo", tiny_bank).status == 0
    no = shell("undo", tiny_bank)
    assert no.status == 1
    assert no.err.count("\n") == 1


def test_facts_are_scored(shell: Shell, tiny_bank: Path) -> None:
    said = shell("facts", tiny_bank, "--json").json
    assert {"count", "accuracy", "by_kind", "by_phrasing", "agreement", "facts"} <= set(said)
    assert set(said["by_kind"]) == {"common", "specific"}
    assert set(said["facts"][0]) >= {"id", "prompt", "expected", "got", "correct", "route", "kind"}
    stairs = shell("facts", tiny_bank, "--staircase", "--json").json["staircase"]
    assert [step["levels"] for step in stairs] == [0, 1, 2, 3]
    assert stairs[3]["by_kind"] == said["by_kind"]
    people = shell("facts", tiny_bank, "--staircase").out
    assert "level 1–3" in people
    assert "staircase" in people


def test_facts_can_be_chosen(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    assert shell("facts", tiny_bank, "--relation", "atomic-number", "--prompts-only", "--json").json["prompts"] == 12
    assert shell("facts", tiny_bank, "--kind", "common", "--json").json["count"] == 3
    assert shell("facts", tiny_bank, "--hide-best", 1, "--json").json["count"] == 12
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"prompt": "A prompt of my own is", "expected": "79"}))
    assert shell("facts", tiny_bank, own, "--json").json["count"] == 1


def test_facts_at_a_revision_of_a_study(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shell("prune", tiny_bank, "1/0", "1/1", "1/2", "--study", study)
    none = shell("facts", tiny_bank, "--memory", "none", "--json").json
    pruned = shell("facts", study, "--json").json
    shipped = shell("facts", study, "--revision", 0, "--json").json
    assert [row["got"] for row in pruned["facts"]] == [row["got"] for row in none["facts"]]
    assert [row["got"] for row in shipped["facts"]] != [row["got"] for row in none["facts"]]
    assert (pruned["revision"], shipped["revision"]) == (1, 0)


def test_every_verb_but_the_window_has_json() -> None:
    wanted = "info route run trace scan search use facts compare arms update erase learn prune restore scale swap rewrite log receipt undo "
    wanted += "redo checkout name revert diff purge export curve apply evidence verify bench build import selftest demo open"
    assert set(VERBS) == set(wanted.split())
    for verb, function in VERBS.items():
        assert ("json" in function.__annotations__) == (verb != "open")


def test_the_shell_is_the_same_from_outside(tiny_bank: Path) -> None:
    code = [sys.executable, "-m", "memstudio"]
    good = subprocess.run([*code, "info", str(tiny_bank), "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert good.returncode == 0
    assert json.loads(good.stdout)["name"] == "tiny"
    bad = subprocess.run([*code, "info", str(tiny_bank / "blocks")], capture_output=True, text=True, timeout=120, check=False)
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)


def test_light_verbs_import_no_model_and_no_qt(tiny_bank: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    code = (
        "import json, sys\n"
        "from memstudio.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    assert main(words) == 0, words\n"
        "    loaded = [name for name in ('torch', 'transformers', 'PySide6', 'sklearn') if name in sys.modules]\n"
        "    assert not loaded, (words, loaded)\n"
    )
    begun = [sys.executable, "-m", "memstudio", "prune", str(tiny_bank), "3/0", "--study", str(study)]
    subprocess.run(begun, capture_output=True, timeout=120, check=True)
    lines = [["info", str(tiny_bank)], ["prune", str(tiny_bank), "2/3", "--dry-run"], ["log", str(study)], ["undo", str(study)]]
    done = subprocess.run([sys.executable, "-c", code, json.dumps(lines)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
