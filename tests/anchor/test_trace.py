"""The trace as an instrument: what it says of blocks whose effect is known because they were made by hand."""

import numpy as np
import pytest
import torch

from memstudio.anchor import engine
from memstudio.anchor.attach import Attached
from memstudio.anchor.lens import THRESHOLD, Lens, block_neurons
from memstudio.anchor.load import Anchor
from memstudio.anchor.trace import contributions, trace
from memstudio.bank.bank import Bank
from memstudio.bank.values import Memory, Route
from memstudio.errors import UserError
from tests.anchor.conftest import PATH, block_that_writes, fetch, mlp_input

PROMPT = "The atomic number of gold is"
ROUTE = Route(PATH, (0.1, 0.2, 0.3), ((), (), ()), (None, None, None))
LOUD, OTHER, PLANTED = PATH


def plant(attached: Attached, bank: Bank) -> None:
    """A fact in the deepest block (gold is 79), and in the coarsest, twice as loud, what neither 79 nor its rival 47 sees."""
    anchor = attached.anchor
    x = mlp_input(attached, anchor.encode(PROMPT), 1)
    head = anchor.model.get_output_embeddings().weight
    centred = head - head.mean(0)
    target, rival = (centred[anchor.continuation(PROMPT, text)[0]] for text in ("79", "47"))
    blind = torch.linalg.qr(torch.stack([target, rival], 1)).Q
    aside = torch.eye(anchor.hidden_size) - blind @ blind.T
    quiet = torch.linalg.eigh(aside @ centred.T @ centred @ aside).eigenvectors[:, 2]
    attached.slots.clear()
    attached.slots.fill(1, block_that_writes(bank, 1, 1, x, 80 * quiet))
    attached.slots.fill(3, block_that_writes(bank, 3, 1, x, 40 * target / target.norm()))


def test_a_planted_fact_is_named_beside_a_loud_irrelevant_block(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    plant(attached, bank)
    assert anchor.piece(int(engine.logits(attached, anchor.encode(PROMPT))[-1].argmax())).strip() == "79"
    found = trace(attached, PROMPT, ROUTE, answer="79", against="47")
    assert max(found.effect, key=found.effect.__getitem__) == PLANTED
    assert found.effect[PLANTED] > 1.0
    assert found.effect[LOUD] < 0.1 * found.effect[PLANTED]
    last = found.contribution[:, :, -1]
    assert np.nanargmax(last[1]) == PLANTED.level - 1
    assert last[1, PLANTED.level - 1] > 10 * abs(last[1, LOUD.level - 1])
    assert found.norm[1, LOUD.level - 1, -1] > 1.5 * found.norm[1, PLANTED.level - 1, -1]
    named = {neuron.cluster: neuron for neuron in found.neurons if neuron.promotes}
    assert (named[PLANTED].layer, named[PLANTED].index) == (1, 1)
    assert "79" in named[PLANTED].promotes[0]
    assert found.answer.without[PLANTED] < found.answer.fetched


def test_a_level_without_a_block_is_not_measured_and_never_zero(attached: Attached, bank: Bank) -> None:
    plant(attached, bank)
    found = trace(attached, PROMPT, ROUTE)
    assert np.isnan(found.norm[:, OTHER.level - 1]).all()
    assert np.isnan(found.contribution[:, OTHER.level - 1]).all()
    assert set(found.effect) == {LOUD, PLANTED}
    assert set(found.answer.without_subtree) == {LOUD, OTHER, PLANTED}
    attached.muted = frozenset({PLANTED.level})
    assert set(trace(attached, PROMPT, ROUTE).effect) == {LOUD}


def test_steps_sum_to_the_gain_and_each_agrees_with_the_reference_path(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank)
    ids, target = anchor.encode(PROMPT), anchor.continuation(PROMPT, "79.")
    assert len(target) == 2
    answer = trace(attached, PROMPT, ROUTE, answer="79.").answer

    def reference(*levels: int) -> float:
        with attached.without({1, 2, 3} - set(levels)):
            scores = engine.logits(attached, ids + target[:-1]).log_softmax(-1)
        return sum(float(scores[len(ids) - 1 + at, token]) for at, token in enumerate(target))

    assert [name for name, _ in answer.steps] == ["none", *map(str, PATH)]
    for (_, value), levels in zip(answer.steps, [(), (1,), (1, 2), (1, 2, 3)], strict=True):
        assert value == pytest.approx(reference(*levels), abs=1e-4)
    gains = [after[1] - before[1] for before, after in zip(answer.steps, answer.steps[1:], strict=False)]
    assert sum(gains) == pytest.approx(answer.fetched - answer.none)
    assert sum(answer.token_logprobs) == pytest.approx(answer.fetched)
    assert answer.without[OTHER] == pytest.approx(reference(1, 3), abs=1e-4)
    assert answer.without_subtree[OTHER] == pytest.approx(reference(1), abs=1e-4)
    assert answer.generic is None
    assert answer.baseline == "zero"


def test_generic_is_measured_through_the_slots_which_then_hold_the_fetched_blocks_again(
    attached: Attached, anchor: Anchor, bank: Bank
) -> None:
    def fill(memory: Memory) -> bool:
        fetch(attached, bank)
        if memory == "generic":
            for level in (1, 2, 3):
                attached.slots.fill(level, bank.generic(level), identity="generic")
        return True

    fill("generic")
    expected = float(engine.logits(attached, anchor.encode(PROMPT))[-1].log_softmax(-1)[anchor.continuation(PROMPT, "79")[0]])
    fill("fetched")
    before = engine.logits(attached, anchor.encode(PROMPT))
    found = trace(attached, PROMPT, ROUTE, answer="79", fill=fill)
    assert found.answer.generic == pytest.approx(expected, abs=1e-4)
    assert attached.slots.identity == list(PATH)
    assert torch.equal(engine.logits(attached, anchor.encode(PROMPT)), before)


def test_against_measures_margins_and_names_the_runner_up(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank)
    one = trace(attached, PROMPT, ROUTE, answer="79", against="47")
    other = trace(attached, PROMPT, ROUTE, answer="47")
    assert one.runner_up.strip("▁ ") == "47"
    assert one.answer.against_fetched == pytest.approx(one.answer.fetched - other.answer.fetched, abs=1e-4)
    assert set(one.answer.against_without) == set(PATH)
    assert one.answer.against_without[LOUD] == pytest.approx(one.answer.without[LOUD] - other.answer.without[LOUD], abs=1e-4)


def test_attribution_at_the_last_token_is_the_direct_share_in_the_logit_difference(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    """A block of the last layer acts on the last logits directly, so taking its output away with the norm's scale held gives the same."""
    fetch(attached, bank)
    ids = anchor.encode(PROMPT)
    streams: list[torch.Tensor] = []
    lens = Lens(anchor)
    hook = lens.norm.register_forward_pre_hook(lambda _, args: streams.append(args[0][0, -1]))
    with torch.inference_mode(), attached.captured() as capture:
        attached.forward(torch.tensor([ids]))
    hook.remove()
    found = trace(attached, PROMPT, ROUTE, answer="79", against="47")
    target, rival = (anchor.continuation(PROMPT, text)[0] for text in ("79", "47"))
    scale = (streams[0].pow(2).mean() + 1e-5).sqrt()

    def difference(stream: torch.Tensor) -> float:
        scores = anchor.model.get_output_embeddings()(stream / scale * lens.norm.weight)
        return float(scores[target] - scores[rival])

    for level in (1, 2, 3):
        expected = difference(streams[0]) - difference(streams[0] - capture.added[1, level][0, -1])
        assert found.contribution[1, level - 1, -1] == pytest.approx(expected, abs=1e-3)
    shares = capture.added[0, 2][0].norm(dim=-1) / capture.own[0][0].norm(dim=-1)
    np.testing.assert_allclose(found.norm[0, 1], shares.numpy(), rtol=1e-5)


def test_two_traces_are_equal(attached: Attached, bank: Bank) -> None:
    fetch(attached, bank)
    one, two = trace(attached, PROMPT, ROUTE), trace(attached, PROMPT, ROUTE)
    np.testing.assert_array_equal(one.contribution, two.contribution)
    assert (one.effect, one.answer, one.neurons) == (two.effect, two.answer, two.neurons)


def test_random_value_rows_promote_nothing_and_an_unembedding_row_promotes_its_token(anchor: Anchor) -> None:
    lens = Lens(anchor)
    random = torch.randn(200, anchor.hidden_size, generator=torch.Generator().manual_seed(5))
    named = [tokens for tokens, _ in lens.promoted(random, 1) if tokens]
    assert len(named) <= 6
    token = anchor.encode("gold")[-1]
    head = anchor.model.get_output_embeddings().weight
    (tokens, z), *_ = lens.promoted(5 * (head[token] - head.mean(0))[None], 1)
    assert tokens[0] == anchor.piece(token)
    assert z > THRESHOLD


def test_static_neurons_put_the_planted_one_first_and_say_that_no_activation_was_measured(
    attached: Attached, anchor: Anchor, bank: Bank
) -> None:
    row = bank.block(PLANTED)
    head = anchor.model.get_output_embeddings().weight
    token = anchor.encode("silver")[-1]
    bank.layouts[2].split(row)[0][2][4] = head[token] - head.mean(0)
    first, *others = block_neurons(Lens(anchor), bank.layouts[2], attached.layers, row, PLANTED, count=5)
    assert (first.layer, first.index, first.promotes[0]) == (0, 4, anchor.piece(token))
    assert np.isnan(first.activation)
    assert len(others) == 4


def test_an_empty_or_over_long_answer_is_refused(attached: Attached, bank: Bank) -> None:
    fetch(attached, bank)
    for answer in ("", "  ", "79 " * 400):
        with pytest.raises(UserError):
            trace(attached, PROMPT, ROUTE, answer=answer)


def test_contributions_alone_are_those_of_the_whole_trace(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank, PATH[:2])
    ids = anchor.encode(PROMPT)
    likeliest = int(engine.logits(attached, ids)[-1].argmax())
    whole = trace(attached, PROMPT, ROUTE, answer=[likeliest])
    contribution, norm = contributions(attached, ids, Lens(anchor))
    np.testing.assert_allclose(contribution, whole.contribution, atol=1e-5)
    np.testing.assert_allclose(norm, whole.norm, atol=1e-5)
    assert np.isnan(contribution[:, 2]).all()
    assert np.isfinite(contribution[:, :2]).all()
