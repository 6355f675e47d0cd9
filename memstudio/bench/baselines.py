"""The peers: fine-tuning of the whole anchor, and a peft LoRA with as many parameters as one leaf block.

Both see the same lessons, corrupted copies and stop as the tuned method, and no held prompts: that is how they are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from memstudio.editing.lessons import answer_loss, by_blocks, certain, corrupted, make_batch, make_lessons, score_batch
from memstudio.editing.tuned import CERTAIN, COPIES
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from torch import nn

    from memstudio.session.session import Session

STEPS, CHECK_EVERY = 60, 2
FINE_TUNING_LR, LORA_LR = 3e-4, 5e-3
_TARGETS = ["gate_proj", "up_proj", "down_proj"]


@contextmanager
def weights_kept(session: Session) -> Iterator[None]:
    """Whatever is done to the anchor's weights meanwhile, they are back bit by bit afterwards."""
    model = session.running.anchor.model
    kept = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    try:
        yield
    finally:
        model.requires_grad_(False)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(kept[name])


def fine_tune(session: Session, facts: Sequence[Fact]) -> None:
    """Fine-tune the whole anchor on the facts, in place."""
    model = session.running.anchor.model
    model.requires_grad_(True)
    _fit(session, facts, list(model.parameters()), FINE_TUNING_LR)
    model.requires_grad_(False)


def tune_lora(session: Session, facts: Sequence[Fact]) -> None:
    """Fit a LoRA on the MLPs of the layers that carry memory, and merge it into the anchor's weights.

    Raises:
        UserError: peft is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UserError("lora needs the package peft: pip install 'memstudio[bench]'") from error
    torch.manual_seed(0)
    rank, layers = lora_rank(session), list(session.bank.manifest.layers)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_TARGETS, layers_to_transform=layers)
    wrapped = get_peft_model(session.running.anchor.model, config)
    try:
        _fit(session, facts, [parameter for parameter in wrapped.parameters() if parameter.requires_grad], LORA_LR)
    finally:
        wrapped.merge_and_unload()
        session.running.anchor.model.requires_grad_(False)


def lora_rank(session: Session) -> int:
    """The rank whose parameters are nearest to those of one block of the deepest level that has any."""
    mlps = session.running.anchor.mlps
    shapes = [getattr(mlps[layer], name).weight.shape for layer in session.bank.manifest.layers for name in _TARGETS]
    each = sum(int(rows) + int(columns) for rows, columns in shapes)
    size = next(layout.n for layout in reversed(session.bank.layouts) if layout.n)
    return max(1, round(size / each))


def _fit(session: Session, facts: Sequence[Fact], parameters: list[nn.Parameter], lr: float) -> None:
    """Adam on the lessons of the facts until each is answered with the tuned method's certainty, or STEPS."""
    desk = session.desk()
    lessons = make_lessons(desk, facts, {fact.id: session.routes([fact.prompt, *fact.phrasings]) for fact in facts})
    chance = np.random.default_rng(0)
    special = frozenset(session.running.anchor.tokenizer.all_special_ids)
    optimizer = torch.optim.Adam(parameters, lr=lr)
    device = session.running.anchor.device
    for step in range(STEPS):
        if step % CHECK_EVERY == 0:
            with torch.no_grad():
                batches = [make_batch(group, device) for group in by_blocks(desk, lessons)]
                if all(bool(certain(score_batch(desk, batch, {}), batch.answers, CERTAIN).all()) for batch in batches):
                    return
        taught = lessons + [corrupted(lesson, chance, special) for lesson in lessons for _ in range(COPIES)]
        optimizer.zero_grad(set_to_none=True)
        for group in by_blocks(desk, taught):
            batch = make_batch(group, device)
            torch.autograd.backward(answer_loss(score_batch(desk, batch, {}), batch.answers).sum() / len(taught))
        optimizer.step()
