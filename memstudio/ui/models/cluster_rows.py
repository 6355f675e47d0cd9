"""Every cluster of a bank as one row of numpy arrays: what the table filters and sorts, seventy thousand rows at a stroke."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId
from memstudio.ui.models.places import Places
from memstudio.ui.selection import Mask
from memstudio.ui.shades import Floats
from memstudio.ui.snapshots import Indices, LevelView

StateFilter = Literal["any", "changed", "pruned", "hidden", "muted"]
_ID = re.compile(r"(?:(\d{1,3})/)?(\d{0,9})")


@dataclass(frozen=True)
class ClusterRows:
    """The clusters with documents, coarsest first, then by index. A place is a number in 0 … count−1; all arrays are int64 [count]."""

    levels: tuple[LevelView, ...] = ()

    @cached_property
    def _present(self) -> tuple[Indices, ...]:
        return Places(self.levels).present

    @cached_property
    def level(self) -> Indices:
        return self._joined([np.full(each.size, at, np.int64) for at, each in enumerate(self._present, 1)])

    @cached_property
    def index(self) -> Indices:
        return self._joined(self._present)

    @cached_property
    def documents(self) -> Indices:
        return self._joined([level.documents[each] for level, each in zip(self.levels, self._present, strict=True)])

    @cached_property
    def block_bytes(self) -> Indices:
        return self._joined([np.full(p.size, level.block_bytes, np.int64) for level, p in zip(self.levels, self._present, strict=True)])

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first place of each level."""
        return tuple(np.cumsum([0, *(each.size for each in self._present)]).tolist())

    @property
    def count(self) -> int:
        return self.starts[-1]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Clusters a level, the absent ones too."""
        return tuple(level.clusters for level in self.levels)

    def cluster(self, place: int) -> ClusterId:
        return ClusterId(int(self.level[place]), int(self.index[place]))

    def place(self, cluster: ClusterId) -> int | None:
        """The place of one cluster; None where it is absent or of another bank."""
        if not 1 <= cluster.level <= len(self._present):
            return None
        present = self._present[cluster.level - 1]
        row = int(np.searchsorted(present, cluster.index))
        return self.starts[cluster.level - 1] + row if row < present.size and present[row] == cluster.index else None

    def places(self, clusters: Iterable[ClusterId]) -> Indices:
        """The places of clusters, int64 [n]; those that are absent or of another bank are left out."""
        asked = np.fromiter(chain.from_iterable(clusters), np.int64).reshape(-1, 2)
        found: list[Indices] = []
        for at, present in enumerate(self._present, 1):
            here = asked[asked[:, 0] == at, 1]
            row = np.searchsorted(present, here)
            inside = row < present.size
            row, here = row[inside], here[inside]
            found.append(self.starts[at - 1] + row[present[row] == here])
        return self._joined(found)

    def flat(self, values: Sequence[Floats]) -> Floats:
        """A measure float32 [clusters] a level → float32 [count]."""
        found = [each[present] for each, present in zip(values, self._present, strict=True)]
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def flags(self, masks: Sequence[Mask]) -> Mask:
        """bool [clusters] a level → bool [count]."""
        found = [each[present] for each, present in zip(masks, self._present, strict=True)]
        return np.concatenate(found) if found else np.zeros(0, bool)

    def mark(self, masks: Sequence[Mask], places: Indices) -> None:
        """Set the clusters at these places in bool [clusters] a level."""
        levels, indices = self.level[places], self.index[places]
        for at, mask in enumerate(masks, 1):
            mask[indices[levels == at]] = True

    def named(self, text: str) -> Mask:
        """bool [count]: ids that a text names: "3/13" and "13" what begins so ("3/13", "3/130" …), "3/" a level. None for other texts."""
        match = _ID.fullmatch(text.strip())
        if match is None or not text.strip():
            return np.zeros(self.count, bool)
        level, digits = match[1], match[2]
        named: Mask = np.ones(self.count, bool) if not digits else _begins(self.index, digits)
        return named & (self.level == int(level)) if level else named

    def _joined(self, parts: Sequence[Indices]) -> Indices:
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def is_id(text: str) -> bool:
    """Whether a text is an id of a cluster, or the beginning of one."""
    return bool(text.strip()) and _ID.fullmatch(text.strip()) is not None


def _begins(numbers: Indices, digits: str) -> Mask:
    """Which numbers, written out, begin with these digits."""
    if len(digits) > 1 and digits[0] == "0":
        return np.zeros(numbers.shape, bool)
    low, high = int(digits), int(digits) + 1
    found: Mask = numbers == low
    largest = int(numbers.max()) if numbers.size else 0
    while 0 < low <= largest:
        low, high = low * 10, high * 10
        found |= (numbers >= low) & (numbers < high)
    return found


def ordered(shown: Indices, key: NDArray[np.int64] | NDArray[np.float64] | None, descending: bool) -> Indices:
    """Places sorted by a key [count], equal ones in the order of their ids and NaN last either way; None sorts by id."""
    if key is None:
        return shown[::-1] if descending else shown
    here = key[shown]
    return shown[np.argsort(-here if descending else here, kind="stable")]
