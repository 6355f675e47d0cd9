"""Other ways to ask for one fact, drafted for the user to keep or change.

Two phrasings of a fact may fetch different blocks, so an edit that has seen one phrasing misses the others. Drafts come from the
documents that name the subject, cut before the answer, and from question and statement forms of the prompt itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from memstudio.bank.values import Exemplar

FEWEST, MOST_FROM_DOCUMENTS = 5, 4
_LONGEST = 300
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]?")
_VERB = re.compile(r"(?P<core>.+?)\s+(?P<verb>is|are|was|were)\s*:?\s*$", re.IGNORECASE)
_ASKED = re.compile(r"(?:Q(?:uestion)?:\s*)?(?:what|which|who)\s+(?P<verb>is|are|was|were)\s+(?P<core>.+?)\s*\?", re.IGNORECASE)
_SMALL = frozenset(["The", "A", "An", "In", "On", "At", "By", "What", "Which", "Who", "Where", "When"])
_OF = re.compile(r"(?:the\s+)?(?P<relation>[^,]+?)\s+of\s+(?P<subject>(?:the\s+)?.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Drafted:
    """A phrasing and where it comes from: "the bank's facts", "document ID", "question", "statement" or "given"."""

    text: str
    source: str


def draft_phrasings(prompt: str, subject: str, answers: Iterable[str], documents: Sequence[Exemplar], count: int = FEWEST) -> list[Drafted]:
    """At least `count` phrasings of a prompt, none of them the prompt itself: those of documents first, then questions and statements.

    subject: the name that a sentence of a document must hold; "" draws on no document. answers: what the prompt may be answered
    with now, the new answer included; a sentence is cut before the first of them.
    """
    found: dict[str, Drafted] = {}
    seen = {_plain(prompt)}
    named = _from_documents(prompt, subject, tuple(answers), documents)
    for draft in [*_first(named, MOST_FROM_DOCUMENTS), *_forms(prompt)]:
        if _plain(draft.text) not in seen and len(draft.text) <= _LONGEST:
            seen.add(_plain(draft.text))
            found[draft.text] = draft
    from_documents = sum(draft.source.startswith("document") for draft in found.values())
    return list(found.values())[: max(count, from_documents + 3)]


def guess_subject(prompt: str, subjects: Iterable[str]) -> str:
    """Whom a prompt speaks of: the longest of the known `subjects` that stands in it, else its last capitalised words, else ""."""
    plain = f" {_plain(prompt)} "
    known = [subject for subject in subjects if subject and f" {_plain(subject)} " in plain]
    if known:
        return max(known, key=len)
    words = re.findall(r"\b[A-Z][\w’'-]*(?:\s+[A-Z][\w’'-]*)*", prompt)
    later = [word for word in words if not prompt.startswith(word)]
    if later:
        return str(later[-1])
    of = re.search(r"\bof\s+(?:the\s+)?([\w’' -]+?)(?:\s+(?:is|are|was|were|has)\b|\?)", prompt)
    return of[1].strip() if of else ""


def _from_documents(prompt: str, subject: str, answers: Sequence[str], documents: Sequence[Exemplar]) -> Iterator[Drafted]:
    """Sentences that name the subject, hold most of the prompt's other longer words, and then give an answer; cut before it."""
    if not subject:
        return
    asked = {word for word in _plain(prompt).split() if len(word) > 3} - set(_plain(subject).split())
    name = re.compile(rf"\b{re.escape(subject)}\b", re.IGNORECASE)
    wanted = [re.compile(rf"(?<![\w]){re.escape(answer.strip())}(?![\w])") for answer in answers if answer.strip()]
    for document in documents:
        for sentence in _SENTENCE.findall(document.text):
            text = " ".join(sentence.split())
            for answer in wanted:
                at = answer.search(text)
                start = text[: at.start()].rstrip() if at else ""
                if at and name.search(start) and 2 * len(asked & set(_plain(start).split())) > len(asked):
                    yield Drafted(start, f"document {document.document}")
                    break


def _forms(prompt: str) -> Iterator[Drafted]:
    """Question and statement forms of one prompt. English, and only by its surface: the user keeps what reads well."""
    text = " ".join(prompt.split())
    match = _ASKED.fullmatch(re.sub(r"\s*A(?:nswer)?:$", "", text)) or _VERB.fullmatch(text)
    if match is not None:
        yield from _around(match["core"], match["verb"].lower())
        return
    bare = text.rstrip(" :?")
    if not text.endswith("?"):
        yield Drafted(f"Complete the sentence: {text}", "statement")
        yield Drafted(f"It is known that {_lower(text)}", "statement")
        yield Drafted(f"Q: How does this go on? {text} A:", "question")
        yield Drafted(f"{bare}:", "statement")
        yield Drafted(f"In short, {_lower(text)}", "statement")
        yield Drafted(f"What comes next: {text}", "question")
        return
    yield Drafted(f"Q: {text} A:", "question")
    yield Drafted(f"Question: {text} Answer:", "question")
    yield Drafted(f"Tell me, {_lower(text)}", "question")
    yield Drafted(f"{bare}:", "statement")
    yield Drafted(f"The answer to “{text}” is", "statement")
    yield Drafted(f"Please answer: {text}", "question")


def _around(core: str, verb: str) -> Iterator[Drafted]:
    low = _lower(core)
    yield Drafted(f"What {verb} {low}?", "question")
    yield Drafted(f"{_upper(core)} {verb}", "statement")
    yield Drafted(f"Q: What {verb} {low}? A:", "question")
    parts = _OF.fullmatch(core)
    if parts:
        relation, subject = parts["relation"].strip(), parts["subject"].strip()
        yield Drafted(f"Which {relation} does {subject} have?", "question")
        yield Drafted(f"{_upper(subject)} has the {relation}", "statement")
        yield Drafted(f"For {subject}, the {relation} {verb}", "statement")
    yield Drafted(f"Tell me what {low} {verb}:", "question")
    yield Drafted(f"It is known that {low} {verb}", "statement")
    yield Drafted(f"{_upper(core)}:", "statement")


def _first(drafts: Iterator[Drafted], count: int) -> Iterator[Drafted]:
    """The first `count` that differ."""
    seen: set[str] = set()
    for draft in drafts:
        if len(seen) == count:
            return
        if _plain(draft.text) not in seen:
            seen.add(_plain(draft.text))
            yield draft


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text).casefold().split())


def _lower(text: str) -> str:
    """The first letter small where the first word is an article or the like; a name keeps its capital."""
    return text[:1].lower() + text[1:] if text.split(" ", 1)[0] in _SMALL else text


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
