"""A fact and its scores, frozen."""

from dataclasses import dataclass
from typing import Literal

from memstudio.bank.values import ClusterId, Memory

Kind = Literal["common", "specific", "guessable"]
Phrasing = Literal["prompt", "trained", "held_out"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt and the answer that it should have, or had before an edit."""

    prompt: str
    expected: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact is its prompt; `phrasings` are scored beside it, `held_out` were kept from training. `neighbours` are fact ids.

    A fact with a `target` asks that its answer be changed to it: an editor sees `phrasings`, and is judged by `held_out`, by `locality`
    (prompts whose answers should stay) and by `portability` (prompts whose answers should follow).
    """

    id: str
    subject: str
    relation: str
    prompt: str
    expected: str
    aliases: tuple[str, ...]
    phrasings: tuple[str, ...]
    held_out: tuple[str, ...]
    neighbours: tuple[str, ...]
    kind: Kind
    target: str = ""
    locality: tuple[Probe, ...] = ()
    portability: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt of one fact, answered by free greedy generation."""

    fact: str
    kind: Kind
    phrasing: Phrasing
    prompt: str
    expected: str
    got: str
    correct: bool
    route: tuple[ClusterId, ...]
    learned: bool
    """Some trained phrasing of the fact fetches the same deepest block."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracies are over the trained phrasings (prompt included) unless said otherwise; None where nothing was counted."""

    memory: Memory
    revision: int
    count: int
    accuracy: float | None
    by_kind: dict[str, float | None]
    by_phrasing: dict[str, float | None]
    held_out_learned: float | None
    agreement: dict[int, float | None]
    facts: tuple[Scored, ...]
    seconds: float
