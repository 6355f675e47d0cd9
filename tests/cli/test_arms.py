"""The verb `arms` on a tiny bank: the figures of the session, in words and as JSON."""

from pathlib import Path

import pytest

from memstudio.anchor.values import Sampling
from memstudio.session import open_session
from memstudio.session.arm_wish import GENERIC, NO_MEMORY, SHIPPED, THIS, parse_arm
from tests.cli.conftest import Shell, one_line

PROMPT = "The atomic number of gold is"


def test_arms_say_what_the_session_says(shell: Shell, tiny_bank: Path) -> None:
    words = ["none", "route:3/26", "head"]
    options = [part for word in words for part in ("--arm", word)]
    said = shell("arms", tiny_bank, PROMPT, *options, "--max-tokens", 6, "--temperature", 1.2, "--seed", 4, "--json").json
    with open_session(tiny_bank, device="cpu") as session:
        found = session.arms(PROMPT, [parse_arm(word) for word in words], Sampling(6, 1.2, seed=4))
        list(found.tokens())
        weighed = found.weigh()
    assert [each["arm"] for each in said["arms"]] == words
    for number, each in enumerate(said["arms"]):
        assert [token["id"] for token in each["tokens"]] == [token.id for token in found.answers[number]]
        assert each["logprobs"] == pytest.approx(weighed.logprobs[number].tolist())
        assert each["differences"] == pytest.approx(weighed.differences[number].tolist(), abs=1e-6)
        assert each["parts_at"] == found.partings()[number]
    assert said["arms"][0]["route"] is None
    assert said["arms"][1]["route"] == ["1/2", "2/8", "3/26"]
    assert said["reference_tokens"] == list(weighed.pieces)


def test_by_default_this_revision_stands_beside_the_bank_as_shipped_generic_and_none(shell: Shell, tiny_bank: Path, study: Path) -> None:
    said = shell("arms", tiny_bank, PROMPT, "--study", study, "--max-tokens", 3, "--json").json["arms"]
    assert [each["arm"] for each in said] == list(map(str, (THIS, SHIPPED, GENERIC, NO_MEMORY)))
    assert [each["revision"] for each in said[:2]] == [1, 0]


def test_people_are_told_where_they_part_and_which_coincide(shell: Shell, tiny_bank: Path) -> None:
    people = shell("arms", tiny_bank, PROMPT, "--max-tokens", 5)
    assert people.status == 0
    assert "B  as shipped (revision 0)" in people.out
    assert "same blocks as A" in people.out
    said = shell("arms", tiny_bank, PROMPT, "--max-tokens", 5, "--json").json["arms"]
    assert f"parts from A at token {said[3]['parts_at']}" in people.out
    assert people.out.count("▸") == 1 + sum(each["parts_at"] is not None for each in said)
    assert f"{sum(said[3]['differences']):+.3f}" in people.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--arm", "head"), "1 arms: name 2 to 5"),
        (("--arm", "head", "--arm", "all"), "arm 'all': write none"),
        (("--arm", "head", "--arm", "@7"), "revision 0 alone"),
        (("--arm", "head", "--arm", "route:9/1"), "9/1"),
    ],
)
def test_what_cannot_be_an_arm_is_one_line(shell: Shell, tiny_bank: Path, options: tuple[str, ...], said: str) -> None:
    one_line(shell("arms", tiny_bank, PROMPT, *options), 2, said)
