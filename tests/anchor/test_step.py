"""A token in fixed shapes: what a GPU records and replays, run here as it stands, against the reference path."""

from collections.abc import Iterator

import pytest
import torch

from memstudio.anchor import engine
from memstudio.anchor.attach import Attached
from memstudio.anchor.load import DTYPES, Anchor, load_anchor
from memstudio.anchor.slots import Slots
from memstudio.anchor.step import Step, reading
from memstudio.anchor.values import Sampling
from memstudio.bank.bank import Bank
from memstudio.bank.values import ClusterId
from tests.anchor.conftest import PATH, fetch

TEXT = "The atomic number of gold is 79 and the atomic number of silver is"
OTHER = (ClusterId(1, 0), ClusterId(2, 1), ClusterId(3, 3))
TWELVE = Sampling(max_tokens=12)


@pytest.fixture
def fixed(attached: Attached) -> Attached:
    attached.fixed = True
    return attached


def test_it_agrees_with_the_reference_path_after_a_fetch_an_edit_a_mute_and_in_another_arm(
    attached: Attached, anchor: Anchor, bank: Bank
) -> None:
    ids = anchor.encode(TEXT)
    other = Attached(anchor, Slots(bank.layouts), bank.manifest.layers)
    fetch(other, bank, OTHER)
    for arm in (attached, other):
        step = Step(arm, 64)
        for begun, (path, muted) in enumerate([(PATH, ()), (OTHER, ()), (PATH, (1, 3)), (PATH[1:], ()), ((), ())]):
            fetch(arm, bank, path)
            if begun == 1:
                arm.slots.fill(2, bank.block(PATH[1]), 0.5, "edited")
            step.begin()
            step_storage = arm.slots.parts(1)[0][0].data_ptr()
            with arm.without(muted):
                reference = engine.logits(arm, ids)
                for at in (0, *range(4, len(ids) - 1)):
                    scores = step.read(ids[: at + 4] if at == 0 else ids[at : at + 1])
                    torch.testing.assert_close(scores, reference[3 if at == 0 else at], atol=1e-4, rtol=0)
            assert arm.slots.parts(1)[0][0].data_ptr() == step_storage
    other.detach()


def test_what_an_empty_slot_held_before_does_no_harm(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(TEXT)
    fetch(attached, bank)
    attached.slots.fill(1, torch.full((bank.layouts[0].n,), float("inf")))
    attached.slots.fill(1, None)
    step = Step(attached, 64)
    step.begin()
    step.read(ids[:-1])
    torch.testing.assert_close(step.read(ids[-1:]), engine.logits(attached, ids)[-1], atol=1e-4, rtol=0)


def test_a_generation_says_what_it_says_with_room_that_grows(fixed: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(fixed, bank)
    ids = anchor.encode(TEXT)
    said = {}
    for fixed.fixed in (False, True):
        for prefix in ((), (5, 6)):
            said[fixed.fixed, prefix] = list(engine.generate(fixed, ids, TWELVE, prefix=prefix))
    for prefix in ((), (5, 6)):
        grown, constant = said[False, prefix], said[True, prefix]
        assert [token.id for token in grown] == [token.id for token in constant]
        assert [token.logprob for token in constant] == pytest.approx([token.logprob for token in grown], abs=1e-4)
    assert len(fixed.steps) == 1


def test_an_edit_between_two_tokens_acts_on_the_next_one(fixed: Attached, bank: Bank, anchor: Anchor) -> None:
    said = {}
    for fixed.fixed in (False, True):
        fetch(fixed, bank)
        tokens = []
        for token in engine.generate(fixed, anchor.encode(TEXT), TWELVE):
            tokens.append(token)
            if token.index == 2:
                fetch(fixed, bank, OTHER)
            if token.index == 5:
                fixed.muted = frozenset({1})
        fixed.muted = frozenset()
        said[fixed.fixed] = tokens
    assert [token.id for token in said[True]] == [token.id for token in said[False]]
    assert [token.logprob for token in said[True]] == pytest.approx([token.logprob for token in said[False]], abs=1e-4)


def test_two_generations_at_once_do_not_mix_and_a_longer_text_gets_more_room(fixed: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(fixed, bank)
    prompts = [anchor.encode(TEXT), anchor.encode("Tell me about copper and lead.")]
    alone = [[token.id for token in engine.generate(fixed, ids, TWELVE)] for ids in prompts]
    both = [engine.generate(fixed, ids, TWELVE) for ids in prompts]
    found: list[list[int]] = [[], []]
    for _ in range(12):
        for at, run in enumerate(both):
            token = next(run, None)
            if token is not None:
                found[at].append(token.id)
    for run in both:
        run.close()
    assert found == alone
    assert len(fixed.steps) == 1
    long = (prompts[0] * 40)[: anchor.max_positions - 4]
    assert [token.id for token in engine.generate(fixed, long, TWELVE)] == [token.id for token in engine.generate(fixed, long, TWELVE)]

def test_a_run_that_failed_keeps_no_room_and_one_that_was_stopped_leaves_it(fixed: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(fixed, bank)
    stopped = engine.generate(fixed, anchor.encode(TEXT), TWELVE)
    next(stopped)
    assert fixed.steps == []
    stopped.close()
    (step,) = fixed.steps
    with pytest.raises(IndexError), reading(fixed, 20) as read:
        read([anchor.vocabulary])  # no such token
    assert fixed.steps == []
    assert [token.index for token in engine.generate(fixed, anchor.encode(TEXT), TWELVE)]
    assert step not in fixed.steps


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_recorded_token_is_the_one_that_is_computed(bank: Bank, dtype: str) -> None:
    anchor = load_anchor(bank.anchor_dir(), device="cuda", dtype=dtype)
    attached = Attached(anchor, Slots(bank.layouts, anchor.device, DTYPES[dtype]), bank.manifest.layers)
    ids, step = anchor.encode(TEXT), Step(attached, 64)
    for path, muted in ((PATH, ()), (OTHER, ()), (PATH, (1, 3)), ((), ())):
        fetch(attached, bank, path)
        step.begin()
        with attached.without(muted):
            reference = engine.logits(attached, ids)
            for at in range(len(ids)):
                found = step.read(ids[at : at + 1]).float().cpu()
                torch.testing.assert_close(found, reference[at], atol=1e-4 if dtype == "float32" else 0.3, rtol=0)
    attached.detach()


@pytest.mark.gpu
def test_a_generation_on_a_gpu_says_what_it_says_on_the_cpu(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    away = load_anchor(bank.anchor_dir(), device="cuda")
    there = Attached(away, Slots(bank.layouts, away.device), bank.manifest.layers)
    for arm in (attached, there):
        fetch(arm, bank)
    ids = anchor.encode(TEXT)
    said: Iterator[list[int]] = ([token.id for token in engine.generate(arm, ids, TWELVE)] for arm in (attached, there))
    assert next(said) == next(said)
    there.detach()
