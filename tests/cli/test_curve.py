"""The verb `curve`: a table, an object, a CSV file and a picture; bad words are one line."""

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Shell


def test_the_curve_is_printed_and_saved(shell: Shell, tiny_bank: Path, tmp_path: Path) -> None:
    files = [tmp_path / "curve.csv", tmp_path / "curve.svg"]
    words = ("--rank-by", "norm,documents", "--fallback", "all", "--budgets", "30%,60%")
    said = shell("curve", tiny_bank, *words, "--out", files[0], "--out", files[1], "--budget", "30%", "--json")
    found = said.json
    assert said.status == 0
    assert [(point["rank_by"], point["fallback"], point["share"]) for point in found["points"][:3]] == [
        ("documents", "zero", 0.3),
        ("documents", "zero", 0.6),
        ("documents", "generic", 0.3),
    ]
    assert len(found["points"]) == 12
    assert set(found["points"][0]["recall"]) == {"k", "n", "share", "low", "high"}
    assert found["runs"] < found["apart"] == 12 * found["scored_on"]
    assert found["apart_seconds"] is None
    assert len(found["duels"]) == 10
    assert set(found["duels"][0]) == {"share", "of", "to", "gained", "lost", "kept_right", "kept_wrong", "p", "logprob"}
    with files[0].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["bytes"]) for row in rows[:12]] == [point["bytes"] for point in found["points"]]
    assert files[1].read_text().startswith("<svg ")
    assert "chosen: a budget of" in files[1].read_text()
    assert found["chosen"]["share"] == max(point["recall"]["share"] for point in found["points"] if point["share"] == 0.3)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["curve.csv", "curve.svg"]
    people = shell("curve", tiny_bank, "--rank-by", "norm", "--precision", "bank,int8", "--budgets", "30%", "--budget", "90%")
    assert "from norm, else zero, prompt by prompt" in people.out
    assert "ranked on" in people.out
    assert "lies outside those that were measured" in people.out
    assert "norm, else zero" in people.out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--rank-by", "luck"], "--rank-by 'luck'"),
        (["--fallback", "none"], "--fallback 'none'"),
        (["--budgets", "12KB"], "--budgets '12KB'"),
        (["--budget", "much"], "--budget 'much'"),
        (["--out", "curve.png"], "curve.png: name a file that ends in .csv or .svg"),
    ],
)
def test_bad_words_are_one_line(shell: Shell, tiny_bank: Path, words: list[str], part: str) -> None:
    said = shell("curve", tiny_bank, *words)
    assert said.status == 2
    assert part in said.err
    assert len(said.err.strip().splitlines()) == 1
