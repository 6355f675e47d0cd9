"""The verbs `scan` and `search` on a tiny bank: the paths and figures of the session, in words and as JSON."""

from pathlib import Path

import pytest

from memstudio.session import open_session
from tests.cli.conftest import Shell, one_line

PROMPT = "The atomic number of gold is"


def test_scan_says_where_the_answer_is(shell: Shell, tiny_bank: Path) -> None:
    said = shell("scan", tiny_bank, PROMPT, "--answer", "4", "--top", 27, "--json").json
    with open_session(tiny_bank, device="cpu") as session:
        found = session.scan(PROMPT, "4")
    assert said["routed"] == pytest.approx(found.routed)
    assert [each["cluster"] for each in said["best"]] == [str(end) for end, _ in found.best()]
    assert [each["cluster"] for each in said["better"]] == [str(end) for end, _ in found.better()]
    assert said["better_count"] == len(found.better())
    assert said["scanned"] == said["total"] == 27


def test_scan_tells_people_the_routed_path_and_the_better_ones(shell: Shell, tiny_bank: Path) -> None:
    people = shell("scan", tiny_bank, PROMPT, "--answer", "4", "--top", 27)
    assert people.status == 0
    assert "27 of 27 paths scanned" in people.out
    better = shell("scan", tiny_bank, PROMPT, "--answer", "4", "--json").json["better_count"]
    assert better > 0
    assert f"better than the routed one: {better}" in people.out
    assert "▸" in people.out


@pytest.mark.parametrize(("words", "said"), [((" ",), "the prompt is empty"), ((PROMPT, "--answer", " "), "the answer is empty")])
def test_an_empty_prompt_or_answer_is_one_line(shell: Shell, tiny_bank: Path, words: tuple[str, ...], said: str) -> None:
    one_line(shell("scan", tiny_bank, *words), 2, said)


def test_search_says_where_it_was_found(shell: Shell, tiny_bank: Path) -> None:
    said = shell("search", tiny_bank, "gold", "--json").json["findings"]
    assert {"fact", "document"} <= {one["kind"] for one in said}
    assert all(set(one) == {"kind", "cluster", "text", "detail"} for one in said)
    people = shell("search", tiny_bank, "3/5").out
    assert "3/5" in people
    assert shell("search", tiny_bank, "nothing like it").out.strip() == "nothing found"
    one_line(shell("search", tiny_bank, "token:"), 2, "no token is named")
