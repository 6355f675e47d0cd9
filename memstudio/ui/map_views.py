"""What crosses between the window and the map's thread: the map, where the prompt's key lies on it, how the making ended."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memstudio.session.centroid_map import Map


@dataclass(frozen=True, eq=False, slots=True)
class MapFound:
    """The map of the bank of a turn; None: there is none yet. turn: tells one opened bank from the next."""

    turn: int
    map: Map | None


@dataclass(frozen=True, eq=False, slots=True)
class KeyRead:
    """The vector float32 [dim] that a question was routed by. ask: the question's number."""

    ask: int
    key: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class KeyPlaced:
    """Where the key of a question lies on the map (an estimate, see `place_key`)."""

    turn: int
    ask: int
    place: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MapRested:
    """The making of a map is over, whichever way."""

    turn: int


MapMessage = MapFound | KeyRead | KeyPlaced | MapRested
