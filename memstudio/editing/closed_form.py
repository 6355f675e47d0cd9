"""The closed form: batched, damped least squares on the down projections of the chosen blocks, in the last memory layer.

On a memory block the key is what its neurons say, k = act(x·gateᵀ) ⊙ (x·upᵀ), of size r; the keys of all written blocks on a prompt's
path stand side by side. For each position that predicts an answer, the residual δ [d] is the smallest vector found by gradient that,
added to the MLP's output there, has the answer said (ROME, arXiv 2202.05262). Then all positions are solved at once (MEMIT, arXiv
2210.07229): Δ = (λC + KᵀK)⁻¹ KᵀR with K the keys [N, r], R the residuals [N, d] and C = Σ kkᵀ the covariance of the keys of everything
that the blocks are known to hold, exact because r is small. λ is lowered until the rounded rows say every answer, and no further.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from memstudio.anchor.below import Below
from memstudio.bank.values import ClusterId
from memstudio.editing.lessons import (
    Batch,
    Fitted,
    Lesson,
    answer_loss,
    by_blocks,
    certain,
    components,
    make_batch,
    parts,
    score_batch,
    touching,
)

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk

Rows = Mapping[ClusterId, Tensor]

DAMPING = tuple(10.0 * 0.7**step for step in range(28))
RIDGE = 1e-4
RESIDUAL_STEPS, RESIDUAL_LR, RESIDUAL_DECAY, RESIDUAL_CERTAIN = 60, 0.2, 1e-4, 0.95
_CERTAIN = 0.5


def fit_closed_form(desk: Desk, blocks: Sequence[ClusterId], lessons: Sequence[Lesson], held: Sequence[Lesson]) -> Fitted:
    """Solve for the down rows of `blocks` in the last memory layer; gate and up stay as they are. Arguments as in `tuned`."""
    start = time.perf_counter()
    rows: dict[ClusterId, Tensor] = {}
    notes: list[str] = []
    used: list[float] = []
    for part in components(blocks, [*lessons, *held]):
        found, damping, taught, asked = _Solving(desk, part).run(touching(part, lessons), touching(part, held))
        rows |= found
        used.append(damping)
        if taught < asked:
            notes.append(f"{', '.join(map(str, part))}: {taught} of {asked} phrasings taught at the least damping, {damping:g}")
        desk.job.breathe()
    figures = {"damping": used, "taught": len(lessons), "held": len(held), "settled": not notes, "seconds": time.perf_counter() - start}
    return Fitted(rows, tuple(notes), figures)


def solve(keys: Tensor, residuals: Tensor, covariance: Tensor, damping: float) -> Tensor:
    """Δ [r, d] = (λC + KᵀK + εI)⁻¹ KᵀR in float64, ε = RIDGE · the mean diagonal of λC + KᵀK.

    keys [N, r], residuals [N, d], covariance [r, r].
    """
    k, target = keys.double(), residuals.double()
    left = damping * covariance.double() + k.T @ k
    ridge = RIDGE * left.diagonal().mean().clamp(min=1e-12)
    damped = left + ridge * torch.eye(left.shape[0], dtype=left.dtype, device=left.device)
    change: Tensor = torch.linalg.solve(damped, k.T @ target)
    return change.float()


@dataclass(frozen=True, slots=True)
class _Started:
    """A batch, and what the layers below the last with memory gave for it: no row that is solved for touches those."""

    desk: Desk
    batch: Batch
    below: Below

    def score(self, rows: Rows) -> Tensor:
        """As `score_batch`."""
        with self.below.kept():
            return score_batch(self.desk, self.batch, rows)


class _Solving:
    """One set of blocks that are solved together."""

    def __init__(self, desk: Desk, blocks: Sequence[ClusterId]) -> None:
        self._desk, self._arm = desk, desk.arm()
        self._device = self._arm.anchor.device
        self._rows = {cluster: desk.row(cluster).float().to(self._device) for cluster in blocks}
        self._position = len(self._arm.attached.layers) - 1
        widths = [desk.bank.layouts[cluster.level - 1].widths[self._position] for cluster in blocks]
        ends = torch.tensor([0, *widths]).cumsum(0).tolist()
        self._place = {cluster: slice(ends[i], ends[i + 1]) for i, cluster in enumerate(blocks)}
        self._width = ends[-1]

    def run(self, lessons: Sequence[Lesson], held: Sequence[Lesson]) -> tuple[dict[ClusterId, Tensor], float, int, int]:
        """New rows, the damping that was used, and how many of how many lessons they answer."""
        taught = [self._started(part) for group in by_blocks(self._desk, lessons) for part in parts(group)]
        kept = [make_batch(part, self._device) for group in by_blocks(self._desk, held) for part in parts(group)]
        keys = torch.cat([self._keys(each.batch, each.score) for each in taught])
        residuals = torch.cat([self._residuals(each) for each in taught])
        known = torch.cat([keys[:0], *(self._keys(batch, partial(score_batch, self._desk, batch)) for batch in kept)])
        covariance = known.T @ known
        for damping in DAMPING:
            rows = self._moved(solve(keys, residuals, covariance, damping))
            said = sum(int(certain(each.score(rows), each.batch.answers, _CERTAIN).sum()) for each in taught)
            if said == len(lessons):
                break
        return {cluster: row.cpu() for cluster, row in rows.items()}, damping, said, len(lessons)

    def _moved(self, change: Tensor) -> dict[ClusterId, Tensor]:
        """The rows with `change` [r of all blocks, d] added to their down projections, rounded as they would be kept."""
        moved = {}
        for cluster, row in self._rows.items():
            new = row.clone()
            self._desk.bank.layouts[cluster.level - 1].split(new)[self._position][2].add_(change[self._place[cluster]])
            moved[cluster] = new.to(self._desk.bank.dtype).float()
        return moved

    def _started(self, lessons: Sequence[Lesson]) -> _Started:
        arm = self._arm
        return _Started(self._desk, make_batch(lessons, self._device), Below(arm.anchor, arm.attached.layers[self._position]))

    @torch.no_grad()
    def _keys(self, batch: Batch, score: Callable[[Rows], Tensor]) -> Tensor:
        """The keys [N, r] at the positions that predict the answers; blocks that a prompt does not fetch are zero there."""
        with self._arm.attached.captured() as capture:
            score(self._rows)
        counted = batch.answers >= 0
        found = torch.zeros(int(counted.sum()), self._width, device=self._device)
        for cluster in batch.lessons[0].path:
            hidden = capture.hidden.get((self._position, cluster.level))
            if cluster in self._place and hidden is not None:
                found[:, self._place[cluster]] = hidden[:, -counted.shape[1] :][counted].float()
        return found

    def _residuals(self, started: _Started) -> Tensor:
        """For each position that predicts an answer token the δ [d] that has it said: [N, d], found in units of what the MLP puts out."""
        batch = started.batch
        counted = batch.answers >= 0
        unit = self._unit(started)
        delta = torch.zeros(*counted.shape, self._desk.bank.manifest.hidden_size, device=self._device, requires_grad=True)
        optimizer = torch.optim.Adam([delta], lr=RESIDUAL_LR)
        for _ in range(RESIDUAL_STEPS):
            optimizer.zero_grad(set_to_none=True)
            with self._nudged(delta * unit):
                scores = started.score(self._rows)
            if bool(certain(scores, batch.answers, RESIDUAL_CERTAIN).all()):
                break
            torch.autograd.backward(answer_loss(scores, batch.answers).sum() + RESIDUAL_DECAY * delta.pow(2).sum())
            optimizer.step()
            self._desk.job.breathe()
        return (delta.detach() * unit)[counted]

    @torch.no_grad()
    def _unit(self, started: _Started) -> float:
        """The root mean square of the MLP's output with memory, over the prompt."""
        with self._arm.attached.captured() as capture:
            started.score(self._rows)
        return float(capture.total[self._position][started.batch.mask.bool()].float().pow(2).mean().sqrt())

    @contextmanager
    def _nudged(self, delta: Tensor) -> Iterator[None]:
        """Add delta [B, K, d] to the MLP's output in the last memory layer, at the last K positions."""

        def add(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
            padded = torch.nn.functional.pad(delta, (0, 0, output.shape[1] - delta.shape[1], 0))
            return output + padded.to(output.dtype)

        handle = self._arm.anchor.mlps[self._arm.attached.layers[self._position]].register_forward_hook(add)
        try:
            yield
        finally:
            handle.remove()
