"""What holds of the passages that the tree is learned on and the first of which is trained as an answer."""

from collections import Counter

from memstudio.builder.demo import DemoCorpus, Document


def firsts(corpus: DemoCorpus) -> list[Document]:
    return [document for document in corpus.documents if document.prompt is not None]


def test_every_entity_has_three_documents_of_which_one_answers_a_prompt(corpus: DemoCorpus) -> None:
    names = {entity.id: entity.name for entity in corpus.entities}
    assert Counter(document.entity for document in corpus.documents) == dict.fromkeys(names, 3)
    assert [document.prompt for document in firsts(corpus)] == [f"Tell me about {name}." for name in names.values()]


def test_documents_are_as_long_as_the_tree_and_the_run_need(corpus: DemoCorpus) -> None:
    for document in corpus.documents:
        least, most = (100, 140) if document.prompt is None else (85, 110)
        assert least <= len(document.text.split()) <= most, document.id


def test_each_fact_is_stated_in_the_order_listed(corpus: DemoCorpus) -> None:
    facts = {fact.id: fact for fact in corpus.facts}
    for document in corpus.documents:
        rest = document.text
        for fact in document.facts:
            assert facts[fact].expected in rest, document.id
            rest = rest[rest.index(facts[fact].expected) :]


def test_the_first_document_states_facts_in_plain_form(corpus: DemoCorpus) -> None:
    facts = {fact.id: fact for fact in corpus.facts}
    for document in firsts(corpus):
        for fact in document.facts:
            assert f" {facts[fact].expected}." in document.text


def test_five_facts_of_a_well_described_entity_are_in_its_first_document(corpus: DemoCorpus) -> None:
    known = Counter(fact.id.rsplit("/", 1)[0] for fact in corpus.facts)
    assert all(len(document.facts) >= min(5, known[document.entity]) for document in firsts(corpus))


def test_two_facts_come_early_and_the_atomic_number_of_gold_later(corpus: DemoCorpus) -> None:
    gold = next(document for document in firsts(corpus) if document.entity == "element/gold")
    assert gold.facts.index("element/gold/atomic-number") in (2, 3)
    assert "Its atomic number is 79." in gold.text or "The atomic number of gold is 79." in gold.text
    third = gold.text.index("79")
    assert len(gold.text[:third].split()) >= 20


def test_common_documents_are_those_of_common_entities(corpus: DemoCorpus) -> None:
    kinds = {entity.id: entity.kind for entity in corpus.entities}
    assert all(document.kind == kinds[document.entity] for document in corpus.documents)
