"""Which blocks a smaller bank keeps, and how precisely: an order in which a growing budget takes them, closed under ancestors.

What a budget keeps, every larger one keeps, at least as precisely. The generic rows are always kept and always counted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import BASE, ClusterId, Overlay, Precision
from memstudio.errors import UserError
from memstudio.export.order import best_steps
from memstudio.export.precision import PRECISIONS, Choice, Losses, added, block_bytes, generic_bytes, offered
from memstudio.export.rank import Ranking

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Codes = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Kept:
    """What a budget keeps. levels: int64 [blocks] a level, ascending; whole: how many blocks stand there; bytes: generic rows counted.

    precisions: int8 [blocks] a level, places in PRECISIONS; generic: that of the generic rows; steps: how many steps of the plan this is.
    """

    levels: tuple[Indices, ...]
    whole: tuple[int, ...]
    bytes: int
    precisions: tuple[Codes, ...]
    generic: Precision
    steps: int

    @property
    def count(self) -> int:
        """How many blocks are kept."""
        return sum(map(len, self.levels))

    @property
    def dropped(self) -> int:
        """How many blocks are not."""
        return sum(self.whole) - self.count

    def stored(self, level: int, precision: Precision) -> Indices:
        """The blocks of a level that are kept in a precision, ascending."""
        ids: Indices = self.levels[level - 1][self.precisions[level - 1] == PRECISIONS.index(precision)]
        return ids

    @property
    def counts(self) -> dict[Precision, int]:
        """How many blocks are kept in each precision; those in none are left out."""
        found = {each: sum(len(self.stored(level, each)) for level in range(1, len(self.levels) + 1)) for each in PRECISIONS}
        return {each: count for each, count in found.items() if count}


@dataclass(frozen=True, eq=False)
class ExportPlan:
    """Steps in the order in which a growing budget takes them, each a block in some precision: every prefix is closed under ancestors.

    A block comes in one step; where the choice of precision is "mixed", once in each precision that is better than before.

    levels, indices: int64 [steps]; codes: int8 [steps], places in PRECISIONS; bytes: int64 [steps] that each step adds; scores: float64
    [steps] of the blocks, NaN where a plan file gives none. first: so many steps at the start were asked for and are always kept.
    generic_bytes: the generic rows. stands: see `standing`. bank_bytes: all block rows of the bank as shipped, which a share of the bank
    is a share of.
    """

    bank_name: str
    bank_digest: str
    revision: int
    rank_by: str
    levels: Indices
    indices: Indices
    bytes: Indices
    scores: NDArray[np.float64]
    codes: Codes
    precision: Choice
    stands: tuple[Mask, ...]
    generic_bytes: int
    bank_bytes: int
    least_bytes: int
    first: int = 0
    listed: bool = False
    """A plan file lists the blocks: all are wanted where no budget is given."""

    @cached_property
    def reach(self) -> Indices:
        """Bytes int64 [steps + 1] of the first so many steps, generic rows counted; ascending."""
        return np.concatenate([[0], np.cumsum(self.bytes)]).astype(np.int64) + self.generic_bytes

    @cached_property
    def whole(self) -> tuple[int, ...]:
        """How many blocks stand, a level."""
        return tuple(int(mask.sum()) for mask in self.stands)

    @property
    def generic(self) -> Precision:
        """What the generic rows are kept in: the coarsest that any block is."""
        return PRECISIONS[int(self.codes.min())]

    @property
    def asked_bytes(self) -> int:
        """Bytes of the blocks that were asked for, generic rows counted."""
        return int(self.reach[self.first])

    def share(self, share: float) -> int:
        """The budget in bytes that is a share (0 … 1) of the bank."""
        return int(share * self.bank_bytes)

    def kept(self, budget_bytes: int | None = None) -> Kept:
        """The blocks that fit a budget, the first of the order; None: those that were asked for, all where none was.

        Raises:
            UserError: the budget is below one route, or below what was asked for; there is none to share out among precisions.
        """
        if budget_bytes is None and self.first and self.precision == "mixed":
            raise UserError("--precision mixed: shares a budget out among the blocks, and none is given: name one, or one precision")
        if budget_bytes is None:
            return self.first_of(self.first or len(self.levels))
        if budget_bytes < self.least_bytes:
            raise UserError(f"budget {budget_bytes:,} bytes: one route of {self.bank_name!r} takes {self.least_bytes:,}: allow more")
        if budget_bytes < self.asked_bytes:
            raise UserError(f"budget {budget_bytes:,} bytes: the blocks to keep take {self.asked_bytes:,}: allow more, or keep fewer")
        return self.first_of(int(np.searchsorted(self.reach, budget_bytes, side="right")) - 1)

    def first_of(self, count: int) -> Kept:
        """What the first so many steps keep."""
        finest = [np.full(len(mask), -1, np.int8) for mask in self.stands]
        for level, here in enumerate(finest, 1):
            chosen = self.levels[:count] == level
            np.maximum.at(here, self.indices[:count][chosen], self.codes[:count][chosen])
        kept = tuple(np.flatnonzero(here >= 0) for here in finest)
        codes = tuple(here[ids] for here, ids in zip(finest, kept, strict=True))
        return Kept(kept, self.whole, int(self.reach[count]), codes, self.generic, count)


def standing(bank: Bank, overlay: Overlay) -> tuple[Mask, ...]:
    """bool [clusters] a level: whether a block of the cluster's own stands there under an overlay."""
    masks = tuple(bank.held(level) for level in range(1, bank.tree.depth + 1))
    for cluster, state in overlay.items():
        mask = masks[cluster.level - 1]
        mask[cluster.index] = not state.pruned and (state.source != BASE.source or mask[cluster.index])
    return masks


def plan_export(
    bank: Bank,
    overlay: Overlay,
    ranking: Ranking,
    *,
    revision: int = 0,
    keep: Collection[ClusterId] = (),
    drop: Collection[ClusterId] = (),
    precision: Choice = "bank",
    losses: Losses | None = None,
) -> ExportPlan:
    """The order of a ranking: the best score a byte first, an ancestor always before what lies below it.

    keep: subtrees that come first, with the blocks above them. drop: subtrees that are left out, but for what a kept block needs above
    it. Where a cluster lies in several, the deepest decides. precision: what blocks are kept in; mixed: what is worth most a byte, a block
    being worth its score × (1 − the loss of its precision), and what is to be kept in the coarsest one at least. losses: none unless given.

    Raises:
        UserError: a cluster does not exist, or is to be kept and dropped; nothing is left.
    """
    named = {**{bank.tree.check(cluster): True for cluster in keep}, **{bank.tree.check(cluster): False for cluster in drop}}
    if both := set(keep) & set(drop):
        raise UserError(f"cluster {min(both)}: is to be kept and dropped: choose one")
    stands = standing(bank, overlay)
    first, left = _asked(bank, named)
    first = tuple(mask & here for mask, here in zip(first, stands, strict=True))
    rest = tuple(here & ~mask & ~out for here, mask, out in zip(stands, first, left, strict=True))
    precisions = offered(bank, precision)
    whole = [block_bytes(bank, each) for each in precisions]
    sizes = [list(whole[0]), *([now - before for before, now in zip(*pair, strict=True)] for pair in pairwise(whole))]
    worth = added(ranking.scores, precisions, losses or {})
    parts = [
        best_steps(bank.tree.branching, first, worth[:1], sizes[:1]),
        best_steps(bank.tree.branching, rest, worth, sizes, first if len(precisions) > 1 else None),
    ]
    levels, indices, steps = (np.concatenate([part[at] for part in parts]) for at in (0, 1, 2))
    if not len(levels):
        raise UserError(f"{bank.name}: no block is left to keep: drop less")
    scores = np.array([ranking.scores[level - 1][index] for level, index in zip(levels.tolist(), indices.tolist(), strict=True)])
    codes = np.array([PRECISIONS.index(each) for each in precisions], np.int8)[steps]
    return made_plan(bank, stands, ranking.title, revision, levels, indices, scores, codes, precision, len(parts[0][0]))


def made_plan(
    bank: Bank,
    stands: Sequence[Mask],
    rank_by: str,
    revision: int,
    levels: Indices,
    indices: Indices,
    scores: NDArray[np.float64],
    codes: Codes,
    precision: Choice,
    first: int = 0,
    listed: bool = False,
) -> ExportPlan:
    """The plan of an order that was worked out or read; stands: see `standing`; codes: of a block ascending."""
    whole = [block_bytes(bank, each) for each in PRECISIONS]
    entry = [np.zeros(len(mask), np.int64) for mask in stands]
    taken = [np.zeros(len(mask), np.int64) for mask in stands]
    bytes_ = np.zeros(len(levels), np.int64)
    for at, (level, index, code) in enumerate(zip(levels.tolist(), indices.tolist(), codes.tolist(), strict=True)):
        now, before = int(whole[code][level - 1][index]), int(taken[level - 1][index])
        if not before:
            entry[level - 1][index] = now
        bytes_[at], taken[level - 1][index] = now - before, now
    generic = generic_bytes(bank, PRECISIONS[int(codes.min())])
    shipped = cast(int, bank.info()["bank_bytes"])
    least = generic + _shortest(bank, entry)
    order = (levels, indices, bytes_, scores, codes, precision)
    return ExportPlan(bank.name, bank.digest, revision, rank_by, *order, tuple(stands), generic, shipped, least, first, listed)


def _asked(bank: Bank, named: dict[ClusterId, bool]) -> tuple[tuple[Mask, ...], tuple[Mask, ...]]:
    """Masks a level: kept by name or needed above such a block, and dropped by name."""
    word = [np.zeros(bank.tree.count(level), np.int8) for level in range(1, bank.tree.depth + 1)]
    for level, here in enumerate(word, 1):
        if level > 1:
            here[:] = np.repeat(word[level - 2], bank.tree.branching[level - 1])
        for cluster, keep in named.items():
            if cluster.level == level:
                here[cluster.index] = 1 if keep else -1
    first = [here > 0 for here in word]
    for level in range(bank.tree.depth, 1, -1):
        first[level - 2] |= first[level - 1].reshape(-1, bank.tree.branching[level - 1]).any(1)
    return tuple(first), tuple(here < 0 for here in word)


def _shortest(bank: Bank, entry: Sequence[Indices]) -> int:
    """Bytes of the cheapest whole route of those that the plan can keep. entry: bytes of each block's first step, 0 where it has none."""
    above = np.zeros(1, np.int64)
    ends: list[int] = []
    for level, sizes in enumerate(entry, 1):
        above = np.repeat(above, bank.tree.branching[level - 1]) + sizes
        here = above[bank.tree.ends(level)]
        ends += [int(here[here > 0].min())] if (here > 0).any() else []
    return min(ends, default=0)
