"""What a run gives back: frozen, free of tensors (numpy arrays only), so that panels and the shell can hold it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId, Memory, Route

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The device that was picked, and one line for the user when it is not what they may expect."""

    device: str
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; temperature 0 is greedy."""

    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """What another memory says of a generated token, on the same text before it.

    logprob: of the token that was chosen. top: its own likeliest tokens. agrees: whether its likeliest is the run's likeliest too.
    """

    memory: Memory
    logprob: float
    top: tuple[tuple[str, float], ...]
    agrees: bool


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token. `text` is what it appends to the running text; `revision` is the one it was computed under.

    beside: what lesser memories say of it; empty where that was not measured.
    """

    index: int
    id: int
    text: str
    logprob: float
    revision: int
    seconds: float
    top: tuple[tuple[str, float], ...] = ()
    beside: tuple[Lane, ...] = ()

    def lane(self, memory: Memory) -> Lane | None:
        """What a memory beside the run says of it; None where that was not measured."""
        return next((lane for lane in self.beside if lane.memory == memory), None)

    @property
    def gain(self) -> float | None:
        """What the run's memory did to it: log-probability with it minus without, in nats; None where that was not measured."""
        without = self.lane("none")
        return None if without is None else self.logprob - without.logprob

    @property
    def decided(self) -> bool | None:
        """Whether the likeliest token is another one without the memory; None where that was not measured."""
        without = self.lane("none")
        return None if without is None else not without.agrees


@dataclass(frozen=True, slots=True)
class Run:
    """A finished generation."""

    prompt: str
    key: str
    memory: Memory
    route: Route | None
    text: str
    tokens: tuple[Token, ...]
    seconds: float
    tokens_per_second: float
    revision: int
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Neuron:
    """A memory neuron and the tokens that its value row promotes most (projected); empty where that does not stand out from chance."""

    cluster: ClusterId
    layer: int
    index: int
    activation: float
    promotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """log p of an answer under memories added level by level, and apart without each block (causal).

    steps: ("none", log p), ("1/3", log p with level 1), ("2/17", log p with levels 1 and 2), …: the differences sum to the gain.
    without: {cluster: log p(T) with the whole route but this block}, without_subtree: the same without it and all below it.
    baseline: what stands in an ablated block's place ("zero").
    against / margin_*: where a second answer was given, the same for log p(T) − log p(U) is in `against_*`.
    """

    text: str
    token_logprobs: tuple[float, ...]
    none: float
    generic: float | None
    fetched: float
    steps: tuple[tuple[str, float], ...]
    without: dict[ClusterId, float]
    without_subtree: dict[ClusterId, float]
    baseline: str = "zero"
    against: str | None = None
    against_fetched: float | None = None
    against_without: dict[ClusterId, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """The record of one run over the prompt's tokens (reference path).

    token: the number of the generated token that is explained; None where it is an answer to the prompt.
    tokens: the pieces (T of them) of the prompt and of what was generated before that token.
    layers: anchor layer indices that carry memory (L).
    contribution: float32 [L, levels, T], direct logit attribution of each block's output at each token to the answer's first token
        against its runner-up (projected).
    norm: float32 [L, levels, T], norm of each block's output relative to the anchor's own MLP output there (observed). NaN = not measured.
    effect: {cluster: log p(answer) − log p(answer without the block)} in nats (causal); answer is `answer.text`.
    """

    prompt: str
    tokens: tuple[str, ...]
    route: Route
    layers: tuple[int, ...]
    contribution: Floats
    norm: Floats
    effect: dict[ClusterId, float]
    neurons: tuple[Neuron, ...]
    answer: Answer
    runner_up: str
    revision: int
    token: int | None = None
