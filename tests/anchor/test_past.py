"""The cache that reserves room ahead holds what the library's own holds, whatever is taken away in between."""

import torch
from transformers import DynamicCache, Gemma3TextConfig
from transformers.cache_utils import DynamicLayer

from memstudio.anchor import past
from memstudio.anchor.attach import Attached
from memstudio.anchor.load import Anchor
from memstudio.anchor.past import ReservedLayer, reserved
from memstudio.bank.bank import Bank
from tests.anchor.conftest import fetch


def test_a_run_reads_bit_for_bit_what_it_reads_with_the_librarys_cache(attached: Attached, anchor: Anchor, bank: Bank, monkeypatch) -> None:
    monkeypatch.setattr(past, "_AHEAD", 4)  # the room is used up many times
    fetch(attached, bank)
    ids = anchor.encode("The atomic number of gold is 79 and the atomic number of silver is")
    own, library = reserved(anchor.model.config), DynamicCache(config=anchor.model.config)
    with torch.inference_mode():
        for part in [ids[:3], *([token] for token in ids[3:])]:
            one, two = (attached.forward(torch.tensor([part]), past=cache, keep=1) for cache in (own, library))
            assert torch.equal(one, two)
    assert own.get_seq_length() == len(ids)


def test_rows_and_positions_may_be_taken_away_in_between() -> None:
    own, library = ReservedLayer(), DynamicLayer()
    random = torch.Generator().manual_seed(0)

    def both(rows: int, tokens: int) -> None:
        keys, values = (torch.randn(rows, 2, tokens, 4, generator=random) for _ in range(2))
        for one, two in zip(own.update(keys, values), library.update(keys, values), strict=True):
            assert torch.equal(one, two)

    both(3, 5)
    for layer in (own, library):
        layer.batch_select_indices(torch.tensor([2, 0]))
    both(2, 1)
    for layer in (own, library):
        layer.crop(-3)
    both(2, 2)
    both(2, 200)
    for layer in (own, library):
        layer.reset()
    both(1, 2)


def test_layers_that_attend_to_a_window_are_the_librarys_own() -> None:
    config = Gemma3TextConfig(num_hidden_layers=4, sliding_window=8, layer_types=["sliding_attention", "full_attention"] * 2)
    kinds = [type(layer) for layer in reserved(config).layers]
    assert [kind is ReservedLayer for kind in kinds] == [False, True, False, True]
