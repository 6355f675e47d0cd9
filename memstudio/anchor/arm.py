"""One arm of a run: a bank's blocks in slots of its own on an anchor that any number of arms share.

A second arm costs one block set, never a second anchor: an A/B, the preview of an edit and its receipt all run on one.
"""

from collections.abc import Callable

from torch import Tensor

from memstudio.anchor.attach import Attached
from memstudio.anchor.load import DTYPES, Anchor
from memstudio.anchor.slots import Slots
from memstudio.anchor.wish import NOTHING, RunTime, Wish, identity
from memstudio.bank.bank import Bank
from memstudio.bank.overlay import ResolvedKey, resolve
from memstudio.bank.values import Overlay
from memstudio.errors import UserError

Blob = Callable[[str], Tensor]


class Arm:
    """Slots of a bank on an anchor, and what lies in them."""

    def __init__(self, bank: Bank, anchor: Anchor) -> None:
        """
        Raises:
            UserError: the bank was not made for this anchor.
        """
        self.bank = bank
        self.attached = Attached(
            anchor, Slots(bank.layouts, anchor.device, DTYPES[anchor.dtype]), bank.manifest.layers, bank.manifest.activation
        )
        self.wish = NOTHING
        self._runtime = RunTime()

    @property
    def anchor(self) -> Anchor:
        return self.attached.anchor

    def fetch(self, wish: Wish, overlay: Overlay, blob: Blob) -> None:
        """Put what `wish` wants under `overlay` into the slots; a slot that holds it already is left alone.

        Raises:
            UserError: a cluster that does not exist, a blob that is missing or of another shape.
        """
        self.wish = wish
        slots = self.attached.slots
        for level in range(1, slots.levels + 1):
            wanted = self.identity(wish, level, overlay)
            if wanted == slots.identity[level - 1]:
                continue
            row, scale = self._row(wish, level, overlay, blob)
            slots.fill(level, row, scale, wanted)
        self.attached.muted = self._runtime.silenced(wish)

    def identity(self, wish: Wish, level: int, overlay: Overlay) -> ResolvedKey | None:
        """What would lie in a slot, without reading a weight; equal identities are bit-identical blocks. None = nothing."""
        return identity(self.bank, wish, level, overlay)

    def follow(self, runtime: RunTime) -> None:
        """Silence the blocks that `runtime` silences, from now on."""
        self._runtime = runtime
        self.attached.muted = runtime.silenced(self.wish)

    def row(self, wish: Wish, level: int, overlay: Overlay, blob: Blob) -> Tensor | None:
        """The block [n] that a fetch would put into a slot, in the anchor's dtype and on its device, its scale counted in; None = nothing.

        Raises:
            UserError: as `fetch`.
        """
        row, scale = self._row(wish, level, overlay, blob)
        if row is None or not row.numel():
            return None
        own = row.to(device=self.anchor.device, dtype=DTYPES[self.anchor.dtype])
        if scale != 1.0:
            own = own.clone()
            for _, _, down in self.bank.layouts[level - 1].split(own):
                down.mul_(scale)
        return own

    def _row(self, wish: Wish, level: int, overlay: Overlay, blob: Blob) -> tuple[Tensor | None, float]:
        cluster = wish.at(level)
        if cluster is None:
            return (self.bank.generic(level) if wish.generic_at(level) and self.bank.has_generic(level) else None), 1.0
        found = resolve(self.bank, overlay, cluster, blob)
        wanted = self.bank.layouts[level - 1].n
        if found.row is not None and tuple(found.row.shape) != (wanted,):  # a study is untrusted, and names blobs for any cluster
            raise UserError(f"cluster {found.cluster}: the study's blob has shape {list(found.row.shape)}, a block here is [{wanted}]")
        return found.row, found.scale
