"""What an edit of facts teaches and what it holds, as token ids with the blocks that each prompt fetches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from memstudio.anchor.engine import answering
from memstudio.anchor.gathered import gathered
from memstudio.anchor.load import Anchor
from memstudio.anchor.wish import Wish, identities
from memstudio.bank.values import Change, ClusterId
from memstudio.editing.reach import Resident
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.anchor.attach import Attached
    from memstudio.editing.desk import Desk, Path

HELD = 512
BATCH = 128
"""Lessons of one batch at most."""
SCORES = 1 << 26
"""Logits of one batch at most, where it holds more than one row."""
_END = "."
_ANSWER_TOKENS = 24
_FEW_HELD = 8
_MOST_DROPPED, _MOVED = 0.5, 0.15
_DOCUMENTS, _DOCUMENT_TOKENS = 16, 96


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt [T] and the answer [A] that it should have, both in token ids; `path`: the clusters that it fetches.

    name: where the subject stands in the prompt, (first, behind its last); None where it is not found. text: it is a stretch of a
    document, not a question and its answer.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    path: tuple[ClusterId, ...]
    name: tuple[int, int] | None = None
    text: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and answer without the answer's last token: what the model reads."""
        return (*self.prompt, *self.answer[:-1])


@dataclass(frozen=True, slots=True)
class Batch:
    """Lessons, padded on the left: ids, mask and places int64 [B, T], answers int64 [B, K] (−1: none).

    Of each row the last K positions predict its answer.
    """

    lessons: tuple[Lesson, ...]
    ids: Tensor
    mask: Tensor
    places: Tensor
    answers: Tensor


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a method came to: new rows [n] float32 of the written blocks, lines for a person, and what was counted (JSON values)."""

    rows: dict[ClusterId, Tensor]
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


def make_lessons(desk: Desk, facts: Iterable[Fact], routes: Mapping[str, Sequence[Path]]) -> list[Lesson]:
    """The prompt and the phrasings of each fact, to be answered with its target and a full stop.

    Raises:
        UserError: a target that gives no token.
    """
    anchor = desk.arm().anchor
    lessons = []
    for fact in facts:
        for text, path in zip((fact.prompt, *fact.phrasings), routes[fact.id], strict=True):
            prompt = anchor.encode(text)
            answer = anchor.continuation(text, fact.target.strip() + _END)
            if not anchor.decode(answer).strip(_END + " "):
                raise UserError(f"“{fact.prompt:.80}”: the new answer {fact.target!r:.40} gives no token that can be said; write another")
            lessons.append(Lesson(tuple(prompt), tuple(answer), path, find_name(anchor, prompt, fact.subject)))
    return lessons


def make_held(desk: Desk, residents: Iterable[Resident], blocks: Sequence[ClusterId]) -> list[Lesson]:
    """What the blocks are known to hold, each with the greedy answer that it has now; of each block at most HELD prompts, drawn with a
    fixed seed.

    Where hardly any fact lives there, documents that the blocks were trained on stand in, every token of theirs an answer.
    """
    arm = desk.arm()
    anchor = arm.anchor
    found: dict[tuple[int, ...], Path] = {}
    for resident in sample_residents(list(residents), blocks):
        found.setdefault(tuple(anchor.encode(resident.text)), resident.path)
    asked = [Lesson(prompt, (), path) for prompt, path in found.items() if len(prompt) < anchor.max_positions]
    asked = [lesson for group in by_blocks(desk, asked) for part in parts(group) for lesson in part]
    fetched = gathered(arm, [Wish("fetched", lesson.path) for lesson in asked], desk.overlay, desk.blob)
    answers: dict[int, list[int]] = {}
    prompts, rooms = [list(lesson.prompt) for lesson in asked], [_ANSWER_TOKENS] * len(asked)
    for numbers, tokens in answering(arm.attached, prompts, rooms, blocks=fetched):
        answers |= dict.fromkeys(numbers, tokens)
        desk.job.breathe()
    lessons = [Lesson(old.prompt, tuple(answers[at]), old.path) for at, old in enumerate(asked) if answers[at]]
    return lessons if len(lessons) >= _FEW_HELD else lessons + _documents(desk, blocks)


def by_blocks(desk: Desk, lessons: Iterable[Lesson]) -> list[list[Lesson]]:
    """Lessons grouped by what they really fetch, fallback counted in."""
    groups: dict[object, list[Lesson]] = {}
    for lesson in lessons:
        groups.setdefault(identities(desk.bank, Wish("fetched", lesson.path), desk.overlay), []).append(lesson)
    return list(groups.values())


def components(blocks: Sequence[ClusterId], lessons: Iterable[Lesson]) -> list[tuple[ClusterId, ...]]:
    """The blocks in sets that no lesson fetches across, so that each can be fitted by itself; in tree order."""
    leader = {block: block for block in blocks}

    def find(block: ClusterId) -> ClusterId:
        while leader[block] != block:
            block = leader[block]
        return block

    for path in {lesson.path for lesson in lessons}:
        met = [find(cluster) for cluster in path if cluster in leader]
        for block in met[1:]:
            leader[find(block)] = find(met[0])
    found: dict[ClusterId, list[ClusterId]] = {}
    for block in sorted(leader):
        found.setdefault(find(block), []).append(block)
    return [tuple(part) for part in found.values()]


def corrupted(lesson: Lesson, random: np.random.Generator, special: frozenset[int]) -> Lesson:
    """A copy with tokens dropped around the subject, which may come to stand first or last; the lesson itself where no subject is known.

    special: tokens that open a prompt and stay in their place.
    """
    if lesson.name is None:
        return lesson
    first, last = lesson.name
    start = 1 if first and lesson.prompt[0] in special else 0
    rate = random.random() * _MOST_DROPPED
    before = [token for token in lesson.prompt[start:first] if random.random() >= rate]
    after = [token for token in lesson.prompt[last:] if random.random() >= rate]
    order = random.random()
    if order < _MOVED:
        before, after = [], before + after
    elif order < 2 * _MOVED:
        before, after = before + after, []
    return Lesson((*lesson.prompt[:start], *before, *lesson.prompt[first:last], *after), lesson.answer, lesson.path)


def make_batch(lessons: Sequence[Lesson], device: str) -> Batch:
    """Pad lessons to one length."""
    width, last = max(len(lesson.ids) for lesson in lessons), max(len(lesson.answer) for lesson in lessons)
    width = max(width, last)
    ids = torch.zeros(len(lessons), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    answers = torch.full((len(lessons), last), -1, dtype=torch.long)
    for row, lesson in enumerate(lessons):
        read = lesson.ids
        ids[row, width - len(read) :] = torch.tensor(read)
        mask[row, width - len(read) :] = 1
        answers[row, last - len(lesson.answer) :] = torch.tensor(lesson.answer)
    places = (mask.cumsum(1) - 1).clamp(min=0)
    return Batch(tuple(lessons), *(tensor.to(device) for tensor in (ids, mask, places, answers)))


def changed(desk: Desk, rows: Mapping[ClusterId, Tensor]) -> tuple[Change, ...]:
    """The rows as changes, in tree order; one that comes to the numbers that stand there already is none."""
    found = []
    for cluster, row in sorted(rows.items()):
        if not torch.equal(row.to(desk.bank.dtype), desk.row(cluster)):
            found.append(Change(cluster, desk.state(cluster), desk.keep(cluster, row)))
    return tuple(found)


def parts(group: Sequence[Lesson]) -> Iterator[Sequence[Lesson]]:
    """Lessons of like length together, at most BATCH."""
    ordered = sorted(group, key=lambda lesson: len(lesson.ids))
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


def touching(blocks: Sequence[ClusterId], lessons: Iterable[Lesson]) -> list[Lesson]:
    """The lessons that fetch one of the blocks."""
    return [lesson for lesson in lessons if not set(blocks).isdisjoint(lesson.path)]


def score_batch(desk: Desk, batch: Batch, rows: Mapping[ClusterId, Tensor]) -> Tensor:
    """`read` for lessons that fetch the same blocks, with `rows` [n] in place of what stands there."""
    arm, path = desk.arm(), batch.lessons[0].path
    arm.fetch(Wish("fetched", path), desk.overlay, desk.blob)
    layouts = desk.bank.layouts
    lent = {cluster.level: layouts[cluster.level - 1].split(rows[cluster]) for cluster in path if cluster in rows}
    with arm.attached.lent(lent):
        return read(arm.attached, batch)


def read(attached: Attached, batch: Batch) -> Tensor:
    """Logits float32 [B, K, vocabulary] of the positions that predict the answers, with the blocks that act now."""
    return attached.forward(batch.ids, attention_mask=batch.mask, position_ids=batch.places, keep=batch.answers.shape[1]).float()


def answer_loss(scores: Tensor, answers: Tensor) -> Tensor:
    """−log p of each row's answer, the mean over its tokens: [B] from logits [B, K, V] and token ids [B, K] (−1: not counted)."""
    return -token_logprobs(scores, answers).sum(-1) / (answers >= 0).sum(-1)


def token_logprobs(scores: Tensor, answers: Tensor) -> Tensor:
    """log p of each answer token [B, K]; 0 where none is counted. scores and answers as in `answer_loss`."""
    found = scores.log_softmax(-1).gather(-1, answers.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return torch.where(answers >= 0, found, 0.0)


def said(scores: Tensor, answers: Tensor) -> Tensor:
    """bool [B]: every token of the answer is the likeliest, so that greedy decoding says it."""
    return ((scores.argmax(-1) == answers) | (answers < 0)).all(-1)


def certain(scores: Tensor, answers: Tensor, share: float) -> Tensor:
    """bool [B]: every token of the answer has at least this share. scores and answers as in `answer_loss`."""
    shares = scores.softmax(-1).gather(-1, answers.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return ((shares >= share) | (answers < 0)).all(-1)


def find_name(anchor: Anchor, prompt: Sequence[int], subject: str) -> tuple[int, int] | None:
    """Where the subject's tokens stand in a prompt, however the name is spelt there."""
    for form in (f" {subject}", subject, subject[:1].upper() + subject[1:]) if subject.strip() else ():
        part = list(anchor.tokenizer(form, add_special_tokens=False, verbose=False)["input_ids"])
        for at in range(len(prompt) - len(part) + 1):
            if part and list(prompt[at : at + len(part)]) == part:
                return at, at + len(part)
    return None


def sample_residents(residents: Sequence[Resident], blocks: Sequence[ClusterId]) -> list[Resident]:
    """At most HELD prompts of each block, in their order."""
    random = np.random.default_rng(0)
    chosen: set[int] = set()
    for block in blocks:
        rows = [row for row, resident in enumerate(residents) if block in resident.path]
        chosen.update(rows if len(rows) <= HELD else random.choice(rows, HELD, replace=False).tolist())
    return [residents[row] for row in sorted(chosen)]


def _documents(desk: Desk, blocks: Sequence[ClusterId]) -> list[Lesson]:
    anchor = desk.arm().anchor
    found = []
    for cluster in blocks:
        for document in desk.bank.documents_of(cluster, _DOCUMENTS):
            ids = anchor.encode(document.text)[:_DOCUMENT_TOKENS]
            path = desk.routes([document.text])[0]
            if len(ids) > 2 and cluster in path:
                found.append(Lesson(tuple(ids[:1]), tuple(ids[1:]), path))
    return found
