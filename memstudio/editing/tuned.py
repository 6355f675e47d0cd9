"""The tuned method: gradient on the chosen blocks only, with what lives there held where it is.

Loss: mean cross-entropy of the new answers over the phrasings and over corrupted copies of them (words dropped, the subject moved), so
that a phrasing that the editor never saw is answered too, plus HOLD times the Kullback–Leibler divergence from the distribution
before the edit at the answer positions of co-resident prompts. It stops by itself once, with the rows rounded to the bank's dtype,
every phrasing is answered with margin and every held prompt answers as before; after PATIENCE steps the share ENOUGH of them will do.
Long lessons are windows of a document: a step takes at most LONG_A_STEP of their tokens, drawn anew, so that its cost is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from memstudio.bank.values import ClusterId
from memstudio.editing.lessons import (
    Batch,
    Fitted,
    Lesson,
    answer_loss,
    certain,
    components,
    corrupted,
    said,
    touching,
)
from memstudio.editing.mixed import Mixed

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk

LR, BETAS = 6e-3, (0.8, 0.95)
HOLD = 2.0
STEPS, CHECK_EVERY = 100, 5
PATIENCE, ENOUGH = 40, 0.99
HELD_A_STEP, COPIES = 64, 2
CERTAIN = 0.7
_HURT = 8.0
_LONG = 24
"""A longer answer is a document, of which there are no corrupted copies."""
LONG_A_STEP = 2048
_LEVEL = 40


@dataclass(frozen=True, slots=True)
class Aim:
    """What the lessons are pulled towards, as functions of a batch and its logits float32 [B, K, vocabulary]: the loss [B], and whether
    a lesson is there, bool [B]; the flag says that it is late, and less will do.

    steps: at most so many. flat: stop too once the mean loss of 40 steps is not below that of the 40 before by this share; None: go on.
    """

    loss: Callable[[Batch, Tensor], Tensor]
    there: Callable[[Batch, Tensor, bool], Tensor]
    steps: int = STEPS
    flat: float | None = None


ANSWER = Aim(
    lambda batch, scores: answer_loss(scores, batch.answers),
    lambda batch, scores, late: said(scores, batch.answers) if late else certain(scores, batch.answers, CERTAIN),
)
"""Each lesson's answer is said, every token of it with the share CERTAIN at least, or after PATIENCE steps simply the likeliest."""


def fit_tuned(
    desk: Desk, blocks: Sequence[ClusterId], lessons: Sequence[Lesson], held: Sequence[Lesson], aim: Aim = ANSWER
) -> Fitted:
    """Fit the rows of `blocks` to the lessons; `held` are co-resident prompts with the answers that they have now.

    Blocks that no prompt fetches together are fitted apart. Deterministic for the same input on one device; breathes between steps.
    """
    start = time.perf_counter()
    rows: dict[ClusterId, Tensor] = {}
    notes: list[str] = []
    steps = 0
    apart = components(blocks, [*lessons, *held])
    for number, part in enumerate(apart):
        desk.job.progress(number, len(apart))
        tuning = _Tuning(desk, part, touching(part, lessons), touching(part, held), aim)
        tuning.run()
        steps += tuning.steps
        rows |= {cluster: row.detach().cpu() for cluster, row in tuning.rows.items()}
        if not tuning.settled:
            names = ", ".join(map(str, part))
            notes.append(
                f"{names}: stopped after {tuning.steps} steps with {tuning.taught} of {tuning.lessons} phrasings there"
                f" and {tuning.kept} of {tuning.held} held prompts as before"
            )
    figures = {"steps": steps, "taught": len(lessons), "held": len(held), "settled": not notes, "seconds": time.perf_counter() - start}
    return Fitted(rows, tuple(notes), figures)


class _Tuning:
    """Rows under way, and the batches that pull at them."""

    def __init__(
        self, desk: Desk, blocks: Sequence[ClusterId], lessons: Sequence[Lesson], held: Sequence[Lesson], aim: Aim
    ) -> None:
        self._desk, self._aim = desk, aim
        anchor = desk.arm().anchor
        self._device = anchor.device
        self._special = frozenset(anchor.tokenizer.all_special_ids)
        self._random = np.random.default_rng(0)
        self.rows = {cluster: desk.row(cluster).float().to(self._device).requires_grad_() for cluster in blocks}
        self._optimizer = torch.optim.Adam(self.rows.values(), lr=LR, betas=BETAS)
        self._lessons = list(lessons)
        self._held = list(held)
        self._odds = dict.fromkeys(self._held, 1.0)
        self._long = [lesson for lesson in self._lessons if len(lesson.answer) > _LONG]
        self._losses: list[float] = []
        self._mixed = Mixed(desk)
        self._lesson_batches = list(self._mixed.batches(self._lessons))
        self._held_batches = list(self._mixed.batches(self._held))
        self._before: dict[Lesson, Tensor] = {}
        self.settled = False
        self.steps = self.taught = self.kept = 0
        self.lessons, self.held = len(self._lessons), len(self._held)
        self._remember()

    def run(self) -> None:
        """Step until settled, level or out of steps; where all is there already, no step is taken."""
        self.settled = self._check()
        while not self.settled and self.steps < self._aim.steps and not self._level():
            self._step()
            self.steps += 1
            self.settled = self.steps % CHECK_EVERY == 0 and self._check()
            self._desk.job.breathe()

    @torch.no_grad()
    def _remember(self) -> None:
        """The distributions before the edit, at the answer positions of the held prompts, and which of them answer as they should."""
        for batch in self._held_batches:
            scores = self._mixed.scores(batch, self.rows)
            before = scores.log_softmax(-1)
            self._before.update((lesson, row[-len(lesson.answer) :]) for lesson, row in zip(batch.lessons, before, strict=True))
            self._count_kept(batch, scores)
            self._desk.job.breathe()

    def _count_kept(self, batch: Batch, scores: Tensor) -> None:
        same = said(scores, batch.answers).tolist()
        self._odds.update((lesson, 1.0 if kept else _HURT) for lesson, kept in zip(batch.lessons, same, strict=True))
        self.kept += sum(same)

    def _step(self) -> None:
        short = [lesson for lesson in self._lessons if len(lesson.answer) <= _LONG]
        copies = [corrupted(lesson, self._random, self._special) for lesson in short for _ in range(COPIES)]
        taught, held = self._some() + copies, self._draw()
        self._optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for batch in self._mixed.batches(taught):
            loss = self._aim.loss(batch, self._mixed.scores(batch, self.rows)).sum() / len(taught)
            torch.autograd.backward(loss)
            total += float(loss.detach())
        for batch in self._mixed.batches(held):
            torch.autograd.backward(HOLD * self._divergence(batch).sum() / len(held))
        self._optimizer.step()
        self._losses.append(total)

    def _level(self) -> bool:
        """Whether the loss has stopped falling, where the aim asks."""
        if self._aim.flat is None or len(self._losses) < 2 * _LEVEL or self.steps % CHECK_EVERY:
            return False
        before, now = (sum(self._losses[at : at + _LEVEL]) for at in (-2 * _LEVEL, len(self._losses) - _LEVEL))
        return now > (1 - self._aim.flat) * before

    def _some(self) -> list[Lesson]:
        """The lessons of one step: all short ones, and long ones up to LONG_A_STEP tokens, one at least."""
        if sum(len(lesson.answer) for lesson in self._long) <= LONG_A_STEP:
            return self._lessons
        room, drawn = LONG_A_STEP, set[int]()
        for at in self._random.permutation(len(self._long)).tolist():
            room -= len(self._long[at].answer)
            if room < 0 and drawn:
                break
            drawn.add(at)
        chosen = {id(self._long[at]) for at in drawn}
        return [lesson for lesson in self._lessons if len(lesson.answer) <= _LONG or id(lesson) in chosen]


    def _draw(self) -> list[Lesson]:
        """The held prompts of one step, those that the last check found hurt before others."""
        if len(self._held) <= HELD_A_STEP:
            return self._held
        odds = np.array([self._odds[lesson] for lesson in self._held])
        rows = self._random.choice(len(self._held), HELD_A_STEP, replace=False, p=odds / odds.sum())
        return [self._held[row] for row in rows]

    @torch.no_grad()
    def _check(self) -> bool:
        """Whether the rounded rows answer as they should."""
        late = self.steps >= PATIENCE
        with self._rounded():
            there = (self._aim.there(batch, self._mixed.scores(batch, self.rows), late) for batch in self._lesson_batches)
            self.taught = sum(int(found.sum()) for found in there)
            if self.steps % (2 * CHECK_EVERY) and (self.taught < self.lessons or (not late and self._still_hurt())):
                return False  # all held prompts take longer to look at than the steps in between
            if self.steps:  # before the first one they are as they were remembered: rows that stand are round
                self.kept = 0
                for batch in self._held_batches:
                    self._count_kept(batch, self._mixed.scores(batch, self.rows))
        enough = ENOUGH * self.held if late else self.held
        return self.taught == self.lessons and self.kept >= enough

    def _still_hurt(self) -> bool:
        """Whether one of the held prompts that were hurt at the last look still is."""
        hurt = [lesson for lesson in self._held if self._odds[lesson] == _HURT]
        return any(not bool(said(self._mixed.scores(batch, self.rows), batch.answers).all()) for batch in self._mixed.batches(hurt))

    @contextmanager
    def _rounded(self) -> Iterator[None]:
        """The rows as they would be kept, for as long as the context lasts."""
        exact = {cluster: row.data for cluster, row in self.rows.items()}
        for row in self.rows.values():
            row.data = row.data.to(self._desk.bank.dtype).float()
        try:
            yield
        finally:
            for cluster, row in self.rows.items():
                row.data = exact[cluster]

    def _divergence(self, batch: Batch) -> Tensor:
        """KL(before ‖ now) [B], the mean over each row's answer."""
        now = self._mixed.scores(batch, self.rows).log_softmax(-1)
        width = now.shape[1]
        before = torch.stack([F.pad(self._before[lesson], (0, 0, width - len(lesson.answer), 0)) for lesson in batch.lessons])
        counted = batch.answers >= 0
        apart = (before.exp() * (before - now)).sum(-1)
        return torch.where(counted, apart, 0.0).sum(-1) / counted.sum(-1)

