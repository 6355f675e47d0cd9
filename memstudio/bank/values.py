"""The nouns of a bank, frozen and free of tensors, so that every floor above can speak them."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from memstudio.errors import UserError

Fallback = Literal["zero", "generic", "sibling"]
Memory = Literal["fetched", "generic", "none"]
Precision = Literal["int4", "int8", "bank"]
"""What a block is stored in: the bank's own dtype, or integer codes of fewer bits."""

THIN_MARGIN = 0.02
"""A margin under this share of the distance is thin. Of the other wordings of the demo's facts, 31 % part ways where the margin is thin
and 1.5 % elsewhere; 15 % of all margins are thin (tests/demo/test_thin_margins.py, over every fact)."""

_CLUSTER = re.compile(r"([1-9]\d{0,2})/(\d{1,9})")


class ClusterId(NamedTuple):
    """A node of the tree: `level` 1 is the coarsest, `index` counts within the level of the full tree."""

    level: int
    index: int  # type: ignore[assignment]  # shadows tuple.index, which nobody asks of a cluster

    def __str__(self) -> str:
        return f"{self.level}/{self.index}"


def parse_cluster(text: str) -> ClusterId:
    """Read "3/1339".

    Raises:
        UserError: the text is not LEVEL/INDEX.
    """
    match = _CLUSTER.fullmatch(text.strip())
    if match is None:
        raise UserError(f"cluster {text!r}: write LEVEL/INDEX, for example 3/1339")
    return ClusterId(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class Route:
    """The clusters chosen for a key, coarsest first; may be shorter than the tree is deep.

    distances: L2 distance of the key to each chosen centroid.
    runners_up: the next nearest siblings of each level, nearest first.
    margins: distance of the first runner-up minus that of the chosen; None where the chosen had no sibling.
    """

    clusters: tuple[ClusterId, ...]
    distances: tuple[float, ...]
    runners_up: tuple[tuple[ClusterId, ...], ...]
    margins: tuple[float | None, ...]

    @property
    def thin(self) -> tuple[bool, ...]:
        """Whether the margin of each level is so thin that another wording may go elsewhere."""
        return tuple(
            margin is not None and margin < THIN_MARGIN * distance for margin, distance in zip(self.margins, self.distances, strict=True)
        )


@dataclass(frozen=True, slots=True)
class BlockState:
    """What stands in a cluster's place: the block as shipped, nothing (the fallback applies), or a blob; times a scale.

    source: "base", "pruned", or the sha256 (hex) of the blob that replaces it.
    """

    source: str = "base"
    scale: float = 1.0

    @property
    def pruned(self) -> bool:
        return self.source == "pruned"

    def __str__(self) -> str:
        return self.source if self.scale == 1.0 else f"{self.source} × {self.scale:g}"


BASE = BlockState()
PRUNED = BlockState("pruned")


@dataclass(frozen=True, slots=True)
class Change:
    """One block before and after an edit."""

    cluster: ClusterId
    before: BlockState
    after: BlockState


Overlay = dict[ClusterId, BlockState]
"""The states that differ from BASE at some revision."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A document near a cluster's centroid."""

    document: str
    text: str


@dataclass(frozen=True, slots=True)
class ClusterCard:
    """What clusters.sqlite says of one cluster. `documents` counts what its block was trained on."""

    cluster: ClusterId
    label: str
    terms: tuple[str, ...]
    documents: int
    exemplars: tuple[Exemplar, ...]
