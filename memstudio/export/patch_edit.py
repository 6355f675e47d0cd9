"""Applying a patch as an edit like any other, so that plan, preview, receipt, gate and undo come with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memstudio.bank.values import BASE, ClusterId
from memstudio.editing.plan import Draft
from memstudio.errors import UserError
from memstudio.export.patch import Patch
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk


@dataclass(frozen=True, slots=True)
class ApplyPatch:
    """Bring the blocks of a patch in; it was read and checked by `read_patch` against the bank of the desk."""

    verb: ClassVar[str] = "apply"
    clusters: ClassVar[tuple[ClusterId, ...]] = ()
    facts: ClassVar[tuple[Fact, ...]] = ()
    patch: Patch

    @property
    def title(self) -> str:
        """One line for the log."""
        return f"apply {self.patch.name}"

    def draft(self, desk: Desk) -> Draft:
        """The patch's changes.

        Raises:
            UserError: blocks do not stand as they did where the patch was made.
        """
        misfits = self.patch.misfits(desk.overlay)
        if misfits:
            first = misfits[0]
            more = f" and {len(misfits) - 1} more" if len(misfits) > 1 else ""
            stands = desk.overlay.get(first.cluster, BASE)
            raise UserError(
                f"{self.title}: was made where the block {first.cluster} is {first.before!s:.20}, here it is {stands!s:.20}{more}: "
                f"go to a revision where it fits"
            )
        return Draft(self.patch.changes, self.patch.tensors, figures={"titles": list(self.patch.titles)})
