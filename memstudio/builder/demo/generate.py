"""Puts the demo corpus together: sources, kinds, phrasings, documents. One seed and one set of packages give the same bytes."""

import re
from collections import defaultdict
from collections.abc import Callable
from random import Random

from memstudio.builder.demo import elements, geography, handmade
from memstudio.builder.demo.passages import fill, first_passage, later_passage
from memstudio.builder.demo.surface import guessable
from memstudio.builder.demo.tables import DOMAINS, domain
from memstudio.builder.demo.values import Answer, DemoCorpus, Document, Domain, Entity, EntityKind, Relation, Row
from memstudio.errors import UserError
from memstudio.facts.values import Fact, Kind

MOST_NEIGHBOURS = 4
MOST_WORDS = 2
SOURCES: dict[str, Callable[[], list[Row]]] = {
    "element": elements.elements,
    "country": geography.countries,
    "currency": handmade.currencies,
    "city": geography.cities,
    "language": handmade.languages,
    "moon": handmade.moons,
    "state": handmade.states,
    "airport": handmade.airports,
    "constellation": handmade.constellations,
    "person": handmade.people,
    "mountain": handmade.mountains,
}


def generate(seed: int) -> DemoCorpus:
    """The corpus of a seed. Facts, entities and their kinds do not depend on the seed; wording, held-out halves and neighbours do."""
    entities: list[Entity] = []
    facts: list[Fact] = []
    documents: list[Document] = []
    for name in DOMAINS:
        wording, rows = domain(name), SOURCES[name]()
        entities += [Entity(_id(name, row), row.name, name, _entity_kind(row), row.aliases) for row in rows]
        for relation in wording.relations:
            facts += _facts(name, relation, rows, seed)
        for row in rows:
            documents += _documents(wording, row, seed)
    _check_unique(entities)
    return DemoCorpus(tuple(entities), tuple(facts), tuple(documents))


def _facts(name: str, relation: Relation, rows: list[Row], seed: int) -> list[Fact]:
    """The facts of one relation, half of each kind with a held-out phrasing."""
    known = [(row, row.answers[relation.key]) for row in rows if relation.key in row.answers and _short(row.answers[relation.key])]
    guess = guessable([(row.name, answer.expected) for row, answer in known])
    kinds: list[Kind] = ["guessable" if guess else _entity_kind(row) for row, _ in known]
    random = Random(f"{seed}/{name}/{relation.key}")
    held = _half(kinds, random)
    facts = []
    for i, (row, answer) in enumerate(known):
        others = [_fact_id(name, other, relation.key) for other, _ in known if other is not row]
        prompts = tuple(fill(template, row) for template in relation.prompts)
        facts.append(
            Fact(
                id=_fact_id(name, row, relation.key),
                subject=row.name,
                relation=relation.key,
                prompt=prompts[0],
                expected=answer.expected,
                aliases=answer.aliases,
                phrasings=prompts[1:],
                held_out=(fill(relation.held_out, row),) if i in held else (),
                neighbours=tuple(random.sample(others, min(MOST_NEIGHBOURS, len(others)))),
                kind=kinds[i],
            )
        )
    return facts


def _half(kinds: list[Kind], random: Random) -> set[int]:
    """Indices of a random half of every kind."""
    members: dict[Kind, list[int]] = defaultdict(list)
    for i, kind in enumerate(kinds):
        members[kind].append(i)
    held: set[int] = set()
    for indices in members.values():
        held |= set(random.sample(indices, (len(indices) + 1) // 2))
    return held


def _documents(wording: Domain, row: Row, seed: int) -> list[Document]:
    entity = _id(wording.name, row)
    stated = Row(row.name, row.common, row.group, {k: a for k, a in row.answers.items() if _short(a)}, row.aliases)
    documents = []
    for number, passage in enumerate((first_passage, later_passage, later_passage)):
        text, keys = passage(wording, stated, Random(f"{seed}/{entity}/{number}"))
        prompt = f"Tell me about {row.name}." if number == 0 else None
        ids = tuple(_fact_id(wording.name, row, key) for key in keys)
        documents.append(Document(f"{entity}#{number}", entity, prompt, text, ids, _entity_kind(row)))
    return documents


def _short(answer: Answer) -> bool:
    """Whether an answer can be scored: at most two words, nothing that ends it early."""
    return len(answer.expected.split()) <= MOST_WORDS and not re.search(r"[.\n]", answer.expected) and answer.expected.isascii()


def _entity_kind(row: Row) -> EntityKind:
    return "common" if row.common else "specific"


def _id(name: str, row: Row) -> str:
    return f"{name}/{re.sub(r'[^a-z0-9]+', '-', row.name.lower()).strip('-')}"


def _fact_id(name: str, row: Row, key: str) -> str:
    return f"{_id(name, row)}/{key}"


def _check_unique(entities: list[Entity]) -> None:
    seen: dict[str, str] = {}
    for entity in entities:
        key = entity.name.casefold()
        if key in seen:
            raise UserError(f"demo tables: {entity.id} and {seen[key]} share a name; drop one or tell them apart")
        seen[key] = entity.id
