"""How sure a figure is: Wilson intervals for a share, the exact McNemar test for two that were counted on the same prompts, and the
interval of a mean."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_Z = 1.959963984540054
"""The 97.5% point of the standard normal distribution."""

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Proportion:
    """`k` of `n`, with its 95% Wilson score interval (Wilson 1927, JASA 22:209). With n = 0 nothing was measured: all three are None."""

    k: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n:
            raise ValueError(f"{self.k} of {self.n} is no proportion")

    @property
    def share(self) -> float | None:
        return self.k / self.n if self.n else None

    @property
    def low(self) -> float | None:
        """The interval's lower end; exactly 0 where k = 0."""
        if not self.n:
            return None
        return self._centre() - self._half() if self.k else 0.0

    @property
    def high(self) -> float | None:
        """The interval's upper end; exactly 1 where k = n."""
        if not self.n:
            return None
        return self._centre() + self._half() if self.k < self.n else 1.0

    def json(self) -> dict[str, int | float | None]:
        """{k, n, share, low, high}; the last three null where nothing was counted."""
        return {"k": self.k, "n": self.n, "share": self.share, "low": self.low, "high": self.high}

    def _centre(self) -> float:
        return (self.k + _Z * _Z / 2) / (self.n + _Z * _Z)

    def _half(self) -> float:
        return _Z / (self.n + _Z * _Z) * math.sqrt(self.k * (self.n - self.k) / self.n + _Z * _Z / 4)


def proportion(rights: Iterable[bool]) -> Proportion:
    """Count what is right."""
    k = n = 0
    for right in rights:
        n += 1
        k += right
    return Proportion(k, n)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of `n` figures, with its 95% interval by the central limit theorem: low and high None below two figures, mean below one."""

    n: int
    mean: float | None
    low: float | None
    high: float | None


def mean_of(figures: Sequence[float]) -> Mean:
    """The mean of figures; with two or more of them also where it lies 95 times in 100, which is rough for fewer than 30."""
    n = len(figures)
    if not n:
        return Mean(0, None, None, None)
    mean = math.fsum(figures) / n
    if n < 2:
        return Mean(n, mean, None, None)
    half = _Z * math.sqrt(math.fsum((figure - mean) ** 2 for figure in figures) / (n - 1) / n)
    return Mean(n, mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Paired:
    """The same prompts answered twice: wrong then right (`gained`), right then wrong (`lost`), and those that stayed."""

    gained: int
    lost: int
    kept_right: int
    kept_wrong: int

    @property
    def before(self) -> Proportion:
        return Proportion(self.lost + self.kept_right, self.n)

    @property
    def after(self) -> Proportion:
        return Proportion(self.gained + self.kept_right, self.n)

    @property
    def n(self) -> int:
        return self.gained + self.lost + self.kept_right + self.kept_wrong

    @property
    def p(self) -> float | None:
        """Two-sided p of the exact McNemar test (McNemar 1947; binomial with half on the discordant pairs, the smaller tail doubled,
        at most 1); None where no prompt was compared."""
        if not self.n:
            return None
        discordant = self.gained + self.lost
        whole = math.lgamma(discordant + 1) - discordant * math.log(2)
        tail = range(min(self.gained, self.lost) + 1)
        terms = (math.exp(whole - math.lgamma(i + 1) - math.lgamma(discordant - i + 1)) for i in tail)
        return min(1.0, 2 * math.fsum(terms))

    def json(self) -> dict[str, int | float | None]:
        """{gained, lost, kept_right, kept_wrong, p}."""
        return {"gained": self.gained, "lost": self.lost, "kept_right": self.kept_right, "kept_wrong": self.kept_wrong, "p": self.p}


def paired(pairs: Iterable[tuple[bool, bool]]) -> Paired:
    """Count pairs of (right before, right after)."""
    counts = {(False, True): 0, (True, False): 0, (True, True): 0, (False, False): 0}
    for before, after in pairs:
        counts[bool(before), bool(after)] += 1
    return Paired(counts[False, True], counts[True, False], counts[True, True], counts[False, False])
