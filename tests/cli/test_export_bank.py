"""`export --as bank`: a smaller bank from the shell; whatever is wrong is one line, exit status 2, and nothing is left."""

import json
from pathlib import Path

import pytest

from memstudio.bank.bank import open_bank
from memstudio.cli.exporting import budget_of
from memstudio.errors import UserError
from memstudio.session.ranking import rank
from tests.cli.conftest import Shell, one_line
from tests.tiny import make_bank


def test_a_quarter_by_documents(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    said = shell("export", tiny_bank, tmp_path / "out", "--as", "bank", "--budget", "50%", "--rank-by", "documents", "--json")
    assert said.status == 0, said
    found = said.json
    assert found["path"] == str(tmp_path / "out")
    assert found["bytes"] <= found["bytes_before"] / 2
    assert found["kept"] + found["dropped"] == 39
    assert found["fallback"] == "zero"
    assert found["recall_before"]["n"] == found["recall_after"]["n"] == 16
    assert open_bank(tmp_path / "out").info()["bank_bytes"] == found["bytes"]
    people = shell("export", tiny_bank, tmp_path / "other", "--as", "bank", "--budget", "30KB", "--rank-by", "random", "--no-check")
    assert people.status == 0
    assert "recall was not measured" in people.out
    assert "ranked by random" in people.out
    assert shell("facts", tmp_path / "other", "--json").status == 0


def test_a_study_is_exported_as_it_stands_and_a_bank_as_shipped(shell: Shell, tiny_bank: Path, study: Path, tmp_path: Path) -> None:
    for source, revision, name in ((study, 1, "a"), (tiny_bank, 0, "b")):
        said = shell("export", source, tmp_path / name, "--as", "bank", "--budget", "100%", "--rank-by", "norm", "--no-check", "--json")
        assert said.json["revision"] == revision, said


def test_a_plan_is_written_edited_and_used(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.jsonl", tmp_path / "out"
    first = shell("export", tiny_bank, out, "--as", "bank", "--rank-by", "random", "--write-plan", plan, "--no-check", "--json").json
    lines = plan.read_text().splitlines()
    assert len(lines) == 40, "the whole order, whatever the budget"
    plan.write_text("\n".join(lines[:8]))
    second = shell("export", tiny_bank, tmp_path / "again", "--as", "bank", "--plan", plan, "--no-check", "--json").json
    assert (second["kept"], second["rank_by"]) == (7, "random")
    assert first["kept"] != 7
    third = shell("export", tiny_bank, tmp_path / "less", "--as", "bank", "--plan", plan, "--budget", "25KB", "--no-check", "--json").json
    assert third["kept"] < 7


@pytest.mark.parametrize("choice", ["int8", "int4", "mixed"])
def test_blocks_are_kept_in_fewer_bits(shell: Shell, tiny_bank: Path, tmp_path: Path, choice: str) -> None:
    words = ("--as", "bank", "--rank-by", "norm", "--precision", choice, "--budget", "20%", "--no-check")
    found = shell("export", tiny_bank, tmp_path / "a", *words, "--json").json
    assert choice == "mixed" or set(found["precisions"]) == {choice}
    info = shell("info", tmp_path / "a", "--json").json
    assert info["bank_bytes"] == found["bytes"]
    assert shell("facts", tmp_path / "a", "--json").status == 0
    assert "as int" in shell("export", tiny_bank, tmp_path / "b", *words).out


def test_a_file_of_prompts_ranks_and_the_result_says_so(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "The atomic number of gold is", "answer": "79"}\n{"prompt": "What is gold ?"}\n{"prompt": 7}\n')
    for by in ("effect", "use"):
        words = ("--as", "bank", "--budget", "50%", "--rank-by", by, "--prompts", prompts, "--no-check", "--json")
        said = shell("export", tiny_bank, tmp_path / by, *words)
        assert said.status == 0, said
        assert said.json["rank_by"] == f"{by}, 2 prompts given"
        assert "1 of its lines cannot be used; line 3" in said.err


def test_subtrees_are_kept_and_dropped(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    found = shell("export", tiny_bank, tmp_path / "a", "--as", "bank", "--keep", "1/0", "--drop", "2/1,3/0", "--no-check", "--json").json
    assert [level["kept"] for level in found["levels"]] == [1, 2, 5], "what is asked for, and no more"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--budget", "10"], ["one route of 'tiny' takes"]),
        (["--budget", "0%"], ["--budget '0%'"]),
        (["--budget", "120%"], ["at most 100%"]),
        (["--budget", "lots"], ["write a share such as 25%"]),
        (["--rank-by", "luck"], ["--rank-by 'luck': is not there"]),
        (["--fallback", "none"], ["--fallback 'none': is not there"]),
        (["--plan", "nowhere.jsonl"], ["nowhere.jsonl: no file"]),
        (["--keep", "9/9"], ["cluster 9/9: no such level"]),
        (["--keep", "1/0", "--drop", "1/0"], ["1/0: is to be kept and dropped"]),
        (["--revisions", "1"], ["--revisions: goes with --as patch"]),
        (["--prompts", "nowhere.txt"], ["nowhere.txt"]),
        (["--prompts", "a.txt", "--facts", "b.jsonl"], ["both say what to rank by: choose one"]),
        (["--precision", "mixed", "--keep", "1/0"], ["--precision mixed: shares a budget out", "name one"]),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_left(
    shell: Shell, tiny_bank: Path, tmp_path: Path, words: list[str], parts: list[str]
) -> None:
    one_line(shell("export", tiny_bank, tmp_path / "out", "--as", "bank", *words), 2, *parts)
    assert not list(tmp_path.glob("out*"))


def test_options_of_a_smaller_bank_do_not_go_with_a_patch(shell: Shell, study: Path, tmp_path: Path) -> None:
    one_line(shell("export", study, tmp_path / "out", "--budget", "25%"), 2, "--budget: goes with --as bank")
    one_line(shell("export", study, tmp_path / "out", "--as", "zip"), 2, "patch, bank, dense and published are")


def test_a_target_with_files_and_a_plan_of_another_bank_are_refused(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    one_line(shell("export", tiny_bank, full, "--as", "bank"), 2, "holds files already")
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    plan = tmp_path / "plan.jsonl"
    other = make_bank(tmp_path / "other", seed=4)
    shell("export", other, tmp_path / "a", "--as", "bank", "--rank-by", "documents", "--write-plan", plan, "--no-check")
    assert json.loads(plan.read_text().splitlines()[0])["bank"]["sha256"] == open_bank(other).digest
    one_line(
        shell("export", tiny_bank, tmp_path / "out", "--as", "bank", "--plan", plan),
        2,
        "is a plan for bank 'tiny'",
        "make one for this bank",
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("25%", (None, 0.25)),
        ("1500000", (1_500_000, None)),
        ("1.5 MB", (1_500_000, None)),
        ("2gb", (2_000_000_000, None)),
        (None, (None, None)),
    ],
)
def test_budgets(text: str | None, found: tuple[int | None, float | None]) -> None:
    assert budget_of(text) == found


@pytest.mark.parametrize("text", ["", "%", "-5%", "5 apples", "nan%", "inf", "1e30"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="write a share such as"):
        budget_of(text)


@pytest.mark.parametrize("precision", ["bank", "mixed"])
def test_a_budget_that_no_route_fits_is_refused_before_blocks_are_ranked(
    shell: Shell, tiny_bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    by: list[object] = []

    def noted(session: object, ranking: object, *given: object, **named: object) -> object:
        by.append(ranking)
        return rank(session, ranking, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("memstudio.session.exporting.rank", noted)
    words = ["--rank-by", "effect", "--precision", precision, "--budget", "10"]
    one_line(shell("export", tiny_bank, tmp_path / "out", "--as", "bank", *words), 2, "one route of 'tiny' takes")
    assert by == ["documents"]
