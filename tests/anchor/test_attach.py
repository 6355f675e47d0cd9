"""The reference path: what memory adds, and that nothing else changes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from memstudio.anchor import engine
from memstudio.anchor.attach import Attached
from memstudio.anchor.load import Anchor, load_anchor
from memstudio.anchor.slots import Slots
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import Layout
from memstudio.errors import UserError
from tests.anchor import oracle
from tests.anchor.conftest import PATH, fetch, plain_logits
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"


def test_with_no_block_fetched_the_logits_are_bit_identical_to_plain_transformers(attached: Attached, anchor: Anchor) -> None:
    ids = anchor.encode(PROMPT)
    assert torch.equal(engine.logits(attached, ids), plain_logits(anchor.folder, ids))


def test_with_down_zero_the_logits_are_bit_identical_to_plain_transformers(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    for cluster in PATH:
        row = bank.block(cluster)
        for _, _, down in bank.layouts[cluster.level - 1].split(row):
            down.zero_()
        attached.slots.fill(cluster.level, row)
    assert torch.equal(engine.logits(attached, ids), plain_logits(anchor.folder, ids))


def test_outside_forward_the_anchor_is_plain_whatever_lies_in_the_slots(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    fetch(attached, bank)
    with torch.inference_mode():
        alone = anchor.model(input_ids=torch.tensor([ids])).logits[0]
    assert torch.equal(alone, plain_logits(anchor.folder, ids))
    assert not torch.allclose(alone, engine.logits(attached, ids), atol=0.1)


def test_two_runs_of_the_reference_path_are_bit_identical_and_so_is_a_refetch(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    fetch(attached, bank)
    first = engine.logits(attached, ids)
    assert torch.equal(first, engine.logits(attached, ids))
    fetch(attached, bank, PATH[:1])
    assert not torch.equal(first, engine.logits(attached, ids))
    fetch(attached, bank)
    assert torch.equal(first, engine.logits(attached, ids))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8", "int4"])
def test_logits_agree_with_the_independent_oracle(tmp_path: Path, dtype: str) -> None:
    folder = make_bank(tmp_path / "bank", seed=3, dtype=dtype)
    bank = open_bank(folder)
    anchor = load_anchor(bank.anchor_dir(), device="cpu")
    attached = Attached(anchor, Slots(bank.layouts), bank.manifest.layers, bank.manifest.activation)
    ids = anchor.encode("Tell me about gold. The atomic number of silver is")
    for path in (PATH, PATH[:2], ()):
        fetch(attached, bank, path)
        expected = oracle.logits(folder, ids, {cluster.level: cluster.index for cluster in path})
        np.testing.assert_allclose(engine.logits(attached, ids).numpy(), expected, atol=1e-4)


def test_generic_blocks_agree_with_the_independent_oracle(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    for level in (1, 2, 3):
        attached.slots.fill(level, bank.generic(level))
    expected = oracle.logits(bank.folder, ids, {level: bank.tree.count(level) for level in (1, 2, 3)})
    np.testing.assert_allclose(engine.logits(attached, ids).numpy(), expected, atol=1e-4)


def test_muting_a_level_equals_not_fetching_it(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    fetch(attached, bank, (PATH[0], PATH[2]))
    expected = engine.logits(attached, ids)
    fetch(attached, bank)
    with attached.without([2]):
        assert torch.equal(engine.logits(attached, ids), expected)
    attached.muted = frozenset({2})
    assert torch.equal(engine.logits(attached, ids), expected)


def test_batch_rows_with_their_own_levels_agree_with_muting(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    fetch(attached, bank)
    sets = [(), (1,), (1, 2), (1, 2, 3), (1, 3)]
    rows = torch.tensor([[level in kept for kept in sets] for level in (1, 2, 3)])
    with torch.inference_mode(), attached.by_row(rows):
        batch = attached.forward(torch.tensor([ids] * len(sets)))
    for row, kept in zip(batch, sets, strict=True):
        with attached.without({1, 2, 3} - set(kept)):
            torch.testing.assert_close(row, engine.logits(attached, ids), atol=1e-4, rtol=0)


def test_scale_multiplies_what_a_block_adds(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = torch.tensor([anchor.encode(PROMPT)])
    added = {}
    for scale in (1.0, 0.5):
        attached.slots.fill(1, bank.block(PATH[0]), scale)
        with torch.inference_mode(), attached.captured() as capture:
            attached.forward(ids)
        added[scale] = capture.added[0, 1]
    torch.testing.assert_close(added[0.5], added[1.0] / 2)


def test_two_arms_share_one_anchor(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    fetch(attached, bank)
    alone = engine.logits(attached, ids)
    other = Attached(anchor, Slots(bank.layouts), bank.manifest.layers)
    fetch(other, bank, PATH[:1])
    assert torch.equal(engine.logits(attached, ids), alone)
    assert not torch.equal(engine.logits(other, ids), alone)
    other.detach()


def test_a_fetch_overwrites_the_storage_in_place(bank: Bank) -> None:
    slots = Slots(bank.layouts)
    before = [part.data_ptr() for level in (1, 2, 3) for triple in slots.parts(level) for part in triple]
    slots.fill(1, bank.block(PATH[0]), identity=PATH[0])
    slots.fill(1, bank.generic(1), identity="generic")
    assert slots.identity == ["generic", None, None]
    assert [part.data_ptr() for level in (1, 2, 3) for triple in slots.parts(level) for part in triple] == before
    assert slots.bytes == sum(layout.n for layout in bank.layouts) * 4
    slots.fill(1, None)
    assert not slots.filled(1)


def test_a_row_of_another_level_is_refused_and_leaves_what_lies_there(bank: Bank) -> None:
    slots = Slots(bank.layouts)
    slots.fill(1, bank.block(PATH[0]), identity=PATH[0])
    with pytest.raises(ValueError, match="level 1 takes rows"):
        slots.fill(1, bank.block(PATH[2]))
    assert slots.identity[0] == PATH[0]


def test_widths_may_differ_by_layer_and_be_zero(anchor: Anchor) -> None:
    layout = Layout(anchor.hidden_size, (0, 3))
    attached = Attached(anchor, Slots([layout]), (0, 1))
    attached.slots.fill(1, torch.randn(layout.n, generator=torch.Generator().manual_seed(0)))
    with torch.inference_mode(), attached.captured() as capture:
        attached.forward(torch.tensor([[3, 4]]))
    assert list(capture.added) == [(1, 1)]
    attached.detach()


def test_a_bank_of_another_anchor_is_refused_in_one_line(anchor: Anchor) -> None:
    fits = Slots([Layout(anchor.hidden_size, (2, 2))])
    for slots, layers, activation, said in (
        (Slots([Layout(64, (2, 2))]), (0, 1), "silu", "hidden size is 32, the bank's 64"),
        (fits, (0, 5), "silu", "memory on layer 5, it has 2 layers"),
        (fits, (0, 1), "gelu_pytorch_tanh", "activation is silu"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            Attached(anchor, slots, layers, activation)
        assert "\n" not in str(caught.value)
