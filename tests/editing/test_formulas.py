"""The closed form and the dampening against their formulas written out in numpy, and the phrasings by example."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memstudio.bank.values import ClusterId, Exemplar
from memstudio.editing.closed_form import RIDGE, solve
from memstudio.editing.dampen import LAMBDA, dampened
from memstudio.editing.forget import DOCUMENT_SLACK, FLOOR, SLACK, erased
from memstudio.editing.lessons import Lesson, answer_loss, certain, components, make_batch, said
from memstudio.editing.phrasings import draft_phrasings, guess_subject


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 12), st.integers(1, 9), st.floats(1e-3, 10))
def test_the_change_is_the_damped_least_squares_solution(seed: int, prompts: int, width: int, damping: float) -> None:
    random = np.random.default_rng(seed)
    K, R = random.normal(size=(prompts, width)), random.normal(size=(prompts, 5))
    known = random.normal(size=(20, width))
    C = known.T @ known
    left = damping * C + K.T @ K
    left += RIDGE * left.diagonal().mean() * np.eye(width)
    wanted = np.linalg.inv(left) @ K.T @ R
    found = solve(*(torch.tensor(part, dtype=torch.float32) for part in (K, R, C)), damping)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3, atol=1e-5)


def test_without_anything_held_one_key_is_answered_exactly() -> None:
    random = torch.Generator().manual_seed(0)
    key, residual = torch.randn(1, 6, generator=random), torch.randn(1, 4, generator=random)
    change = solve(key, residual, torch.zeros(6, 6), 1.0)
    torch.testing.assert_close(key @ change, residual, rtol=1e-3, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(0.1, 50))
def test_dampening_is_its_formula(seed: int, alpha: float) -> None:
    random = np.random.default_rng(seed)
    row, forget, known = random.normal(size=40), random.uniform(0, 1, 40), random.uniform(0, 0.2, 40)
    wanted = np.where(forget > alpha * known, row * np.minimum(LAMBDA * known / forget, 1), row)
    found = dampened(*(torch.tensor(part) for part in (row, forget, known)), alpha)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9)


def test_an_answer_is_erased_when_it_is_hardly_likelier_than_without_memory() -> None:
    answers = torch.tensor([[5, 6]])
    for now, alone, gone in ((0.9, 0.1, False), (SLACK * 0.1 * 0.99, 0.1, True), (FLOOR * 0.99, 1e-9, True), (FLOOR * 1.1, 1e-9, False)):
        logs = torch.tensor([[0.0, np.log(now)]]), torch.tensor([[0.0, np.log(alone)]])
        assert bool(erased(*logs, answers, torch.tensor([False]))) is gone
    long = torch.zeros(1, 40, dtype=torch.long)
    assert bool(erased(torch.full((1, 40), -3.0), torch.full((1, 40), -3.0 - DOCUMENT_SLACK * 0.9), long, torch.tensor([True])))
    assert not bool(erased(torch.full((1, 40), -3.0), torch.full((1, 40), -3.0 - DOCUMENT_SLACK * 1.1), long, torch.tensor([True])))


def test_answer_positions_are_scored_whatever_the_padding() -> None:
    lessons = [Lesson((1, 2, 3), (4, 5), ()), Lesson((1,), (6,), ())]
    batch = make_batch(lessons, "cpu")
    assert batch.ids.tolist() == [[1, 2, 3, 4], [0, 0, 0, 1]]
    assert batch.mask.tolist() == [[1, 1, 1, 1], [0, 0, 0, 1]]
    assert batch.places.tolist() == [[0, 1, 2, 3], [0, 0, 0, 0]]
    assert batch.answers.tolist() == [[4, 5], [-1, 6]]
    scores = torch.full((2, 2, 8), -4.0)
    scores[0, 0, 4] = scores[0, 1, 5] = scores[1, 1, 6] = 4.0
    shares = scores.softmax(-1)
    torch.testing.assert_close(answer_loss(scores, batch.answers), torch.stack([-shares[0, 0, 4].log(), -shares[1, 1, 6].log()]))
    assert said(scores, batch.answers).all()
    assert certain(scores, batch.answers, 0.9).all()
    assert not certain(scores, batch.answers, 0.9999).any()


def test_blocks_are_fitted_together_only_where_a_prompt_fetches_both() -> None:
    a, b, c = ClusterId(2, 0), ClusterId(3, 0), ClusterId(3, 5)
    apart = [Lesson((1,), (2,), (a,)), Lesson((1,), (2,), (c,)), Lesson((1,), (2,), (ClusterId(1, 0), b))]
    assert components((a, b, c), apart) == [(a,), (b,), (c,)]
    assert components((a, b, c), [*apart, Lesson((1,), (2,), (a, b))]) == [(a, b), (c,)]


GOLD = Exemplar("gold#1", "Gold is a metal. Chemists know gold by the atomic number 79. Its group number is 11, and gold costs 79 crowns.")


def test_phrasings_come_from_documents_that_name_the_subject_and_are_cut_before_the_answer() -> None:
    drafts = draft_phrasings("The atomic number of gold is", "gold", ["79"], [GOLD])
    assert drafts[0].text == "Chemists know gold by the atomic number"
    assert drafts[0].source == "document gold#1"
    assert all("79" not in draft.text for draft in drafts)
    assert not any("costs" in draft.text for draft in drafts)


@pytest.mark.parametrize(
    "prompt",
    [
        "The atomic number of gold is",
        "What is the capital of France?",
        "Gold was found in the year",
        "Who wrote it?",
        "x",
        "Q: What is the height of K2? A:",
    ],
)
def test_at_least_five_phrasings_are_drafted_in_question_and_statement_forms(prompt: str) -> None:
    drafts = draft_phrasings(prompt, "", [], [])
    assert len(drafts) >= 5
    assert {draft.source for draft in drafts} == {"question", "statement"}
    assert prompt not in {draft.text for draft in drafts}
    assert len({draft.text.casefold() for draft in drafts}) == len(drafts)


def test_the_subject_is_the_longest_known_name_in_the_prompt() -> None:
    assert guess_subject("The capital of New South Wales is", ["Wales", "New South Wales", "South"]) == "New South Wales"
    assert guess_subject("The capital of Atlantis is", []) == "Atlantis"
    assert guess_subject("the height of mount doom is", []) == "mount doom"
