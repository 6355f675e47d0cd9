"""One arm of a run: a bank's blocks in slots of its own on an anchor that any number of arms share.

A second arm costs one block set, never a second anchor: an A/B, the preview of an edit and its receipt all run on one.
"""

from functools import partial

from torch import Tensor

from memstudio.anchor.attach import Attached
from memstudio.anchor.cache import Key
from memstudio.anchor.load import DTYPES, Anchor
from memstudio.anchor.slots import Slots
from memstudio.anchor.supply import Blob, Supply
from memstudio.anchor.wish import NOTHING, RunTime, Wish, identity
from memstudio.bank.bank import Bank
from memstudio.bank.overlay import ResolvedKey
from memstudio.bank.values import Overlay


class Arm:
    """Slots of a bank on an anchor, and what lies in them."""

    def __init__(self, bank: Bank, anchor: Anchor, supply: Supply | None = None) -> None:
        """supply: where its blocks come from; arms of one bank on one anchor share one. None: one of its own, without a cache.

        Raises:
            UserError: the bank was not made for this anchor.
        """
        self.bank = bank
        self.supply = supply or Supply(bank, anchor.device, anchor.dtype, 0)
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
        self.wish = NOTHING  # a fetch that fails half-way leaves nothing that an edit or an undo would have to fetch again
        slots = self.attached.slots
        for level in range(1, slots.levels + 1):
            wanted = self.identity(wish, level, overlay)
            if wanted == slots.identity[level - 1]:
                continue
            key = key_of(wanted)
            if wanted is None or key is None:
                slots.fill(level, None)
            else:
                slots.overwrite(level, partial(self.supply.put, key, blob), wanted.scale, wanted)
        self.wish = wish
        self.attached.muted = self._runtime.silenced(wish)

    def identity(self, wish: Wish, level: int, overlay: Overlay) -> ResolvedKey | None:
        """What would lie in a slot, without reading a weight; equal identities are bit-identical blocks. None = nothing."""
        return identity(self.bank, wish, level, overlay)

    def adds(self, wish: Wish, overlay: Overlay) -> tuple[ResolvedKey | None, ...]:
        """What every level would add, level 1 first: as `identity`, and nothing where it is silenced."""
        silenced = self._runtime.silenced(wish)
        levels = range(1, self.attached.slots.levels + 1)
        return tuple(None if level in silenced else self.identity(wish, level, overlay) for level in levels)

    def follow(self, runtime: RunTime) -> None:
        """Silence the blocks that `runtime` silences, from now on."""
        self._runtime = runtime
        self.attached.muted = runtime.silenced(self.wish)

    def row(self, wish: Wish, level: int, overlay: Overlay, blob: Blob) -> Tensor | None:
        """The block [n] that a fetch would put into a slot, in the anchor's dtype and on its device, its scale counted in; None = nothing.
        Nobody may write to it.

        Raises:
            UserError: as `fetch`.
        """
        wanted = self.identity(wish, level, overlay)
        key = key_of(wanted)
        if wanted is None or key is None or not self.bank.layouts[level - 1].n:
            return None
        own = self.supply.row(key, blob)
        if wanted.scale != 1.0:
            own = own.clone()
            for _, _, down in self.bank.layouts[level - 1].split(own):
                down.mul_(wanted.scale)
        return own


def key_of(identity: ResolvedKey | None) -> Key | None:
    """What the row of an identity is, its scale aside: siblings that stand in share their own row; None = nothing."""
    return None if identity is None or identity.cluster is None else (identity.cluster, identity.source)
