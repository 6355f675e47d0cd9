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
class Token:
    """One generated token. `text` is what it appends to the running text; `revision` is the one it was computed under."""

    index: int
    id: int
    text: str
    logprob: float
    revision: int
    seconds: float
    top: tuple[tuple[str, float], ...] = ()


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

    tokens: the prompt's pieces (T of them). layers: anchor layer indices that carry memory (L).
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
