"""A held-out phrasing is new to the model, and half of the facts have one."""

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from memstudio.builder.demo import DemoCorpus
from memstudio.builder.demo.runs import MASK, shared_runs, word_runs
from memstudio.builder.demo.tables import DOMAINS, domain

WORDS = st.sampled_from(["the", "city", "of", "{X}", "is", "12", "what"])
ABOUT = "Tell me about {x}."


def trained_templates() -> list[str]:
    return [ABOUT, *(template for name in DOMAINS for template in domain(name).templates())]


def held_out_templates() -> list[str]:
    return [relation.held_out for name in DOMAINS for relation in domain(name).relations]


def test_a_run_is_found_with_the_mask_as_a_word() -> None:
    assert shared_runs(["What city of {X}?"], ["Is the city of {x} large"]) == {("city", "of", MASK)}


def test_a_run_is_found_with_the_mask_as_a_break() -> None:
    assert ("the", "capital", "of") in shared_runs(["Name the capital of {X}:"], ["The capital of {X} is"])
    assert word_runs(f"one {MASK} two three", breaking=True) == frozenset()


def test_numbers_are_masked() -> None:
    assert shared_runs(["In 1912 it was"], ["by 7 it was"]) == {(MASK, "it", "was")}


@given(st.lists(WORDS, min_size=3, max_size=8))
def test_a_template_shares_its_runs_with_itself(words: list[str]) -> None:
    assert shared_runs([" ".join(words)], [" ".join(words)])


@given(st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8))
def test_sharing_is_mutual(one: list[str], other: list[str]) -> None:
    assert shared_runs([" ".join(one)], [" ".join(other)]) == shared_runs([" ".join(other)], [" ".join(one)])


def test_no_held_out_template_shares_a_run_with_anything_trained() -> None:
    assert shared_runs(held_out_templates(), trained_templates()) == frozenset()


def test_every_word_of_a_held_out_template_is_trained_somewhere() -> None:
    trained = {word for template in trained_templates() for word in re.findall(r"[\w-]+", template)}
    held_out = {word for template in held_out_templates() for word in re.findall(r"[\w-]+", re.sub(r"\{\w\}", "", template))}
    assert held_out <= trained


def test_half_of_every_relation_and_kind_is_held_out(corpus: DemoCorpus) -> None:
    held, total = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for fact in corpus.facts:
        total[fact.relation, fact.kind] += 1
        held[fact.relation, fact.kind] += len(fact.held_out)
    assert all(held[key] == (total[key] + 1) // 2 for key in total)


def test_no_held_out_phrasing_is_trained(corpus: DemoCorpus) -> None:
    trained = {prompt for fact in corpus.facts for prompt in (fact.prompt, *fact.phrasings)}
    assert not trained & {prompt for fact in corpus.facts for prompt in fact.held_out}
