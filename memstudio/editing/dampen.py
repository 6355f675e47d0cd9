"""Selective synaptic dampening (Foster et al., arXiv 2308.07707): weights that matter far more to what is to go than to what stays shrink.

I = mean over prompts of the squared gradient of the answer's log-probability. Where I_forget > α·I_all, θ ← θ · min(λ·I_all / I_forget, 1).
α is lowered from ALPHAS until every probe is gone, and no further. No gradient step is taken, so nothing is learnt instead.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from memstudio.bank.values import ClusterId
from memstudio.editing.forget import towards_the_anchor
from memstudio.editing.lessons import Fitted, Lesson, answer_loss, make_batch, score_batch, touching
from memstudio.editing.mixed import Mixed

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk

ALPHAS = tuple(100.0 * 0.7**step for step in range(20))
LAMBDA = 1.0
_MOST_HELD = 256


def fit_dampened(desk: Desk, blocks: Sequence[ClusterId], probes: Sequence[Lesson], held: Sequence[Lesson]) -> Fitted:
    """Dampen the rows of `blocks` until the probes are gone; `held` are co-resident prompts with the answers that they have now."""
    start = time.perf_counter()
    device = desk.arm().anchor.device
    rows = {cluster: desk.row(cluster).float().to(device).requires_grad_() for cluster in blocks}
    forget = importance(desk, rows, touching(blocks, probes))
    known = importance(desk, rows, touching(blocks, held)[:: max(1, len(held) // _MOST_HELD)])
    mixed = Mixed(desk)
    batches = list(mixed.batches(touching(blocks, probes)))
    there = towards_the_anchor(desk).there
    gone = 0
    for alpha in ALPHAS:
        new = {c: dampened(row.detach(), forget[c], known[c], alpha).to(desk.bank.dtype).float() for c, row in rows.items()}
        with torch.no_grad():
            gone = sum(int(there(batch, mixed.scores(batch, new), False).sum()) for batch in batches)
        desk.job.breathe()
        if gone == len(probes):
            break
    notes = () if gone == len(probes) else (f"{gone} of {len(probes)} probes gone at the lowest α, {alpha:.3g}",)
    figures = {"alpha": alpha, "lambda": LAMBDA, "probes": len(probes), "gone": gone, "held": len(held), "settled": not notes}
    return Fitted({cluster: row.cpu() for cluster, row in new.items()}, notes, {**figures, "seconds": time.perf_counter() - start})


def dampened(row: Tensor, forget: Tensor, known: Tensor, alpha: float) -> Tensor:
    """The row [n] with the selected weights shrunk; forget, known: importances [n]."""
    factor = (LAMBDA * known / forget.clamp(min=1e-30)).clamp(max=1.0)
    return torch.where(forget > alpha * known, row * factor, row)


def importance(desk: Desk, rows: Mapping[ClusterId, Tensor], lessons: Sequence[Lesson]) -> dict[ClusterId, Tensor]:
    """Mean over the lessons of the squared gradient [n] of −log p(answer), for each row; one lesson at a time, as squares do not add up."""
    found = {cluster: torch.zeros_like(row) for cluster, row in rows.items()}
    for lesson in lessons:
        wanted = [cluster for cluster in lesson.path if cluster in rows]
        batch = make_batch([lesson], desk.arm().anchor.device)
        loss = answer_loss(score_batch(desk, batch, rows), batch.answers).sum()
        gradients = torch.autograd.grad(loss, [rows[cluster] for cluster in wanted])
        for cluster, gradient in zip(wanted, gradients, strict=True):
            found[cluster] += gradient.pow(2) / len(lessons)
        desk.job.breathe()
    return found
