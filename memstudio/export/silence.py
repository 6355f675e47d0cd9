"""What was taken down does not leave by the back door: which texts of a study tell of a fact that an erasure took out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memstudio.facts.score import is_correct
from memstudio.facts.values import Fact

WITHHELD = "taken down"
_LONG = 24


@dataclass(frozen=True, slots=True)
class Gone:
    """What was taken down: facts, and the texts of documents."""

    facts: tuple[Fact, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def ids(self) -> set[str]:
        """The ids of the facts."""
        return {fact.id for fact in self.facts}

    def told_in(self, text: str) -> bool:
        """Whether a way to ask for such a fact stands in the text, or the text in such a document (case and spaces do not count)."""
        plain = _plain(text)
        asked = any(_plain(way) in plain for fact in self.facts for way in (fact.prompt, *fact.phrasings, *fact.held_out))
        return asked or (len(plain) >= _LONG and any(plain in _plain(document) for document in self.documents))

    def tells(self, text: str) -> bool:
        """Whether a document tells of it: it asks for such a fact, holds such a document's text or is part of it."""
        plain = _plain(text)
        return self.told_in(text) or any(_plain(document) in plain for document in self.documents)

    def answered_in(self, prompt: str, *answers: str) -> bool:
        """Whether an answer to a prompt about such a fact's subject is the fact's own."""
        plain = _plain(prompt)
        return any(
            (not fact.subject.strip() or _plain(fact.subject) in plain) and is_correct(answer, fact.expected, fact.aliases)
            for fact in self.facts
            for answer in answers
        )

    def without(self, facts: Sequence[Fact]) -> list[Fact]:
        """The facts that tell of nothing that was taken down, without those of their probes that do."""
        kept = [
            fact for fact in facts if fact.id not in self.ids and not any(map(self.told_in, (fact.prompt, *fact.phrasings, *fact.held_out)))
        ]
        return [
            replace(
                fact,
                locality=tuple(probe for probe in fact.locality if not self.told_in(probe.prompt)),
                portability=tuple(probe for probe in fact.portability if not self.told_in(probe.prompt)),
            )
            for fact in kept
        ]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
