"""What a scan found: an answer under every path of the tree. No model is needed here, so that a window can hold it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId, Route

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

LIKELY = 0.5
"""From this probability of an answer on a path is said to know it."""
_BETTER = 0.1
"""How much likelier (natural log) a path must make the answer to be said to answer better: a tenth, so that near ties are none."""


@dataclass(frozen=True, eq=False, slots=True)
class Scan:
    """An answer under the paths scanned so far (causal: each path's blocks are fetched and the answer is read after the prompt).

    values: float32 [clusters] a level, the answer's summed log-probability (natural log): of a route's last cluster under that route, of
    a cluster above it the best of those below; NaN where nothing was scanned. ends: the indices, a level, of the routes' last clusters.
    routed, none: the log-probability under the prompt's own route, and without memory. scanned of total: paths.
    """

    prompt: str
    answer: str
    route: Route
    routed: float
    none: float
    values: tuple[Floats, ...]
    ends: tuple[Indices, ...]
    scanned: int
    total: int
    revision: int
    seconds: float

    @property
    def own(self) -> ClusterId:
        """The last cluster of the prompt's own route."""
        return self.route.clusters[-1]

    def best(self, most: int | None = None) -> tuple[tuple[ClusterId, float], ...]:
        """The last clusters of the likeliest scanned routes (None: of all) and their log-probabilities, best first."""
        return self._above(-math.inf, most)

    def better(self) -> tuple[tuple[ClusterId, float], ...]:
        """As `best`, of the routes that answer better than the prompt's own: where there is one, the retriever failed the prompt."""
        return tuple(each for each in self._above(self.routed + _BETTER) if each[0] != self.own)

    def knowing(self) -> tuple[tuple[ClusterId, float], ...]:
        """As `best`, of the other routes that know the answer: its probability is over one half."""
        return tuple(each for each in self._above(math.log(LIKELY)) if each[0] != self.own)

    def _above(self, floor: float, most: int | None = None) -> tuple[tuple[ClusterId, float], ...]:
        levels = np.concatenate([np.full(len(own), level) for level, own in enumerate(self.ends, 1)])
        indices = np.concatenate(self.ends)
        found = np.concatenate([values[own] for values, own in zip(self.values, self.ends, strict=True)])
        chosen = np.flatnonzero(found > floor)
        chosen = chosen[np.argsort(-found[chosen], kind="stable")][:most]
        return tuple((ClusterId(int(levels[at]), int(indices[at])), float(found[at])) for at in chosen)
