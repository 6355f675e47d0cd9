"""Turning a block up or down: what it adds, times a factor. The factor is kept beside the block; its numbers stay as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memstudio.bank.values import BlockState, Change, ClusterId
from memstudio.editing.plan import Draft, title_of
from memstudio.editing.reach import has_own_block
from memstudio.editing.standing import standing
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk

LEAST, MOST = 0.0, 2.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Have the blocks of `clusters` add `factor` times what they hold, 0 to 2; 1 is the block itself, so factors do not pile up.

    subtree: all blocks below them too.
    """

    verb: ClassVar[str] = "scale"
    facts: ClassVar[tuple[Fact, ...]] = ()
    clusters: tuple[ClusterId, ...]
    factor: float
    subtree: bool = False

    @property
    def title(self) -> str:
        """One line for the log."""
        return f"{title_of(self.verb, self.clusters)} × {self.factor:g}" + (", all below too" if self.subtree else "")

    def draft(self, desk: Desk) -> Draft:
        """The blocks with their factor.

        Raises:
            UserError: a factor out of range or one that makes numbers infinite, a named cluster without a block, or nothing that would
                change.
        """
        if not (math.isfinite(self.factor) and LEAST <= self.factor <= MOST):
            raise UserError(f"scale {self.factor:g}: choose a factor from {LEAST:g} to {MOST:g}; 1 is the block itself")
        title = self.title
        reached: dict[ClusterId, None] = {}
        for cluster in desk.job.through(self.clusters):
            desk.bank.tree.check(cluster)
            if not has_own_block(desk.bank, desk.overlay, cluster):
                raise UserError(f"cluster {cluster}: has no block now; restore it first, or choose another")
            reached.update(dict.fromkeys(desk.bank.tree.subtree(cluster) if self.subtree else (cluster,)))
        changes = []
        for cluster in desk.job.through(sorted(reached)):
            before = desk.state(cluster)
            after = BlockState(before.source, self.factor)
            if before != after and has_own_block(desk.bank, desk.overlay, cluster):
                if self.factor > 1.0:
                    _check_finite(desk, cluster, self.factor)
                changes.append(Change(cluster, before, after))
        if not changes:
            raise UserError(f"{title}: every block there has that factor already")
        return Draft(tuple(changes))


def _check_finite(desk: Desk, cluster: ClusterId, factor: float) -> None:
    """A factor must not carry a block's numbers out of the bank's dtype: it could not be exported or given away then."""
    row, _ = standing(desk, cluster)
    if not bool((row * factor).isfinite().all()):
        raise UserError(f"cluster {cluster}: times {factor:g} its numbers are NaN or infinite in {desk.bank.dtype}: choose a lower factor")
