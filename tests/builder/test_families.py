"""Training on every kind of anchor: windows packed in a row do not see each other, the pieced loss has the plain gradient, and fresh blocks
change nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from memstudio.anchor.attach import Attached
from memstudio.anchor.engine import logits
from memstudio.anchor.load import Anchor, load_anchor
from memstudio.anchor.slots import Slots
from memstudio.bank.layout import Layout
from memstudio.builder import train
from memstudio.builder.memory import start
from memstudio.builder.packs import IGNORE, Batch, collate
from memstudio.builder.source import MODELS, find_source
from tests.anchor.test_load import FAMILIES, save

WINDOWS = [[3, 17, 99, 4, 60, 5], [7, 7, 12], [200, 31, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]]


@pytest.fixture(params=FAMILIES, scope="module")
def anchor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Anchor:
    kind, config = FAMILIES[request.param]
    return load_anchor(save(tmp_path_factory.mktemp("anchor"), kind, config), device="cpu")


def packed(*packs: list[int]) -> Batch:
    paths = np.zeros((len(WINDOWS), 1), np.int64)
    return collate(list(packs), lambda window, _: np.array(WINDOWS[window]), paths, np.random.default_rng(0))


def test_every_family_that_training_supports_is_tested_here() -> None:
    assert {config.model_type for _, config in FAMILIES.values()} == set(MODELS)


def test_a_family_is_recognised_from_its_folder(anchor: Anchor) -> None:
    source = find_source(str(anchor.folder))
    assert (source.layers, source.hidden_size, source.chat) == (2, 32, False)


def test_windows_packed_in_a_row_do_not_see_each_other(anchor: Anchor) -> None:
    with torch.no_grad():
        together = train.hidden_states(anchor, packed([0, 1, 2], [2]))
        for number, at in ((0, 0), (1, 6), (2, 9)):
            alone = anchor.model.base_model(torch.tensor([WINDOWS[number]]), use_cache=False).last_hidden_state[0]
            assert torch.allclose(together[0, at : at + len(alone)], alone, atol=1e-5)
        assert torch.allclose(together[1, : len(WINDOWS[2])], alone, atol=1e-5)


def test_no_window_is_asked_for_the_first_token_of_the_next() -> None:
    batch = packed([0, 1], [2])
    assert batch.targets[0, 5] == IGNORE
    assert batch.targets[0, 8] == IGNORE
    assert batch.targets[0, 6] == WINDOWS[1][1]
    assert int((batch.targets != IGNORE).sum()) == sum(len(window) - 1 for window in WINDOWS)


def test_the_loss_in_pieces_has_the_gradient_of_the_plain_one(anchor: Anchor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "_HEAD_ROWS", 3)
    weight = anchor.mlps[0].get_submodule("gate_proj").weight
    assert isinstance(weight, torch.nn.Parameter)
    weight.requires_grad_(True)
    try:
        batch = packed([2, 1])
        loss = train.backward(anchor, batch)
        pieced, weight.grad = weight.grad, None
        scores = anchor.model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).logits
        plain = F.cross_entropy(scores[0].float(), batch.targets[0], ignore_index=IGNORE)
        plain.backward()  # type: ignore[no-untyped-call]
        assert loss == pytest.approx(plain.item(), rel=1e-5)
        assert pieced is not None
        assert weight.grad is not None
        assert torch.allclose(pieced, weight.grad, atol=1e-6)
    finally:
        weight.requires_grad_(False)
        weight.grad = None


@pytest.mark.parametrize(("layers", "widths"), [([0], (4,)), ([0, 1], (4, 4)), ([0, 1], (1, 5)), ([0, 1], (0, 0))])
def test_fresh_blocks_leave_the_logits_bit_identical(anchor: Anchor, layers: list[int], widths: tuple[int, ...]) -> None:
    layout = Layout(32, widths)
    rows = torch.zeros(2, layout.n)
    start(rows, layout, torch.Generator().manual_seed(0))
    attached = Attached(anchor, Slots([layout, layout]), layers)
    try:
        for level in (1, 2):
            attached.slots.fill(level, rows[level - 1])
        with torch.no_grad():
            plain = anchor.model(torch.tensor([WINDOWS[2]]), use_cache=False).logits[0].float()
        assert torch.equal(logits(attached, WINDOWS[2]), plain)
    finally:
        attached.detach()


def test_an_ungated_model_is_refused_with_the_kinds_that_are_not(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2", "hidden_size": 8, "num_hidden_layers": 2}')
    with pytest.raises(Exception, match=r"kind 'gpt2'.*Qwen 3.*OLMo 2"):
        find_source(str(tmp_path))
