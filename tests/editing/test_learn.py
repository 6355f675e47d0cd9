"""What learning aims at and how erasing judges a text, by hand-made logits; what is refused before any model is asked for."""

from pathlib import Path

import pytest
import torch

from memstudio.bank.bank import Bank, open_bank
from memstudio.editing.forget import FLOOR, by_mean, erased
from memstudio.editing.learn import MOST_CHARACTERS, Learn, Learned, _aim, _half, _sentences
from memstudio.editing.lessons import Lesson, make_batch
from memstudio.errors import UserError
from tests.editing.desks import make_desk


@pytest.fixture(scope="module")
def bank(tiny_bank: Path) -> Bank:
    return open_bank(tiny_bank)


def one_hot(answers: torch.Tensor, wrong: int) -> torch.Tensor:
    """Logits [1, K, 8] whose likeliest tokens are the answers but for the first `wrong` of them."""
    said = answers.clone()
    said[:, :wrong] = 0
    return 5.0 * torch.nn.functional.one_hot(said, 8).float()


@pytest.mark.parametrize(
    ("wrong", "now", "late"), [(0, True, True), (2, True, True), (3, False, True), (5, False, True), (6, False, False)]
)
def test_a_text_is_there_at_98_in_100_likeliest_tokens_and_later_at_95(wrong: int, now: bool, late: bool) -> None:
    batch = make_batch([Lesson((1,), (3,) * 100, ())], "cpu")
    aim = _aim(10)
    assert bool(aim.there(batch, one_hot(batch.answers, wrong), False)) is now
    assert bool(aim.there(batch, one_hot(batch.answers, wrong), True)) is late


def test_the_loss_is_the_mean_over_the_tokens_of_the_text() -> None:
    batch = make_batch([Lesson((1,), (3, 4), ())], "cpu")
    scores = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(0))
    logs = scores.log_softmax(-1)
    torch.testing.assert_close(_aim(1).loss(batch, scores), -(logs[:, 0, 3] + logs[:, 1, 4]) / 2)


def test_a_text_that_is_likely_token_by_token_is_not_gone_though_its_product_is_small() -> None:
    answers, now, alone = torch.ones(1, 10, dtype=torch.long), torch.full((1, 10), -0.6), torch.full((1, 10), -9.0)
    assert float(now.sum().exp()) < FLOOR
    assert not bool(erased(now, alone, answers, torch.tensor([by_mean(Lesson((1,), (1,) * 10, (), text=True))])))
    assert bool(erased(now, alone, answers, torch.tensor([by_mean(Lesson((1,), (1,) * 10, ()))])))


def test_a_document_is_learnt_by_sentence_and_asked_for_by_the_first_half_of_one() -> None:
    assert _sentences("Red is a colour. No.\nBlue is one too! Is it so?") == ["Red is a colour.", "Blue is one too!"]
    assert _half("one two three four five") == "one two three"


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (Learn(()), "name a document"),
        (Learn((Learned("a", " \n"),)), "'a': holds no text"),
        (Learn((Learned("a", "x" * (MOST_CHARACTERS + 1)),)), "over 200000"),
        (Learn((Learned("a", "x" * 150_000), Learned("b", "x" * 150_000))), "'b': with it there are 300000"),
        (Learn((Learned("a", "one"), Learned("a", "two"))), "two have that name"),
        (Learn((Learned("a", "one"),), steps=0), "0 steps: give 1 to"),
        (Learn((Learned("a", "one"),), steps=10_001), "10001 steps: give 1 to"),
    ],
)
def test_what_cannot_be_learnt_is_refused_before_a_model_is_loaded(bank: Bank, edit: Learn, says: str) -> None:
    with pytest.raises(UserError, match=says):
        edit.draft(make_desk(bank, {}))
