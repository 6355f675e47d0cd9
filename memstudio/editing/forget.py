"""What an erasure teaches: at the positions of the old answer, what the anchor says by itself.

A probe is there when its answer is hardly likelier than without any memory: p ≤ max(SLACK · p under `none`, FLOOR); for a document, whose
probability is tiny in any case, when the mean log-probability of its tokens is within DOCUMENT_SLACK nats of that under `none`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from memstudio.anchor.wish import NOTHING
from memstudio.editing.lessons import Batch, Lesson, find_name, make_batch, parts, read, token_logprobs
from memstudio.editing.tuned import Aim
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk, Path

SLACK, FLOOR, DOCUMENT_SLACK = 1.5, 0.01, 0.25
LONG = 12
"""An answer of more tokens is judged by the mean over them, as a text of any length is."""
_OPENING, _DOCUMENT_TOKENS = 6, 128


def make_probes(
    desk: Desk, facts: Iterable[Fact], routes: Mapping[str, Path], documents: Sequence[tuple[str, Path]]
) -> list[Lesson]:
    """Each phrasing of each fact with its old answer, and each document with all but its first words as the answer."""
    from memstudio.editing.erase import phrasings_of

    anchor = desk.arm().anchor
    probes = []
    for fact in facts:
        for text in phrasings_of(fact):
            prompt = anchor.encode(text)
            answer = tuple(anchor.continuation(text, fact.expected.strip()))
            probes.append(Lesson(tuple(prompt), answer, routes[text], find_name(anchor, prompt, fact.subject)))
    for text, path in documents:
        ids = anchor.encode(text)[:_DOCUMENT_TOKENS]
        opening = min(_OPENING, len(ids) // 2)
        if opening < 2:
            raise UserError(f"the document “{text:.40}” is too short to be erased by itself; erase the facts in it by their prompts")
        probes.append(Lesson(tuple(ids[:opening]), tuple(ids[opening:]), path, text=True))
    return probes


def towards_the_anchor(desk: Desk) -> Aim:
    """Loss: KL(anchor alone ‖ now), the mean over the answer's positions. What the anchor says of a batch that is judged is kept."""
    judged: dict[int, tuple[Batch, Tensor]] = {}

    def logs_alone(batch: Batch) -> Tensor:
        if id(batch) not in judged:
            judged[id(batch)] = batch, token_logprobs(_alone(desk, batch), batch.answers)
        return judged[id(batch)][1]

    def loss(batch: Batch, scores: Tensor) -> Tensor:
        before, now = _alone(desk, batch).log_softmax(-1), scores.log_softmax(-1)
        counted = batch.answers >= 0
        apart = (before.exp() * (before - now)).sum(-1)
        return torch.where(counted, apart, 0.0).sum(-1) / counted.sum(-1)

    def there(batch: Batch, scores: Tensor, _: bool) -> Tensor:
        now, alone = token_logprobs(scores, batch.answers), logs_alone(batch)
        return erased(now, alone, batch.answers, torch.tensor([by_mean(lesson) for lesson in batch.lessons], device=now.device))

    return Aim(loss, there)


def known_alone(desk: Desk, probes: Sequence[Lesson]) -> tuple[str, ...]:
    """A line for a person where the anchor gives an answer by itself: no edit of blocks takes that away."""
    batches = (make_batch(part, desk.arm().anchor.device) for part in parts(probes))
    known = sum(int((token_logprobs(_alone(desk, batch), batch.answers).sum(-1) > math.log(0.5)).sum()) for batch in batches)
    if not known:
        return ()
    return (f"the anchor itself gives {known} of {len(probes)} answers without any memory: no edit of blocks takes that away",)


def _alone(desk: Desk, batch: Batch) -> Tensor:
    """Logits float32 [B, K, vocabulary] of a batch without any memory."""
    arm = desk.arm()
    arm.fetch(NOTHING, desk.overlay, desk.blob)
    with torch.no_grad():
        return read(arm.attached, batch)


def by_mean(probe: Lesson) -> bool:
    """Whether the mean over its tokens judges a probe: their product is next to nothing however well a text is known."""
    return probe.text or len(probe.answer) > LONG


def erased(now: Tensor, alone: Tensor, answers: Tensor, mean: Tensor) -> Tensor:
    """bool [B] from the log-probabilities [B, K] of the answers' tokens now and without memory (0 where none is counted).

    mean: bool [B], judged by the mean over the tokens instead of by their product.
    """
    length = (answers >= 0).sum(-1)
    short = now.sum(-1) <= torch.clamp(alone.sum(-1) + math.log(SLACK), min=math.log(FLOOR))
    long = now.sum(-1) / length <= alone.sum(-1) / length + DOCUMENT_SLACK
    return torch.where(mean, long, short)
