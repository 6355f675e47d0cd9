"""The tiny bank's anchor, loaded once, and a fresh set of slots on it for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from memstudio.anchor import engine
from memstudio.anchor.attach import Attached
from memstudio.anchor.load import DTYPES, Anchor, load_anchor
from memstudio.anchor.slots import Slots
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.values import ClusterId

PATH = (ClusterId(1, 1), ClusterId(2, 4), ClusterId(3, 13))


@pytest.fixture(scope="session")
def bank(tiny_bank: Path) -> Bank:
    return open_bank(tiny_bank)


@pytest.fixture(scope="session")
def anchor(bank: Bank) -> Anchor:
    return load_anchor(bank.anchor_dir(), device="cpu")


@pytest.fixture
def attached(anchor: Anchor, bank: Bank) -> Iterator[Attached]:
    slots = Slots(bank.layouts, anchor.device, DTYPES[anchor.dtype])
    attached = Attached(anchor, slots, bank.manifest.layers, bank.manifest.activation)
    yield attached
    attached.detach()


def fetch(attached: Attached, bank: Bank, path: tuple[ClusterId, ...] = PATH) -> None:
    """Fill the slots with the blocks of a path, as shipped."""
    attached.slots.clear()
    for cluster in path:
        attached.slots.fill(cluster.level, bank.block(cluster), identity=cluster)


def plain_logits(folder: Path, ids: list[int]) -> torch.Tensor:
    """What transformers alone says, from a model of its own."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits[0]


def block_that_writes(bank: Bank, level: int, layer: int, x: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """A block whose neuron 1 of `layer` answers the MLP input `x` [d] by adding `direction` [d]; all else in it is zero."""
    layout = bank.layouts[level - 1]
    row = torch.zeros(layout.n)
    gate, up, down = layout.split(row)[layer]
    unit = x / x.norm()
    gate[1], up[1] = 4 * unit, unit / x.norm()
    fired = torch.nn.functional.silu(4 * x.norm())
    down[1] = direction / fired
    return row


def mlp_input(attached: Attached, ids: list[int], layer: int) -> torch.Tensor:
    """What the MLP of a layer sees at the last token, without memory."""
    seen: list[torch.Tensor] = []
    hook = attached.anchor.mlps[layer].register_forward_pre_hook(lambda _, args: seen.append(args[0][0, -1].clone()))
    attached.slots.clear()
    engine.logits(attached, ids)
    hook.remove()
    return seen[0]
