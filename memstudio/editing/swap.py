"""Putting another block in a cluster's place: of another cluster, of another bank on the same anchor, or out of a patch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from memstudio.bank.values import Change, ClusterId
from memstudio.editing.plan import Draft
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.editing.desk import Desk


@dataclass(frozen=True, slots=True)
class Swap:
    """Put the block of `source` at `cluster`: as it stands in this study, as shipped in another `bank`, or as a `patch` leaves it.

    bank, patch: folders; at most one of the two.
    """

    verb: ClassVar[str] = "swap"
    facts: ClassVar[tuple[Fact, ...]] = ()
    cluster: ClusterId
    source: ClusterId
    bank: str = ""
    patch: str = ""

    @property
    def clusters(self) -> tuple[ClusterId, ...]:
        """The cluster that gets another block."""
        return (self.cluster,)

    @property
    def title(self) -> str:
        """One line for the log."""
        origin = f" of {self.bank or self.patch}" if self.bank or self.patch else ""
        return f"swap {self.cluster} for {self.source}{origin:.200}"

    def draft(self, desk: Desk) -> Draft:
        """The cluster with the other block, rounded to this bank's dtype.

        Raises:
            UserError: no such cluster or block, another anchor, another shape, numbers that are not finite.
        """
        desk.bank.tree.check(self.cluster)
        if not desk.bank.layouts[self.cluster.level - 1].n:
            raise UserError(f"cluster {self.cluster}: level {self.cluster.level} carries no blocks (width 0)")
        row, notes = self._row(desk)
        wanted = desk.bank.layouts[self.cluster.level - 1]
        if row.shape[0] != wanted.n:
            raise UserError(f"{self.title}: the block has {row.shape[0]} numbers, one at level {self.cluster.level} has {wanted.n}")
        change = Change(self.cluster, desk.state(self.cluster), desk.keep(self.cluster, row))
        if change.before == change.after:
            raise UserError(f"{self.title}: that block stands there already")
        return Draft((change,), desk.tensors, notes)

    def _row(self, desk: Desk) -> tuple[Tensor, tuple[str, ...]]:
        if self.bank and self.patch:
            raise UserError("swap: the block comes from another bank or from a patch, not from both")
        if self.patch:
            return self._patched(desk), ()
        if not self.bank:
            _same_shape(desk.bank, self.cluster, desk.bank, self.source)
            return desk.row(self.source), ()
        from memstudio.bank.bank import open_bank

        other = open_bank(_folder(self.bank))
        if other.manifest.anchor.sha256 != desk.bank.manifest.anchor.sha256:
            digest = other.manifest.anchor.sha256[:12]
            raise UserError(f"{self.bank}: was made for another anchor ({digest}…); its blocks mean nothing here")
        _same_shape(desk.bank, self.cluster, other, self.source)
        notes = (f"rounded from {other.manifest.dtype} to {desk.bank.manifest.dtype}",) if other.dtype != desk.bank.dtype else ()
        return other.block(self.source), notes


    def _patched(self, desk: Desk) -> Tensor:
        """The block that a patch leaves at `source`."""
        from memstudio.export.patch import read_patch

        patch = read_patch(_folder(self.patch), desk.bank)
        state = next((change.after for change in patch.changes if change.cluster == self.source), None)
        if state is None or state.pruned:
            named = ", ".join(str(change.cluster) for change in patch.changes[:8])
            raise UserError(f"{self.patch}: leaves no block at {self.source}; it changes {named}")
        _same_shape(desk.bank, self.cluster, desk.bank, self.source)
        row = (patch.tensors[state.source] if state.source in patch.tensors else desk.bank.block(self.source)).clone()
        if state.scale != 1.0:
            for _, _, down in desk.bank.layouts[self.source.level - 1].split(row):
                down.mul_(state.scale)
        return row


def _same_shape(bank: Bank, cluster: ClusterId, other: Bank, source: ClusterId) -> None:
    other.tree.check(source)
    here, there = bank.layouts[cluster.level - 1], other.layouts[source.level - 1]
    if (here, bank.manifest.layers) != (there, other.manifest.layers):
        shapes = f"{_shape(there.widths, other)} for {_shape(here.widths, bank)}"
        raise UserError(f"swap {cluster} for {source}: blocks of another shape, {shapes}; choose one of the same shape")


def _shape(widths: tuple[int, ...], bank: Bank) -> str:
    layers = "/".join(map(str, bank.manifest.layers))
    return f"widths {'/'.join(map(str, widths))} on layers {layers}, hidden size {bank.manifest.hidden_size}"


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.exists():
        raise UserError(f"{text}: no such folder; name a bank folder or a patch")
    return folder
