"""What the heat map draws, apart from how: panels make it before the library that draws is there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is drawn. values: float32 [levels shown, L, T]; bound: the colour scale runs 0…bound, or −bound…bound where `signed`."""

    values: NDArray[np.float32]
    levels: tuple[int, ...]
    layers: tuple[int, ...]
    tokens: tuple[str, ...]
    titles: tuple[str, ...]
    bound: float
    signed: bool
