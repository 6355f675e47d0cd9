"""Putting another block in a cluster's place: of another cluster, of another bank on the same anchor, or out of a patch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from memstudio.bank.values import BlockState, Change, ClusterId
from memstudio.editing.plan import Draft
from memstudio.editing.standing import changes_nothing, standing
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.editing.desk import Desk

Found = tuple["Tensor", float, tuple[str, ...]]
"""A row [n], the factor that goes with it, and lines for a person."""


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
        """The cluster with the other block: the same numbers and factor, rounded where this bank's dtype is another one.

        Raises:
            UserError: no such cluster or block, another anchor, another shape, numbers that are not finite, the same block already.
        """
        desk.bank.tree.check(self.cluster)
        if not desk.bank.layouts[self.cluster.level - 1].n:
            raise UserError(f"cluster {self.cluster}: level {self.cluster.level} carries no blocks (width 0)")
        if self.bank and self.patch:
            raise UserError("swap: the block comes from another bank or from a patch, not from both")
        row, scale, notes = self._patched(desk) if self.patch else self._of_bank(desk) if self.bank else self._here(desk)
        try:
            kept = desk.keep(self.cluster, row)
        except UserError as error:
            raise UserError(f"{self.title}: {error}") from None
        change = Change(self.cluster, desk.state(self.cluster), BlockState(kept.source, scale))
        if changes_nothing(desk, change):
            raise UserError(f"{self.title}: that block stands there already")
        return Draft((change,), desk.tensors, notes)

    def _here(self, desk: Desk) -> Found:
        """The block of `source` as it stands."""
        _same_shape(desk.bank, self.cluster, desk.bank, self.source)
        return *standing(desk, self.source), ()

    def _of_bank(self, desk: Desk) -> Found:
        """The block of `source` as another bank ships it."""
        from memstudio.bank.bank import open_bank

        other = open_bank(_folder(self.bank))
        mine, theirs = (bank.manifest.anchor.sha256 for bank in (desk.bank, other))
        if mine != theirs:
            raise UserError(f"{self.bank}: was made for another anchor ({theirs:.12}…, here {mine:.12}…); its blocks mean nothing here")
        _same_shape(desk.bank, self.cluster, other, self.source)
        note = f"taken from {other.dtype} to {desk.bank.dtype}".replace("torch.", "")
        return other.block(self.source), 1.0, (note,) if other.dtype != desk.bank.dtype else ()

    def _patched(self, desk: Desk) -> Found:
        """The block that a patch leaves at `source`."""
        from memstudio.export.patch import read_patch

        patch = read_patch(_folder(self.patch), desk.bank)
        state = next((change.after for change in patch.changes if change.cluster == self.source), None)
        if state is None or state.pruned:
            named = ", ".join(str(change.cluster) for change in patch.changes if not change.after.pruned)
            raise UserError(f"{self.patch}: leaves no block at {self.source}; those that it leaves: {named or 'none':.80}")
        _same_shape(desk.bank, self.cluster, desk.bank, self.source)
        return patch.tensors[state.source] if state.source in patch.tensors else desk.bank.block(self.source), state.scale, ()


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
