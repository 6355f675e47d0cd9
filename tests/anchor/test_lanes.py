"""What reads a run along: it agrees with the reference path, and the run does not notice it."""

from collections.abc import Iterator

import pytest
import torch

from memstudio.anchor import engine
from memstudio.anchor.attach import Attached
from memstudio.anchor.lanes import Lanes, lesser, likeliest
from memstudio.anchor.load import DTYPES, Anchor
from memstudio.anchor.slots import Slots
from memstudio.anchor.values import Sampling, Token
from memstudio.bank.bank import Bank
from memstudio.bank.values import Memory
from tests.anchor.conftest import fetch

PROMPT = "The atomic number of gold is"
WARM = Sampling(max_tokens=12, temperature=1.5, seed=3)


@pytest.fixture
def beside(anchor: Anchor, bank: Bank) -> Iterator[Attached]:
    """An arm whose slots hold the generic blocks."""
    made = Attached(anchor, Slots(bank.layouts, anchor.device, DTYPES[anchor.dtype]), bank.manifest.layers)
    for level in (1, 2, 3):
        made.slots.fill(level, bank.generic(level), identity="generic")
    yield made
    made.detach()


def drawn(attached: Attached, beside: Attached | None, prefix: tuple[int, ...] = ()) -> list[Token]:
    lanes = None if beside is None else Lanes(beside, ("generic", "none"))
    return list(engine.generate(attached, attached.anchor.encode(PROMPT), WARM, prefix=prefix, lanes=lanes))


@pytest.mark.parametrize("size", [3, 64, 65, 130, 50_304])
def test_the_likeliest_are_those_of_a_full_sort(anchor: Anchor, size: int) -> None:
    values = torch.randn(size, generator=torch.Generator().manual_seed(size))
    expected = values.sort(descending=True).values[:5].tolist()
    assert [value for _, value in likeliest(anchor, values)] == expected


def test_each_lane_agrees_with_the_reference_path_on_the_same_text(attached: Attached, beside: Attached, bank: Bank) -> None:
    fetch(attached, bank)
    tokens = drawn(attached, beside)
    ids = attached.anchor.encode(PROMPT)
    whole = ids + [token.id for token in tokens]
    generic = engine.logits(beside, whole).log_softmax(-1)
    with beside.without({1, 2, 3}):
        none = engine.logits(beside, whole).log_softmax(-1)
    assert (generic - none).abs().max() > 0.01
    assert len(tokens) == WARM.max_tokens
    for token in tokens:
        at = len(ids) + token.index - 1
        for lane, scores in zip(token.beside, (generic[at], none[at]), strict=True):
            assert lane.logprob == pytest.approx(float(scores[token.id]), abs=1e-4)
            assert [logprob for _, logprob in lane.top] == pytest.approx(scores.topk(5).values.tolist(), abs=1e-4)
            assert lane.top[0][0] == attached.anchor.piece(int(scores.argmax()))
            assert lane.agrees == (lane.top[0][0] == token.top[0][0])
        assert token.gain == pytest.approx(token.logprob - float(none[at, token.id]), abs=1e-4)
    assert {token.decided for token in tokens} == {True, False}


def test_a_run_is_bit_for_bit_the_same_with_lanes_and_without(attached: Attached, beside: Attached, bank: Bank) -> None:
    fetch(attached, bank)
    alone, along = drawn(attached, None), drawn(attached, beside)
    assert [(token.id, token.logprob, token.top) for token in along] == [(token.id, token.logprob, token.top) for token in alone]
    assert [(token.beside, token.gain, token.decided) for token in alone] == [((), None, None)] * len(alone)


def test_lanes_behind_a_prefix_read_it_too(attached: Attached, beside: Attached, bank: Bank) -> None:
    fetch(attached, bank)
    greedy = list(engine.generate(attached, attached.anchor.encode(PROMPT), Sampling(6), lanes=Lanes(beside, ("none",))))
    prefix = tuple(token.id for token in greedy[:3])
    rest = list(engine.generate(attached, attached.anchor.encode(PROMPT), Sampling(6), prefix=prefix, lanes=Lanes(beside, ("none",))))
    assert [token.id for token in rest] == [token.id for token in greedy[3:]]
    assert [token.beside[0].logprob for token in rest] == pytest.approx([token.beside[0].logprob for token in greedy[3:]], abs=1e-4)


@pytest.mark.parametrize(
    ("memory", "generic", "found"),
    [
        ("fetched", True, ("generic", "none")),
        ("fetched", False, ("none",)),
        ("generic", True, ("none",)),
        ("none", True, ()),
    ],
)
def test_a_run_is_measured_beside_memories_that_hold_less(memory: Memory, generic: bool, found: tuple[Memory, ...]) -> None:
    assert lesser(memory, generic=generic) == found


@pytest.mark.parametrize("memories", [(), ("none", "fetched")])
def test_lanes_hold_no_routed_memory(beside: Attached, memories: tuple[Memory, ...]) -> None:
    with pytest.raises(ValueError, match="lanes"):
        Lanes(beside, memories)
    assert torch.is_inference_mode_enabled() is False
