"""One measure over every cluster, as all views colour it: tree, table, icicle, map and heat map never disagree about a shade."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId
from memstudio.ui.scales import STEPS, Colours, diverging, sequential

Kind = Literal["observed", "projected", "causal", "counted", "stored"]
"""What sort of evidence it is: seen in a run, read off the weights, an intervention's outcome, counted over runs, kept in the bank."""
Floats = NDArray[np.float32]
LOGARITHM = 1000.0


@dataclass(frozen=True)
class Shades:
    """A measure of every cluster. values: float32 [clusters] a level, NaN where it was not measured (never 0); unit: as a legend says it,
    for example "Δ log-probability"; signed: the scale runs −bound … bound, otherwise 0 … bound; logarithmic: colours
    go by the logarithm, so that what is small beside the bound is told from 0; words: the names of the values, where they are kinds and
    no figures, least first."""

    title: str
    unit: str
    kind: Kind
    values: tuple[Floats, ...]
    signed: bool = False
    logarithmic: bool = False
    words: tuple[tuple[float, str], ...] = ()

    def at(self, cluster: ClusterId) -> float | None:
        """The measure of one cluster; None where it was not measured."""
        value = float(self.values[cluster.level - 1][cluster.index])
        return None if np.isnan(value) else value

    @cached_property
    def bound(self) -> float:
        """The largest magnitude that is finite; 1 where there is none, so that a scale can always be drawn."""
        largest = max((float(np.abs(found).max()) for each in self.values if (found := each[np.isfinite(each)]).size), default=0.0)
        return largest or 1.0

    @property
    def measured(self) -> int:
        """How many clusters have a figure."""
        return sum(int(np.isfinite(each).sum()) for each in self.values)

    def along(self, values: Floats | float) -> Floats:
        """Where values stand on the scale, 0 … 1, any shape; NaN as its lower end (0 where the scale has no sign)."""
        low = -self.bound if self.signed else 0.0
        unit = (np.clip(np.nan_to_num(values, nan=low), low, self.bound) - low) / (self.bound - low)
        found = np.log1p(unit * LOGARITHM) / np.log1p(LOGARITHM) if self.logarithmic else unit
        return np.asarray(found, np.float32)

    def steps(self, values: Floats) -> NDArray[np.int16]:
        """Places in a table of `STEPS` colours, any shape; −1 where nothing was measured. Infinities take the end of the scale."""
        places: NDArray[np.int16] = np.rint(self.along(values) * (STEPS - 1)).astype(np.int16)
        places[np.isnan(values)] = -1
        return places

    def table(self, dark: bool) -> Colours:
        """The colours of the scale, uint8 [STEPS, 3]."""
        return diverging(dark) if self.signed else sequential(dark)
