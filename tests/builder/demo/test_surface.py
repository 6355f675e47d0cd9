"""What counts as guessable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memstudio.builder.demo.surface import ANSWER_RULES, SUBJECT_RULES, guessable, majority_share, rule_shares

WORDS = st.text(alphabet="abcdefghijklmnop", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("rule", "subject", "answer"),
    [
        ("first letter", "carbon", "C"),
        ("first two letters", "Ohio", "OH"),
        ("first three letters", "Tamil", "tam"),
        ("first two consonants", "Virginia", "VR"),
        ("first three consonants", "Tullamarine", "tll"),
        ("first and third letter", "magnesium", "MG"),
        ("first and last letter", "Virginia", "VA"),
        ("initials", "North Carolina", "NC"),
        ("first word", "Gran Paradiso", "gran"),
        ("subject", "Luxembourg", "Luxembourg"),
        ("subject and City", "Kuwait", "Kuwait City"),
        ("contained", "Guinea-Bissau", "Bissau"),
        ("longest prefix", "Tunisia", "Tunis"),
    ],
)
def test_each_rule_finds_what_it_is_named_after(rule: str, subject: str, answer: str) -> None:
    assert rule_shares([(subject, answer)])[rule] == 1


def test_every_rule_has_a_case() -> None:
    assert len(SUBJECT_RULES) + len(ANSWER_RULES) == 13


def test_a_majority_over_a_tenth_makes_a_relation_guessable() -> None:
    unknowable = [(letter * 5, str(1000 + i)) for i, letter in enumerate("abcdefghijklmnopqr")]
    assert not guessable([*unknowable, ("x", "98"), ("y", "98")])
    assert guessable([*unknowable, ("x", "98"), ("y", "98"), ("z", "98")])


def test_numbers_that_follow_no_rule_are_not_guessable() -> None:
    assert not guessable([("name" + letter, str(1000 + i)) for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz")])


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=20))
def test_shares_are_shares_whatever_the_words(pairs: list[tuple[str, str]]) -> None:
    assert all(0 <= share <= 1 for share in rule_shares(pairs).values())
    assert 0 < majority_share([answer for _, answer in pairs]) <= 1


@given(st.lists(WORDS, min_size=1, max_size=20))
def test_a_relation_that_repeats_its_subject_is_guessable(subjects: list[str]) -> None:
    assert guessable([(subject, subject) for subject in subjects])
