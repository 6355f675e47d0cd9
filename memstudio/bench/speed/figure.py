"""A measured figure beside its peer, and the limit that it was asked to hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from memstudio.jobs import Job

Kind = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Limit:
    """What a ratio was asked to be: at least, or at most, a number."""

    word: Literal["at least", "at most"]
    value: float

    def held(self, ratio: float) -> bool:
        """Whether a ratio is within it."""
        return ratio >= self.value if self.word == "at least" else ratio <= self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """A quantity of ours and of a named peer, medians of `rounds` in which each went first in turn, and their ratio.

    what: words for the quantity, its unit in `unit`. ratio: ours over the peer's where more is better (tokens a second) or where the peer
    is a floor (seconds of a copy); the peer's over ours where it says how many times faster we are. detail: other numbers of the run, by
    name (JSON values).
    """

    what: str
    unit: str
    ours: float
    against: str
    peer: float | None
    ratio: float | None
    limit: Limit | None
    rounds: int
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool | None:
        """Whether the limit holds; None where there is none, or nothing to compare."""
        return None if self.limit is None or self.ratio is None else self.limit.held(self.ratio)

    def json(self) -> dict[str, Any]:
        """Its numbers, with their names."""
        limit = None if self.limit is None else {"word": self.limit.word, "value": self.limit.value}
        plain = {name: getattr(self, name) for name in ("what", "unit", "ours", "against", "peer", "ratio", "rounds", "detail")}
        return {**plain, "limit": limit, "held": self.held}


Run = Callable[[str, Job], list[Figure]]
"""A measure: of a device ("cpu", "cuda") and a job whose progress it reports, its figures."""
