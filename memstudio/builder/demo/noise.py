"""Prompts with words dropped and parts moved, so that memories answer to what is asked rather than to how.

A small model given six phrasings learns six phrasings. Trained on corrupted copies too, it comes to look for the name and the
relation's words wherever they stand. No copy may share a three-word run with a phrasing that is held out (names aside):
what is measured on those stays a measure of phrasings never met.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from memstudio.builder.demo.examples import Example

_TRIES = 4
_MOST_DROPPED = 0.6
NAME, MARK = -1, -2
Run = tuple[int, int, int]


@dataclass(frozen=True)
class Noise:
    """odds: the share of examples to corrupt. words: for each token the word it is, case aside; MARK where it is punctuation.

    endings: what a corrupted prompt may end with.

    openers: tokens that may be put before it, since a model that has met a dozen first words is thrown by any other.

    forbidden: three-word runs (names masked by NAME, marks left out, case aside) that no corrupted prompt may hold.
    """

    odds: float
    words: tuple[int, ...]
    endings: tuple[tuple[int, ...], ...]
    openers: tuple[int, ...]
    forbidden: frozenset[Run]

    def maybe(self, example: Example, rng: np.random.Generator) -> Example:
        """The example, or now and then a corrupted copy; one without a known name stays as it is."""
        if example.name is None or rng.random() >= self.odds:
            return example
        for _ in range(_TRIES):
            prompt, name = self._corrupt(example, rng)
            if self.forbidden.isdisjoint(runs(prompt, name, self.words)):
                return Example((*prompt, *example.ids[example.start :]), len(prompt), example.path, name)
        return example

    def _corrupt(self, example: Example, rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, int]]:
        first, last = example.name or (0, 0)
        rate = rng.random() * _MOST_DROPPED
        before = [token for token in example.ids[:first] if rng.random() >= rate]
        name = list(example.ids[first:last])
        after = [token for token in example.ids[last : example.start] if rng.random() >= rate]
        order = rng.random()
        if order < 0.2:
            before, after = [], before + after
        elif order < 0.4:
            before, after = before + after, []
        if rng.random() < 0.5:
            while after and self.words[after[-1]] == MARK:
                after.pop()
            after += self.endings[rng.integers(len(self.endings))]
        if rng.random() < 0.4:
            before = [self.openers[rng.integers(len(self.openers))], *before]
        return (*before, *name, *after), (len(before), len(before) + len(name))


def runs(prompt: Sequence[int], name: tuple[int, int] | None, words: Sequence[int]) -> Iterator[Run]:
    """The three-word runs of a prompt, as `words` names its tokens: marks left out, the name as one NAME."""
    first, last = name or (len(prompt), len(prompt))
    before = [words[token] for token in prompt[:first]]
    after = [words[token] for token in prompt[last:]]
    found = [word for word in (*before, *([NAME] if name else ()), *after) if word != MARK]
    return zip(found, found[1:], found[2:], strict=False)


def find(sequence: Sequence[int], parts: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    """Where the first of `parts` that occurs lies in `sequence`: (first, behind its last)."""
    for part in parts:
        n = len(part)
        for at in range(len(sequence) - n + 1):
            if tuple(sequence[at : at + n]) == tuple(part):
                return at, at + n
    return None
