"""What stands at a cluster before an edit of its numbers: the row and the factor apart, so that nothing is rounded on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memstudio.bank.overlay import resolve
from memstudio.bank.values import Change, ClusterId
from memstudio.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.editing.desk import Desk


def standing(desk: Desk, cluster: ClusterId) -> tuple[Tensor, float]:
    """The row [n] that stands at a cluster in the bank's dtype, and its factor.

    Raises:
        UserError: no such cluster, or nothing of its own stands there (pruned, or a level of width 0).
    """
    found = resolve(desk.bank, desk.overlay, cluster, desk.blob)
    if found.row is None or found.cluster != cluster:
        raise UserError(f"cluster {cluster}: has no block now; restore it first, or choose another")
    wanted = desk.bank.layouts[cluster.level - 1].n
    if tuple(found.row.shape) != (wanted,):  # a study is untrusted, and names blobs for any cluster
        raise UserError(f"cluster {cluster}: the study's blob has shape {list(found.row.shape)}, a block here is [{wanted}]")
    return found.row, found.scale


def changes_nothing(desk: Desk, change: Change) -> bool:
    """Whether the block after a change is, bit for bit, the one that stands there: its numbers, and what its factor makes of them."""
    from memstudio.bank.block import block_digest
    from memstudio.editing.reach import has_own_block

    if change.before == change.after:
        return True
    if change.after.pruned or not has_own_block(desk.bank, desk.overlay, change.cluster):
        return False
    row, scale = standing(desk, change.cluster)
    return scale == change.after.scale and block_digest(row) == change.after.source
