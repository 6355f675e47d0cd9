"""Corrupted prompts keep the name and the answer, and never come near a held-out phrasing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memstudio.builder.demo.examples import Example
from memstudio.builder.demo.noise import MARK, NAME, Noise, find, runs

WORDS = tuple(MARK if token in (90, 91) else token for token in range(100))
ENDINGS = ((90,), (91,), (7,))


@given(st.lists(st.integers(1, 8), max_size=8), st.lists(st.integers(1, 8), max_size=8), st.integers(0, 10_000))
def test_a_corrupted_prompt_keeps_the_name_and_the_answer_and_no_forbidden_run(before: list[int], after: list[int], seed: int) -> None:
    name, answer = (50, 51), (60, 61)
    ids = (*before, *name, *after, *answer)
    example = Example(ids, len(ids) - 2, (1, 2), (len(before), len(before) + 2))
    forbidden = frozenset({(1, 2, 3), (NAME, 4, 5), (6, 7, NAME)})
    got = Noise(1.0, WORDS, ENDINGS, (3, 4), forbidden).maybe(example, np.random.default_rng(seed))
    assert got.ids[got.start :] == answer
    assert got.name is not None
    assert got.ids[slice(*got.name)] == name
    assert got.path == example.path
    if got is not example:
        assert forbidden.isdisjoint(runs(got.ids[: got.start], got.name, WORDS))


def test_runs_mask_the_name_and_leave_marks_out() -> None:
    assert list(runs((1, 90, 50, 51, 2, 3), (2, 4), WORDS)) == [(1, NAME, 2), (NAME, 2, 3)]


def test_an_example_without_a_name_stays_as_it_is() -> None:
    example = Example((1, 2, 3), 2)
    assert Noise(1.0, WORDS, ENDINGS, (3, 4), frozenset()).maybe(example, np.random.default_rng(0)) is example


def test_find_takes_the_first_form_that_occurs() -> None:
    assert find((1, 2, 3, 4), [(9,), (3, 4), (1,)]) == (2, 4)
    assert find((1, 2), [(3,)]) is None
