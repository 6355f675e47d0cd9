"""What the demo's memories are trained on never comes near a held-out phrasing, corrupted copies included."""

import numpy as np
import pytest

from memstudio.builder.demo import DemoCorpus, generate
from memstudio.builder.demo.examples import Example
from memstudio.builder.demo.keys import Routes
from memstudio.builder.demo.lessons import Lessons
from memstudio.builder.demo.runs import MASK, word_runs
from memstudio.builder.demo.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def corpus() -> DemoCorpus:
    return generate(0)


@pytest.fixture(scope="module")
def lessons(corpus: DemoCorpus) -> tuple[Lessons, object]:
    texts = [f"{text} {fact.expected}." for fact in corpus.facts for text in (fact.prompt, *fact.phrasings)]
    tokenizer = train_tokenizer(texts, 7000)
    prompts = sum(1 + len(fact.phrasings) + len(fact.held_out) for fact in corpus.facts)
    documents = np.zeros((len(corpus.documents), 1), np.int64)
    return Lessons(corpus, tokenizer, Routes(documents, documents, np.zeros((prompts, 1), np.int64))), tokenizer


def test_no_trained_prompt_corrupted_or_not_shares_three_words_with_a_held_out_one(lessons: tuple[Lessons, object]) -> None:
    made, tokenizer = lessons

    def masked(example: Example) -> str:
        first, last = example.name or (0, 0)
        before, after = example.ids[:first], example.ids[last : example.start]
        return tokenizer.decode(before) + f" {MASK} " + tokenizer.decode(after)  # type: ignore[attr-defined]

    held = [masked(example) for example in made.checks["held"]]
    forbidden = {run for breaking in (True, False) for text in held for run in word_runs(text, breaking)}
    assert forbidden
    noise, rng = made.noise(1.0), np.random.default_rng(0)
    picked = [made.sentences[i] for i in rng.integers(len(made.sentences), size=4000)]
    corrupted = [noise.maybe(example, rng) for example in picked]
    assert sum(a is not b for a, b in zip(corrupted, picked, strict=True)) > 3000
    for example in (*corrupted, *made.sentences):
        for breaking in (True, False):
            assert forbidden.isdisjoint(word_runs(masked(example), breaking))


def test_only_common_entities_are_shown_to_the_anchor(corpus: DemoCorpus, lessons: tuple[Lessons, object]) -> None:
    made, _ = lessons
    known = {entity.id for entity in corpus.entities if entity.kind == "common"}
    assert len(known) <= len(corpus.entities) / 4
    shown = sum(1 + len(fact.phrasings) for fact in corpus.facts if fact.id.rsplit("/", 1)[0] in known)
    assert len(made.common) == shown
    assert "element/gold" not in known
    assert sum(entity.startswith("element/") for entity in known) <= 10
