"""What a run wants in its slots, what of it is silenced, and what that comes to after edits and fallback.

Reads no weights, so it imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memstudio.bank.overlay import ResolvedKey, resolved_key
from memstudio.bank.values import ClusterId, Memory, Overlay

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run wants in its slots: the blocks of `clusters`, or every level's generic block, or nothing.

    levels: only the first so many levels (None: all).
    """

    memory: Memory
    clusters: tuple[ClusterId, ...] = ()
    levels: int | None = None

    def at(self, level: int) -> ClusterId | None:
        """The cluster wanted at a level; None where nothing is."""
        if self.memory != "fetched" or (self.levels is not None and level > self.levels) or level > len(self.clusters):
            return None
        return self.clusters[level - 1]

    def generic_at(self, level: int) -> bool:
        """Whether the generic block is wanted at a level."""
        return self.memory == "generic" and (self.levels is None or level <= self.levels)


NOTHING = Wish("none")


@dataclass(frozen=True, slots=True)
class RunTime:
    """What is tried on runs without a revision; it goes with the session.

    hidden: subtrees that the retriever passes over. muted: blocks that are fetched and not added. solo: where any is named, only
    these blocks are added. pinned: the path that is fetched in place of the retriever's, None where it is free.
    Muted and solo mean chosen clusters, so that what stands in for a pruned one is silenced with it; generic memory has none.
    """

    hidden: frozenset[ClusterId] = frozenset()
    muted: frozenset[ClusterId] = frozenset()
    solo: frozenset[ClusterId] = frozenset()
    pinned: tuple[ClusterId, ...] | None = None

    def silenced(self, wish: Wish) -> frozenset[int]:
        """The levels whose block is fetched and not added."""
        wanted = {level: wish.at(level) for level in range(1, len(wish.clusters) + 1)}
        return frozenset(level for level, cluster in wanted.items() if cluster is not None and self._silences(cluster))

    def _silences(self, cluster: ClusterId) -> bool:
        return cluster in self.muted or (bool(self.solo) and cluster not in self.solo)


def identity(bank: Bank, wish: Wish, level: int, overlay: Overlay) -> ResolvedKey | None:
    """What would lie in a slot; equal identities are bit-identical blocks. None = nothing."""
    cluster = wish.at(level)
    if cluster is not None:
        found = resolved_key(bank, overlay, cluster)
        return None if found.kind == "zero" else found
    if wish.generic_at(level) and bank.has_generic(level):
        return ResolvedKey("generic", ClusterId(level, bank.tree.count(level)), "base", 1.0)
    return None


def identities(bank: Bank, wish: Wish, overlay: Overlay) -> tuple[ResolvedKey | None, ...]:
    """`identity` of every level, level 1 first."""
    return tuple(identity(bank, wish, level, overlay) for level in range(1, bank.tree.depth + 1))
