"""Forwards that take over what the layers below gave: the same numbers, bit for bit, as whole ones, and the anchor is as it was behind."""

from pathlib import Path

import pytest
import torch

from memstudio.anchor.attach import Attached
from memstudio.anchor.below import Below
from memstudio.anchor.load import Anchor, load_anchor
from memstudio.anchor.slots import Slots
from memstudio.bank.block import Layout, pack
from tests.anchor.test_load import FAMILIES, PROMPT, save


def _attached(anchor: Anchor, generator: torch.Generator) -> Attached:
    attached = Attached(anchor, Slots([Layout(32, (5, 5))]), (0, 1))
    _change_above(attached, generator)
    return attached


def _change_above(attached: Attached, generator: torch.Generator) -> None:
    """The same block below, another in the upper layer."""
    below = tuple(torch.full((5, 32), 0.1) for _ in range(3))
    attached.slots.fill(1, pack([below, tuple(torch.randn(5, 32, generator=generator) * 0.3 for _ in range(3))]))


@pytest.mark.parametrize("family", FAMILIES)
def test_later_forwards_are_the_whole_ones_bit_for_bit_and_compute_nothing_below(tmp_path: Path, family: str) -> None:
    anchor = load_anchor(save(tmp_path / "anchor", *FAMILIES[family]), device="cpu")
    generator = torch.Generator().manual_seed(1)
    attached, below = _attached(anchor, generator), Below(anchor, 1)
    ids = torch.tensor([anchor.encode(PROMPT)])
    ran: list[int] = []
    for number, mlp in enumerate(anchor.mlps):
        mlp.register_forward_hook(lambda *_, number=number: ran.append(number))
    seen = []
    for _ in range(3):
        whole = attached.forward(ids)
        ran.clear()
        with below.kept():
            found = attached.forward(ids)
        seen.append(tuple(ran))
        assert torch.equal(found, whole)
        assert torch.equal(attached.forward(ids), whole)
        _change_above(attached, generator)
    assert seen == [(0, 1), (1,), (1,)]


def test_gradients_behind_the_layer_are_those_of_whole_forwards(anchor: Anchor) -> None:
    attached = Attached(anchor, Slots([Layout(anchor.hidden_size, (4, 4))]), (0, 1))
    rows = torch.randn(attached.slots.layouts[0].n, generator=torch.Generator().manual_seed(0)) * 0.1
    ids, found = torch.tensor([anchor.encode("gold is a metal")]), []
    below = Below(anchor, 1)
    for kept in (False, True, True):
        down = rows.clone().requires_grad_()
        lent = {1: [(*(part.detach() for part in parts[:2]), parts[2] if at else parts[2].detach())
                    for at, parts in enumerate(attached.slots.layouts[0].split(down))]}  # fmt: skip
        with attached.lent(lent):
            if kept:
                with below.kept():
                    attached.forward(ids).sum().backward()
            else:
                attached.forward(ids).sum().backward()
        found.append(down.grad)
    assert float(found[0].abs().max()) > 0
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    attached.detach()


def test_a_forward_that_fails_leaves_the_anchor_as_it_was_and_layer_0_skips_nothing(anchor: Anchor) -> None:
    ids = torch.tensor([anchor.encode("gold is a metal")])
    plain = anchor.model(ids).logits
    below = Below(anchor, 1)

    def stop() -> None:
        with below.kept():
            anchor.model(ids)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert torch.equal(anchor.model(ids).logits, plain)
    with Below(anchor, 0).kept():
        assert torch.equal(anchor.model(ids).logits, plain)
    other = torch.tensor([anchor.encode("silver is not")])
    assert not torch.equal(anchor.model(other).logits[:, -1], plain[:, -1])
