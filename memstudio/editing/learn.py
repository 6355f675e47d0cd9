"""Teaching documents to a bank: a person's own notes go into the blocks that they reach, as a revision that can be undone and erased again.

A study overlays blocks and never the tree, so there are no new leaves: a document is learnt by the blocks that its windows, its
sentences and their first halves route to, so that a long prompt finds it and a short one does. To give documents clusters of their
own, build again with them in the corpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from memstudio.bank.values import ClusterId
from memstudio.editing.plan import Draft
from memstudio.editing.reach import has_own_block, reached, residents
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.editing.desk import Desk, Path
    from memstudio.editing.lessons import Batch, Lesson
    from memstudio.editing.tuned import Aim

Where = Literal["leaf", "path"]
WINDOW, MOST_CHARACTERS = 128, 200_000
STEPS, MOST_STEPS = 300, 10_000
_FLAT = 0.0
_FEWEST_WORDS = 4
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_SAID, _SAID_LATE = 0.98, 0.95


@dataclass(frozen=True, slots=True)
class Learned:
    """A document that a revision taught: its name and its text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Learn:
    """Have the text of `documents` known. where: "leaf", the deepest block of each route, or "path", every block on it.

    steps: at most so many of gradient; it ends sooner once nearly every token is the likeliest, or the loss has stopped falling.
    """

    verb: ClassVar[str] = "learn"
    documents: tuple[Learned, ...]
    where: Where = "leaf"
    steps: int = STEPS

    @property
    def clusters(self) -> tuple[ClusterId, ...]:
        """None: the documents find their blocks."""
        return ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """None: documents are no facts."""
        return ()

    @property
    def title(self) -> str:
        """One line for the log. It names the documents and nothing of what they say."""
        more = f" and {len(self.documents) - 3} more" if len(self.documents) > 3 else ""
        return "learn " + ", ".join(f"{document.id:.60}" for document in self.documents[:3]) + more

    def draft(self, desk: Desk) -> Draft:
        """Work out the new rows on the desk's spare arm.

        Raises:
            UserError: no document, one without text or too long, two of one name, one whose route has no block, steps out of range.
        """
        from memstudio.editing.lessons import changed, make_held
        from memstudio.editing.tuned import fit_tuned

        _check(self.documents)
        if not 1 <= self.steps <= MOST_STEPS:
            raise UserError(f"learn: {self.steps} steps: give 1 to {MOST_STEPS}")
        lessons: list[Lesson] = []
        windows: dict[str, list[Lesson]] = {}
        for document in self.documents:
            windows[document.id] = _lessons(desk, [(text, desk.routes([text])[0]) for text in _windows(desk, document)])
            lessons += _lessons(desk, ways_to(desk, document))
        blocks = self._blocks(desk, windows, lessons)
        lessons = [lesson for lesson in lessons if not set(blocks).isdisjoint(lesson.path)]
        held = make_held(desk, residents(desk.facts(), desk.routes, blocks), blocks)
        before = {name: _mean_logprob(desk, found, {}) for name, found in windows.items()}
        fitted = fit_tuned(desk, blocks, lessons, held, _aim(self.steps))
        changes = changed(desk, fitted.rows)
        if not changes:
            raise UserError(f"{self.title}: the blocks know it already; nothing was changed")
        learned = [
            {
                "document": name,
                "routes": sorted({str(lesson.path[-1]) for lesson in found if lesson.path}),
                "tokens": sum(len(lesson.answer) for lesson in found),
                "logprob_before": before[name],
                "logprob_after": _mean_logprob(desk, found, fitted.rows),
            }
            for name, found in windows.items()
        ]
        figures: dict[str, Any] = {"where": self.where, "learned": learned, **fitted.figures}
        return Draft(changes, desk.tensors, (*fitted.notes, *_lines(learned)), figures)

    def _blocks(self, desk: Desk, windows: dict[str, list[Lesson]], lessons: Sequence[Lesson]) -> tuple[ClusterId, ...]:
        for name, found in windows.items():
            if not reached(desk.bank, desk.overlay, (lesson.path for lesson in found)):
                names = " › ".join(map(str, found[0].path)) or "nothing"
                raise UserError(f"document {name!r:.80}: its route ({names}) has no block that could be written; restore one first")
        paths = [lesson.path for lesson in lessons]
        if self.where == "leaf":
            return reached(desk.bank, desk.overlay, paths)
        return tuple(sorted({c for path in paths for c in path if has_own_block(desk.bank, desk.overlay, c)}))


def ways_to(desk: Desk, document: Learned) -> list[tuple[str, Path]]:
    """Every way in which a document is learnt: its windows by their routes, its sentences by theirs and by those of their first halves."""
    sentences = _sentences(document.text)
    keyed = [(text, text) for text in (*_windows(desk, document), *sentences)] + [(text, _half(text)) for text in sentences]
    paths = desk.routes([key for _, key in keyed])
    return list(dict.fromkeys((text, path) for (text, _), path in zip(keyed, paths, strict=True)))


def _windows(desk: Desk, document: Learned) -> list[str]:
    from memstudio.builder.corpus import cut
    from memstudio.builder.texts import Text

    return [window.text for window in cut(iter([Text(document.id, 0, document.text)]), desk.arm().anchor, WINDOW)]


def _check(documents: Sequence[Learned]) -> None:
    if not documents:
        raise UserError("learn: name a document, or text to be learnt")
    seen: set[str] = set()
    length = 0
    for document in documents:
        if document.id in seen:
            raise UserError(f"document {document.id!r:.80}: two have that name; rename one, so that each can be erased by its own")
        if not document.text.strip():
            raise UserError(f"document {document.id!r:.80}: holds no text")
        seen.add(document.id)
        length += len(document.text)
        if length > MOST_CHARACTERS:
            size = f"with it there are {length} characters, over {MOST_CHARACTERS}"
            raise UserError(f"document {document.id!r:.80}: {size}: learn them in several goes, or build a bank over them")


def _sentences(text: str) -> list[str]:
    found = (sentence.strip() for sentence in _SENTENCE.split(text))
    return [sentence for sentence in found if len(sentence.split()) >= _FEWEST_WORDS]


def _half(sentence: str) -> str:
    """The first half of a sentence's words: a prompt that the rest of it answers."""
    words = sentence.split()
    return " ".join(words[: (len(words) + 1) // 2])


def _lessons(desk: Desk, ways: Sequence[tuple[str, Path]]) -> list[Lesson]:
    """Each text behind its first token, on its path."""
    from memstudio.editing.lessons import Lesson

    anchor = desk.arm().anchor
    found = []
    for text, path in ways:
        opening, ids = (anchor.bare("".join(anchor.turn)), anchor.bare(text)) if anchor.chat else ([], anchor.plain(text))
        ids = [*opening, *ids][:WINDOW]
        start = max(1, len(opening))
        if len(ids) > start:
            found.append(Lesson(tuple(ids[:start]), tuple(ids[start:]), path, text=True))
    if not found and ways:
        raise UserError(f"“{ways[0][0]:.40}”: too short to be learnt; write a sentence at least")
    return found


def _aim(steps: int) -> Aim:
    """Every token likely; there when nearly all of a lesson's tokens are the likeliest."""
    from memstudio.editing.lessons import answer_loss
    from memstudio.editing.tuned import Aim

    def there(batch: Batch, scores: Tensor, late: bool) -> Tensor:
        right = (scores.argmax(-1) == batch.answers) & (batch.answers >= 0)
        share: Tensor = right.sum(-1) / (batch.answers >= 0).sum(-1)
        return share >= (_SAID_LATE if late else _SAID)

    return Aim(lambda batch, scores: answer_loss(scores, batch.answers), there, steps, _FLAT)


@torch.no_grad()
def _mean_logprob(desk: Desk, lessons: Sequence[Lesson], rows: dict[ClusterId, Tensor]) -> float:
    """Nats a token, over the lessons' answers, with `rows` in place of what stands there."""
    from memstudio.editing.lessons import token_logprobs
    from memstudio.editing.mixed import Mixed

    mixed = Mixed(desk)
    moved = {cluster: row.to(desk.arm().anchor.device) for cluster, row in rows.items()}
    total, count = 0.0, 0
    for batch in mixed.batches(lessons):
        total += float(token_logprobs(mixed.scores(batch, moved), batch.answers).sum())
        count += int((batch.answers >= 0).sum())
    return total / max(1, count)


def _lines(learned: Iterable[dict[str, Any]]) -> list[str]:
    return [
        f"{row['document']:.60}: {row['logprob_before']:.2f} → {row['logprob_after']:.2f} nats a token, in {', '.join(row['routes'])}"
        for row in learned
    ]
