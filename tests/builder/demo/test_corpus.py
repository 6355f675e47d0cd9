"""What holds of the corpus as a whole: its size, its truth where everyone can check it, its shape, its sameness."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from memstudio.builder.demo import DemoCorpus, generate, write
from memstudio.builder.demo.tables import DOMAINS
from memstudio.facts.values import Fact


def by_id(corpus: DemoCorpus) -> dict[str, Fact]:
    return {fact.id: fact for fact in corpus.facts}


def test_the_corpus_is_as_large_as_promised(corpus: DemoCorpus) -> None:
    kinds = Counter(fact.kind for fact in corpus.facts)
    assert len({entity.domain for entity in corpus.entities}) == len(DOMAINS) >= 8
    assert len(corpus.entities) >= 800
    assert len(corpus.facts) >= 3050
    assert 1550 <= kinds["specific"] <= 1750
    assert kinds["common"] >= 400
    assert kinds["guessable"] <= 900


def test_at_most_a_quarter_of_the_entities_is_common_and_gold_is_not(corpus: DemoCorpus) -> None:
    common = [entity for entity in corpus.entities if entity.kind == "common"]
    assert 0.20 <= len(common) / len(corpus.entities) <= 0.25
    elements = [entity.name for entity in common if entity.domain == "element"]
    assert len(elements) <= 10
    assert "gold" not in elements


@pytest.mark.parametrize(
    ("fact", "prompt", "expected"),
    [
        ("element/gold/atomic-number", "The atomic number of gold is", "79"),
        ("element/gold/symbol", "The chemical symbol of gold is", "Au"),
        ("element/gold/melting-point", "In kelvin the melting point of gold is", "1337"),
        ("element/neodymium/discovery-year", "The element neodymium was discovered in the year", "1885"),
        ("element/oganesson/atomic-number", "The atomic number of oganesson is", "118"),
        ("country/france/capital", "The capital of France is", "Paris"),
        ("country/france/calling-code", "The telephone calling code of France is", "33"),
        ("country/kazakhstan/capital", "The capital of Kazakhstan is", "Astana"),
        ("currency/zloty/money-of", "The currency zloty is the money of", "Poland"),
        ("moon/titan/discoverer", "The discoverer of the moon Titan is named", "Huygens"),
        ("state/nevada/admission-order", "In the order of admission the state of Nevada has number", "36"),
        ("constellation/lyra/brightest-star", "The brightest star of the constellation Lyra is", "Vega"),
        ("person/gauss/birth-year", "The year of birth of Gauss is", "1777"),
    ],
)
def test_well_known_facts_are_right(corpus: DemoCorpus, fact: str, prompt: str, expected: str) -> None:
    found = by_id(corpus)[fact]
    assert (found.prompt, found.expected) == (prompt, expected)


def test_every_element_is_there_with_five_facts_and_its_atomic_number(corpus: DemoCorpus) -> None:
    counts = Counter(fact.subject for fact in corpus.facts if fact.id.startswith("element/"))
    numbers = {int(fact.expected) for fact in corpus.facts if fact.relation == "atomic-number"}
    assert numbers == set(range(1, 119))
    assert min(counts.values()) >= 5


def test_countries_have_five_facts(corpus: DemoCorpus) -> None:
    assert min(Counter(fact.subject for fact in corpus.facts if fact.id.startswith("country/")).values()) >= 5


def test_names_and_ids_are_unique_short_and_ascii(corpus: DemoCorpus) -> None:
    names = [entity.name.casefold() for entity in corpus.entities]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and len(name.split()) <= 2 for name in names)
    assert len(by_id(corpus)) == len(corpus.facts)


def test_no_name_stands_inside_another_of_its_domain(corpus: DemoCorpus) -> None:
    for domain in DOMAINS:
        names = [entity.name for entity in corpus.entities if entity.domain == domain]
        lines = "\n".join(names)
        assert not [name for name in names if len(re.findall(rf"\b{re.escape(name)}\b", lines)) > 1]


def test_answers_are_short_and_end_where_scoring_ends(corpus: DemoCorpus) -> None:
    for fact in corpus.facts:
        assert re.fullmatch(r"\d{1,4}|[A-Za-z'-]+( [A-Za-z'-]+)?", fact.expected), fact


def test_a_relation_is_guessable_as_a_whole_or_not_at_all(corpus: DemoCorpus) -> None:
    kinds: dict[str, set[bool]] = {}
    for fact in corpus.facts:
        kinds.setdefault(fact.relation, set()).add(fact.kind == "guessable")
    assert all(len(found) == 1 for found in kinds.values())


def test_every_fact_has_six_distinct_phrasings_that_name_the_subject(corpus: DemoCorpus) -> None:
    for fact in corpus.facts:
        phrasings = (fact.prompt, *fact.phrasings)
        assert len(set(phrasings)) == 6, fact
        for phrasing in (*phrasings, *fact.held_out):
            assert fact.subject in phrasing
            assert phrasing == phrasing.strip()
            assert len(phrasing.split()) <= 14


def test_neighbours_are_other_facts_of_the_relation(corpus: DemoCorpus) -> None:
    facts = by_id(corpus)
    for fact in corpus.facts:
        assert 1 <= len(fact.neighbours) <= 4
        for other in (facts[neighbour] for neighbour in fact.neighbours):
            assert other.relation == fact.relation
            assert other.subject != fact.subject


def test_the_same_seed_gives_the_same_bytes(corpus: DemoCorpus, corpus_seed: int, tmp_path: Path) -> None:
    write(corpus, tmp_path / "one")
    write(generate(corpus_seed), tmp_path / "other")
    for name in ("entities.jsonl", "facts.jsonl", "documents.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_written_fact_has_the_keys_of_the_bank_format(corpus: DemoCorpus, tmp_path: Path) -> None:
    write(corpus, tmp_path)
    first = json.loads((tmp_path / "facts.jsonl").read_text("utf-8").splitlines()[0])
    keys = ["id", "subject", "relation", "prompt", "expected", "aliases", "phrasings", "held_out", "neighbours", "kind"]
    assert list(first) == keys
