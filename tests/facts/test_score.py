"""What counts as right, and how shares are counted."""

from dataclasses import replace

import pytest

from memstudio.bank.values import ClusterId
from memstudio.facts.score import agreement, answer_of, is_correct, learned_of, scored, total, wanted
from memstudio.facts.statistics import Proportion
from memstudio.facts.values import Fact, Kind


def path(*indices: int) -> tuple[ClusterId, ...]:
    return tuple(ClusterId(level, index) for level, index in enumerate(indices, 1))


def fact(name: str = "f", kind: Kind = "specific", phrasings: int = 1, held_out: int = 0) -> Fact:
    texts = [f"{name} {number}" for number in range(phrasings + held_out)]
    return Fact(name, "gold", "number", name, "79", (), tuple(texts[:phrasings]), tuple(texts[phrasings:]), (), kind)


@pytest.mark.parametrize(
    ("text", "expected", "right"),
    [
        (" 79. And more", "79", True),
        (" 79", "79", True),
        (" 79th element", "79", True),
        (" about 79 or 80", "79", True),
        (" 790.", "79", False),
        (" 80, not 79", "79", False),
        (" seventy-nine.", "79", False),
        (" 1,234 m.", "1234", True),
        (" 1234 m.", "1,234", True),
        (" 0079.", "79", True),
        (" -5.", "−5", True),
        (" 5.", "-5", False),
        (" Paris.", "paris", True),
        (" PARIS\nLondon", "Paris", True),
        (" Paris, France.", "Paris", False),
        (" Straße.", "STRASSE", True),
        ("\n79", "79", False),
        ("", "79", False),
        (" .", "79", False),
        (" " + "9" * 5000 + ".", "9" * 5000, True),
    ],
)
def test_an_answer_is_judged_up_to_the_first_stop_or_line_end(text: str, expected: str, right: bool) -> None:
    assert is_correct(text, expected) is right


def test_an_alias_is_right_too() -> None:
    assert is_correct(" the Netherlands.", "Netherlands", ("The Netherlands", "Holland"))
    assert is_correct(" 79.", "seventy-nine", ("79",))
    assert not is_correct(" Holland and more.", "Netherlands", ("Holland",))


def test_what_is_judged_is_shown() -> None:
    assert answer_of("  Paris . It is\n") == "Paris"


def test_a_held_out_phrasing_learned_when_it_fetches_a_block_that_a_trained_one_fetches() -> None:
    routes = [path(0, 0), path(0, 1), path(0, 1), path(0, 2)]
    assert learned_of(fact(phrasings=1, held_out=2), routes) == [True, True, True, False]


def test_an_ended_route_fetches_nothing_that_was_learned() -> None:
    assert learned_of(fact(phrasings=1), [(), path(1)]) == [False, True]


def test_agreement_counts_pairs_of_phrasings_level_by_level() -> None:
    routes = [path(0, 0), path(0, 1), path(1, 3)]
    assert agreement([fact(phrasings=2)], [routes], 2) == {1: Proportion(1, 3), 2: Proportion(0, 3)}


def test_agreement_leaves_guessable_facts_and_ended_routes_out() -> None:
    assert agreement([fact(kind="guessable")], [[path(0), path(0)]], 2) == {1: Proportion(0, 0), 2: Proportion(0, 0)}
    assert agreement([fact()], [[path(0), path(0)]], 2) == {1: Proportion(1, 1), 2: Proportion(0, 0)}
    assert agreement([fact()], [[path(0, 1), path(0)]], 2) == {1: Proportion(1, 1), 2: Proportion(0, 1)}


def test_shares_are_over_trained_phrasings_and_guessable_facts_count_nowhere() -> None:
    known, common, guess = fact("known", phrasings=1, held_out=1), fact("common", "common"), fact("guess", "guessable")
    rows = [
        scored(known, "prompt", "known", " 79.", path(0), True),
        scored(known, "trained", "known 0", " 80.", path(0), True),
        scored(known, "held_out", "known 1", " 80.", path(1), False),
        scored(common, "prompt", "common", " 79", path(0), True),
        scored(guess, "prompt", "guess", " no", path(0), True),
    ]
    scores = total(rows, memory="fetched", revision=4, agreement={}, seconds=1.0)
    assert scores.count == 3
    assert scores.accuracy == pytest.approx(2 / 3)
    assert scores.by_kind == {"common": 1.0, "specific": 0.5}
    assert scores.by_phrasing == {"trained": pytest.approx(2 / 3), "held_out": 0.0}
    assert scores.held_out_learned is None
    assert scores.facts[0].got == "79"


def test_what_was_not_counted_is_none_and_never_zero() -> None:
    scores = total([], memory="none", revision=0, agreement={1: Proportion(0, 0)}, seconds=0.0)
    assert scores.accuracy is None
    assert set(scores.by_kind.values()) == {None}
    assert scores.agreement == {1: None}
    assert {right.share for right in scores.proportions.values()} == {None}


def test_every_share_has_its_counts() -> None:
    rows = [scored(fact(), "prompt", "f", " 79.", path(0), True), scored(fact(), "held_out", "f 0", " 80.", path(0), True)]
    scores = total(rows, memory="fetched", revision=0, agreement={1: Proportion(3, 4)}, seconds=0.0)
    assert scores.proportions == {
        "accuracy": Proportion(1, 1),
        "by_kind.common": Proportion(0, 0),
        "by_kind.specific": Proportion(1, 1),
        "trained": Proportion(1, 1),
        "held_out": Proportion(0, 1),
        "held_out_learned": Proportion(0, 1),
        "agreement.1": Proportion(3, 4),
    }
    assert scores.agreement == {1: 0.75}


def test_targets_are_scored_in_place_of_what_was_expected() -> None:
    changed = replace(fact(), target="80", aliases=("seventy-nine",))
    assert wanted(changed, "target") == ("80",)
    assert wanted(changed, "expected") == ("79", "seventy-nine")
    row = scored(changed, "prompt", "f", " 80.", path(0), True, "target")
    assert (row.expected, row.correct) == ("80", True)
    assert not scored(changed, "prompt", "f", " 80.", path(0), True).correct


def test_a_fact_without_such_an_answer_has_none_that_counts() -> None:
    assert wanted(fact(), "target") == ()
    assert wanted(replace(fact(), expected="", target="80"), "expected") == ()
