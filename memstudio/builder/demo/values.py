"""What a demo corpus is made of: frozen values that know neither where a fact comes from nor how it is written."""

from dataclasses import dataclass, field
from typing import Literal

from memstudio.facts.values import Fact

EntityKind = Literal["common", "specific"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted answer and the others that count as right."""

    expected: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One entity as its source gives it: the name as it stands inside a sentence, its sub-topic, its answers by relation."""

    name: str
    common: bool
    group: str
    answers: dict[str, Answer] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """The wording of one relation. `prompts` are the six trained ones, the canonical first; templates hold {x}, {X} and {g};
    `plain` and `statements` (document sentences) also {a}. {X} is the name as a sentence begins with it."""

    key: str
    prompts: tuple[str, ...]
    held_out: str
    plain: tuple[str, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """The wording of one domain: its relations, the order of facts in the first document, sentences true of every member."""

    name: str
    order: tuple[str, ...]
    relations: tuple[Relation, ...]
    context: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]

    def templates(self) -> tuple[str, ...]:
        """Every trained template: prompts and document sentences, never a held-out one."""
        prompts = [t for r in self.relations for t in (*r.prompts, *r.plain, *r.statements)]
        return (*prompts, *self.context, *(t for group in self.groups.values() for t in group))


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that facts are about."""

    id: str
    name: str
    domain: str
    kind: EntityKind
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A passage about one entity; `facts` in the order in which the text states them. Only the first answers a prompt."""

    id: str
    entity: str
    prompt: str | None
    text: str
    facts: tuple[str, ...]
    kind: EntityKind


@dataclass(frozen=True, slots=True)
class DemoCorpus:
    """Everything the demo bank is trained on and scored with."""

    entities: tuple[Entity, ...]
    facts: tuple[Fact, ...]
    documents: tuple[Document, ...]
