"""Judging an answer that is given instead of generated: its log-probability, and whether each of its tokens would have been chosen.

Both read the true answer before each token, so they are kinder than free generation, and kinder to an edit than its user will find it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from memstudio.anchor.engine import Lender, nothing_lent
from memstudio.facts.score import wanted
from memstudio.facts.values import Answers, Scored

if TYPE_CHECKING:
    from memstudio.anchor.attach import Attached
    from memstudio.session.scoring import Prompt
    from memstudio.session.session import Session

_LOGITS = 2**25
"""Logits of one batch (128 MB in float32)."""
_PADDED = 512

Pair = tuple[list[int], list[int]]
"""Token ids of a prompt and of the answer behind it."""


@dataclass(frozen=True, slots=True)
class Forced:
    """An answer read token by token: its summed log-probability (natural log), and the likeliest token in each of its places."""

    logprob: float
    likeliest: tuple[int, ...]


def forced(attached: Attached, pairs: Sequence[Pair], lend: Lender = nothing_lent) -> list[Forced]:
    """Read each answer after its prompt under the blocks that lie in the slots; several share a batch, padded on the left.

    lend: gives the pairs that are named their own blocks, while a forward lasts. Agrees with the reference path within rounding.

    Raises:
        UserError: a prompt with its answer is over-long.
    """
    for prompt, answer in pairs:
        attached.anchor.check(prompt + answer)
    found: list[Forced | None] = [None] * len(pairs)
    for members in _batches(pairs, attached.anchor.vocabulary):
        with lend(members):
            reads = _batch(attached, [pairs[number] for number in members])
        for number, read in zip(members, reads, strict=True):
            found[number] = read
    return [read for read in found if read is not None]


def teacher_forced(session: Session, prompts: Sequence[Prompt], answers: Answers, lend: Lender) -> list[Scored]:
    """Right where every token of an accepted answer is the likeliest after the prompt and the answer's own earlier tokens.

    lend: gives the prompts that are named their own blocks.
    """
    accepted = [wanted(prompt.fact, answers) for prompt in prompts]
    pairs = [_pair(session, prompt.text, answer) for prompt, each in zip(prompts, accepted, strict=True) for answer in each]
    of = [number for number, each in enumerate(accepted) for _ in each]
    reads = iter(zip(pairs, forced(session.running.attached, pairs, lambda rows: lend([of[row] for row in rows])), strict=True))
    rows: list[Scored] = []
    for prompt, each in zip(prompts, accepted, strict=True):
        own = [next(reads) for _ in each]
        right = [read for (_, answer), read in own if read.likeliest == tuple(answer)]
        said = session.running.anchor.decode(list((right or [read for _, read in own])[0].likeliest)).strip()
        rows.append(_row(prompt, expected=each[0], got=said, correct=bool(right)))
    return rows


def by_probability(session: Session, prompts: Sequence[Prompt], answers: Answers, lend: Lender) -> list[Scored]:  # noqa: ARG001  (as every judge)
    """Right where the target's summed log-probability is above that of the expected answer (CounterFact's efficacy and paraphrase score,
    arXiv 2202.05262); not divided by the number of tokens, so a longer answer pays for its length. lend: as `teacher_forced`."""
    pairs = [_pair(session, prompt.text, answer) for prompt in prompts for answer in (prompt.fact.target, prompt.fact.expected)]
    reads = forced(session.running.attached, pairs, lambda rows: lend([row // 2 for row in rows]))
    rows: list[Scored] = []
    for prompt, new, true in zip(prompts, reads[::2], reads[1::2], strict=True):
        likelier = new.logprob > true.logprob
        said = prompt.fact.target if likelier else prompt.fact.expected
        rows.append(_row(prompt, prompt.fact.target, said, likelier, logprob=new.logprob, against=true.logprob))
    return rows


def _pair(session: Session, text: str, answer: str) -> Pair:
    return session.running.encode(text), session.running.anchor.continuation(text, answer)


def _row(prompt: Prompt, expected: str, got: str, correct: bool, logprob: float | None = None, against: float | None = None) -> Scored:
    fact = prompt.fact
    return Scored(fact.id, fact.kind, prompt.phrasing, prompt.text, expected, got, correct, prompt.route, prompt.learned, logprob, against)


def _batches(pairs: Sequence[Pair], vocabulary: int) -> Iterator[list[int]]:
    """Numbers of pairs of similar length, so many that the logits and the padding of a batch stay bounded."""
    lengths = [len(prompt) + len(answer) for prompt, answer in pairs]
    members: list[int] = []
    longest = padding = 0
    for number in sorted(range(len(pairs)), key=lambda number: (lengths[number], number)):
        answer = max(longest, len(pairs[number][1]))
        padded = padding + (lengths[number] - lengths[members[-1]]) * len(members) if members else 0
        if members and ((len(members) + 1) * answer * vocabulary > _LOGITS or padded > _PADDED):
            yield members
            members, answer, padded = [], len(pairs[number][1]), 0
        members.append(number)
        longest, padding = answer, padded
    if members:
        yield members


def _batch(attached: Attached, pairs: Sequence[Pair]) -> list[Forced]:
    rows = [(prompt + answer)[:-1] for prompt, answer in pairs]
    width, keep = max(map(len, rows)), max(len(answer) for _, answer in pairs)
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows]).to(attached.anchor.device)
    places = torch.arange(width) - torch.tensor([[width - len(row)] for row in rows])
    places = places.to(attached.anchor.device)
    padded = bool((places < 0).any())
    with torch.inference_mode():
        scores = attached.forward(
            ids,
            attention_mask=places.ge(0).long() if padded else None,
            position_ids=places.clamp(min=0) if padded else None,
            keep=keep,
        )
        found = []
        for row, (_, answer) in zip(scores, pairs, strict=True):
            own = row[keep - len(answer) :].float()
            logprob = own.log_softmax(-1).gather(-1, torch.tensor(answer, device=own.device).unsqueeze(1)).sum()
            found.append(Forced(float(logprob), tuple(own.argmax(-1).tolist())))
    return found
