"""The corpus as training examples, in the sets that the stages ask for."""

from collections import Counter
from collections.abc import Iterable, Sequence

from transformers import PreTrainedTokenizerFast

from memstudio.builder.demo.examples import Example
from memstudio.builder.demo.keys import Routes
from memstudio.builder.demo.noise import MARK, Noise, Run, find, runs
from memstudio.builder.demo.values import DemoCorpus
from memstudio.facts.values import Fact

_CHECKED = 320
_COMMON_WORD = 20
_ENDINGS = (":", "?", " is", "? A:")


class Lessons:
    """sentences: every trained phrasing of every fact, by its own route; common: those of common entities.

    tells: the passages that answer a prompt.
    documents: passages by the route of the prompt that asks for them (twice) or of their own text; common_documents likewise.
    checks: the canonical prompts of specific and common facts, and the held-out phrasings that fetch a block that learned the fact.
    words: the ids of every name and answer.
    """

    def __init__(self, corpus: DemoCorpus, tokenizer: PreTrainedTokenizerFast, routes: Routes) -> None:
        self._tokenizer = tokenizer
        self._end = _id(tokenizer.eos_token_id)
        self.pad = _id(tokenizer.pad_token_id)
        self._words = _words(tokenizer)
        self._forbidden: set[Run] = set()
        self.sentences: list[Example] = []
        self.common: list[Example] = []
        self.checks: dict[str, list[Example]] = {"specific": [], "common": [], "held": []}
        self.words: list[int] = []
        self._openers = self._first_words(corpus)
        known = {entity.id for entity in corpus.entities if entity.kind == "common"}
        paths = iter(routes.prompts.tolist())
        for fact in corpus.facts:
            self._take(fact, paths, fact.id.rsplit("/", 1)[0] in known)
        for name, examples in self.checks.items():
            self.checks[name] = examples[:: max(1, len(examples) // _CHECKED)]
        passages = [
            self._example(f"{d.prompt}", f" {d.text}", tell) if d.prompt else self._example("", d.text, own)
            for d, tell, own in zip(corpus.documents, routes.tells.tolist(), routes.documents.tolist(), strict=True)
        ]
        asked = [passage for d, passage in zip(corpus.documents, passages, strict=True) if d.prompt]
        self.tells = asked
        self.documents = asked + passages
        self.common_documents = [passage for d, passage in zip(corpus.documents, passages, strict=True) if d.entity in known]

    def noise(self, odds: float) -> Noise:
        """Corruption that keeps clear of the held-out phrasings."""
        endings = tuple(tuple(self._ids(ending)) for ending in _ENDINGS)
        return Noise(odds, self._words, endings, tuple(self._openers), frozenset(self._forbidden))

    def _take(self, fact: Fact, paths: Iterable[list[int]], common: bool) -> None:
        names = [self._ids(form) for form in (f" {fact.subject}", fact.subject, fact.subject[:1].upper() + fact.subject[1:])]
        texts = (fact.prompt, *fact.phrasings, *fact.held_out)
        rows = [self._example(text, f" {fact.expected}.", path, names) for text, path in zip(texts, paths, strict=False)]
        trained, held = rows[: 1 + len(fact.phrasings)], rows[1 + len(fact.phrasings) :]
        self.sentences += trained
        self.common += trained if common else []
        if fact.kind != "guessable":
            self.checks[fact.kind].append(trained[0])
        if fact.kind == "specific":
            learned = {row.path[-1] for row in trained}
            self.checks["held"] += [row for row in held if row.path[-1] in learned]
        for row in held:
            self._forbidden.update(runs(row.ids[: row.start], row.name, self._words))
        self.words += self._ids(f" {fact.expected}") + self._ids(f" {fact.subject}")

    def _first_words(self, corpus: DemoCorpus) -> list[int]:
        """The prompts' commoner words, names aside, each as one token as a sentence may begin with it."""
        names = {word.lower() for entity in corpus.entities for word in entity.name.split()}
        prompts = (text for fact in corpus.facts for text in (fact.prompt, *fact.phrasings))
        counts = Counter(word for text in prompts for word in text.split() if word.isalpha() and word.lower() not in names)
        starts = (self._ids(word[:1].upper() + word[1:]) for word, count in sorted(counts.items()) if count >= _COMMON_WORD)
        return sorted({ids[0] for ids in starts if len(ids) == 1})

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _example(self, prompt: str, answer: str, path: Sequence[int], names: Sequence[Sequence[int]] = ()) -> Example:
        ids = self._ids(prompt) if prompt else []
        return Example((*ids, *self._ids(answer), self._end), max(1, len(ids)), tuple(path), find(ids, names))


def _id(token: int | list[int] | None) -> int:
    if not isinstance(token, int):
        raise ValueError("the tokenizer lacks its end or pad token")
    return token


def _words(tokenizer: PreTrainedTokenizerFast) -> tuple[int, ...]:
    """For each token its word: one number for all spellings, case and leading space aside; MARK without a letter or digit."""
    numbers: dict[str, int] = {}
    texts = (str(tokenizer.decode([token])).strip().casefold() for token in range(len(tokenizer)))
    return tuple(numbers.setdefault(text, len(numbers)) if any(map(str.isalnum, text)) else MARK for text in texts)
