"""The gold standard of an erasure: the same blocks trained again from nothing, on everything that lives there but what was erased.

Rows start as a bank's do (gate and up truncated normal, down zero) and learn the answers of co-resident facts, the other blocks and
the anchor frozen. It takes a minute where the erasure takes seconds, and is trained on prompts, not on the corpus: how much of what
lives there it learnt is said beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from memstudio.bank.values import ClusterId
from memstudio.editing.lessons import Lesson, answer_loss, by_blocks, corrupted, make_batch, score_batch
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk

STEPS, LR = 400, 1e-2
GROUPS, GROUP = 6, 12
_WARMUP = 20


def trained_again(desk: Desk, blocks: Sequence[ClusterId], lessons: Sequence[Lesson], job: Job) -> dict[ClusterId, Tensor]:
    """Fresh rows [n] float32 for the blocks, fitted to the lessons, which all fetch one of them. Deterministic on one device."""
    device = desk.arm().anchor.device
    special = frozenset(desk.arm().anchor.tokenizer.all_special_ids)
    random = np.random.default_rng(0)
    rows = {cluster: _fresh(desk, cluster, seed).to(device).requires_grad_() for seed, cluster in enumerate(blocks)}
    optimizer = torch.optim.Adam(rows.values(), lr=LR, betas=(0.9, 0.95))
    groups = by_blocks(desk, lessons)
    deepest = max(cluster.level for cluster in blocks)
    own = [group for group in groups if any(cluster.level == deepest and cluster in rows for cluster in group[0].path)] or groups
    for step in range(STEPS):
        job.progress(step, STEPS)
        for setting in optimizer.param_groups:
            setting["lr"] = LR * min(1.0, (step + 1) / _WARMUP) * (0.5 + 0.5 * math.cos(math.pi * step / STEPS))
        optimizer.zero_grad(set_to_none=True)
        for number in range(GROUPS):
            among = own if number % 2 == 0 else groups  # half of a step on the leaf itself: it has the fewest prompts and must not starve
            group = among[random.integers(len(among))]
            drawn = [group[row] for row in random.choice(len(group), min(GROUP, len(group)), replace=False)]
            batch = make_batch([corrupted(lesson, random, special) if random.random() < 0.5 else lesson for lesson in drawn], device)
            torch.autograd.backward(answer_loss(score_batch(desk, batch, rows), batch.answers).mean() / GROUPS)
        optimizer.step()
    return {cluster: row.detach().cpu() for cluster, row in rows.items()}


def _fresh(desk: Desk, cluster: ClusterId, seed: int) -> Tensor:
    """A row as training starts it (method: gate and up truncated normal, down zero)."""
    layout = desk.bank.layouts[cluster.level - 1]
    row = torch.zeros(layout.n)
    generator = torch.Generator().manual_seed(seed)
    for gate, up, _ in layout.split(row):
        for part in (gate, up):
            nn.init.trunc_normal_(part, std=layout.hidden_size**-0.5, a=-1.0, b=1.0, generator=generator)
    return row
