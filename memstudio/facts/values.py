"""A fact and its scores, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from memstudio.bank.values import ClusterId, Memory
from memstudio.facts.statistics import Proportion

Kind = Literal["common", "specific", "guessable", "probe"]
Phrasing = Literal["prompt", "trained", "held_out"]
Format = Literal["jsonl", "easyedit", "counterfact", "zsre", "csv"]
Judge = Literal["generation", "teacher-forced", "probability"]
Answers = Literal["expected", "target"]


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

    One of kind `probe` stands in where nobody wrote facts: its prompt is the text of a document before a span, which is `expected`.
    Nothing ends such an answer, so it counts as right when the text begins with the span.
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
class Skipped:
    """A record that could not be used: where it starts (line and record count from 1) and why."""

    line: int
    record: int
    reason: str


@dataclass(frozen=True, slots=True)
class FactFile:
    """What a file gave. `skipped` keeps the first thousand; `skipped_count` counts all."""

    path: Path
    format: Format
    facts: tuple[Fact, ...]
    skipped: tuple[Skipped, ...]
    skipped_count: int


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt of one fact, judged. `got` is what stands against `expected`, which holds the target where targets are scored.

    Judged by probability, `expected` is the target and `got` the likelier of it and the fact's own answer; `logprob` and `against`
    are the summed log-probabilities of the two, None under the other judges.
    """

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
    logprob: float | None = None
    against: float | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracies are over the trained phrasings (prompt included) unless said otherwise; None where nothing was counted.

    proportions: the same shares by name with their counts and intervals; `left_out`: facts without the answer that was asked for.
    """

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
    judge: Judge = "generation"
    answers: Answers = "expected"
    proportions: Mapping[str, Proportion] = field(default_factory=dict)
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class SetPrompt:
    """A prompt of a set. key None: routed by its own text; answer None: what its route answers; line: where it stands in a file, from 1."""

    text: str
    key: str | None = None
    answer: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Prompts that are counted together. `skipped` keeps the first thousand lines that could not be used, `skipped_count` counts all."""

    name: str
    prompts: tuple[SetPrompt, ...]
    skipped: tuple[Skipped, ...] = ()
    skipped_count: int = 0
