"""Proves that a held-out phrasing is new: it shares no three-word run with anything trained, names and numbers aside."""

import re
from collections.abc import Iterable

MASK = "\x00"
LENGTH = 3
_WORDS = re.compile(rf"{MASK}|[^\W_]+")
_SLOT = re.compile(r"\{\w\}|\d+")


def masked(template: str) -> str:
    """The template with every slot and number replaced by the mask."""
    return _SLOT.sub(MASK, template)


def word_runs(text: str, breaking: bool) -> frozenset[tuple[str, ...]]:
    """The three-word runs of a masked text, case and punctuation aside. The mask is a word, or, if `breaking`, ends the run."""
    pieces = text.split(MASK) if breaking else [text]
    runs: set[tuple[str, ...]] = set()
    for piece in pieces:
        words = [word.casefold() for word in _WORDS.findall(piece)]
        runs.update(tuple(words[i : i + LENGTH]) for i in range(len(words) - LENGTH + 1))
    return frozenset(runs)


def shared_runs(held_out: Iterable[str], trained: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """Three-word runs of any held-out template that also stand in a trained one, with the mask as a word and as a break."""
    one, other = [masked(t) for t in held_out], [masked(t) for t in trained]
    shared: set[tuple[str, ...]] = set()
    for breaking in (False, True):
        seen = frozenset().union(*(word_runs(text, breaking) for text in other))
        shared.update(run for text in one for run in word_runs(text, breaking) if run in seen)
    return frozenset(shared)
