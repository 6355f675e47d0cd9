"""What an edit works with while it is drafted: the bank as it stands, the routes of texts, and an arm to try things on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memstudio.bank.overlay import resolve
from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.facts.values import Fact
from memstudio.jobs import Job

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.anchor.arm import Arm
    from memstudio.bank.bank import Bank

Path = tuple[ClusterId, ...]


@dataclass
class Desk:
    """A bank under an overlay, for one draft. Writes nothing: the rows that an edit makes are kept in `tensors` until a commit.

    arm: gives a spare arm, loading the model where need be; blob: the tensor of a blob's sha256, those of `tensors` included.
    routes: the route of each text; facts: the bank's own facts.
    """

    bank: Bank
    overlay: Overlay
    arm: Callable[[], Arm]
    stored: Callable[[str], Tensor]
    routes: Callable[[Sequence[str]], list[Path]]
    facts: Callable[[], Sequence[Fact]]
    job: Job
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def state(self, cluster: ClusterId) -> BlockState:
        """What stands in a cluster's place."""
        return self.overlay.get(self.bank.tree.check(cluster), BASE)

    def row(self, cluster: ClusterId) -> Tensor:
        """The block that stands at a cluster: a new row [n] in the bank's dtype, its scale applied to the down projections.

        Raises:
            UserError: no such cluster, or nothing of its own stands there (pruned, or a level of width 0).
        """
        found = resolve(self.bank, self.overlay, cluster, self.blob)
        if found.row is None or found.cluster != cluster:
            raise UserError(f"cluster {cluster}: has no block now; restore it first, or choose another")
        layout = self.bank.layouts[cluster.level - 1]
        if tuple(found.row.shape) != (layout.n,):
            raise UserError(f"cluster {cluster}: the study's blob has shape {list(found.row.shape)}, a block here is [{layout.n}]")
        row = found.row.clone()
        if found.scale != 1.0:
            for _, _, down in layout.split(row):
                down.mul_(found.scale)
        return row

    def blob(self, sha256: str) -> Tensor:
        """An edited block's tensor, of this draft or of the study."""
        return self.tensors[sha256] if sha256 in self.tensors else self.stored(sha256)

    def keep(self, cluster: ClusterId, row: Tensor) -> BlockState:
        """Take a new row [n] for a cluster: rounded to the bank's dtype, which is what the digest, the slots and the receipt see.

        Raises:
            UserError: it has another shape, or holds NaN or infinite numbers once rounded.
        """
        from memstudio.bank.block import block_digest

        wanted = self.bank.layouts[cluster.level - 1].n
        if tuple(row.shape) != (wanted,):
            raise UserError(f"cluster {cluster}: takes a row of [{wanted}] numbers, not {list(row.shape)}")
        rounded = row.detach().cpu().to(self.bank.dtype).contiguous()
        broken = int((~rounded.isfinite()).sum())
        if broken:
            raise UserError(f"cluster {cluster}: {broken} of {wanted} numbers are NaN or infinite: the block was not changed")
        sha256 = block_digest(rounded)
        self.tensors[sha256] = rounded
        return BlockState(sha256)
