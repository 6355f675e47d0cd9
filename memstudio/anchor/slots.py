"""Where fetched blocks lie: one preallocated storage a level, overwritten in place, so that a fetch never moves a pointer."""

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

from memstudio.bank.block import Layout


class Slots:
    """One slot a level (level 1 is the coarsest). An empty slot is skipped by the model, at no cost.

    identity: what lies in each slot, level 1 first; None = empty. Whatever the caller gave to `fill`.
    """

    def __init__(self, layouts: Sequence[Layout], device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self.layouts = tuple(layouts)
        self.identity: list[Hashable | None] = [None] * len(self.layouts)
        self._rows = [torch.zeros(layout.n, device=device, dtype=dtype) for layout in self.layouts]
        self._parts = [layout.split(row) for layout, row in zip(self.layouts, self._rows, strict=True)]
        self._pairs = [layout.pairs(row) for layout, row in zip(self.layouts, self._rows, strict=True)]

    @property
    def levels(self) -> int:
        return len(self.layouts)

    @property
    def bytes(self) -> int:
        """Bytes of the storage, filled or not."""
        return sum(row.numel() * row.element_size() for row in self._rows)

    def level_bytes(self, level: int) -> int:
        """Bytes of one level's slot."""
        row = self._rows[level - 1]
        return row.numel() * row.element_size()

    def fill(self, level: int, row: Tensor | None, scale: float = 1.0, identity: Hashable | None = None) -> None:
        """Overwrite the slot of `level` with a block's row [n] of any float dtype; None empties it.

        scale multiplies what the block adds (its down projections). identity defaults to True, "something".

        Raises:
            ValueError: the row is not [n] of this level.
        """
        if row is not None and self.layouts[level - 1].n and tuple(row.shape) != (self.layouts[level - 1].n,):
            raise ValueError(f"level {level} takes rows of [{self.layouts[level - 1].n}], not {list(row.shape)}")
        self.overwrite(level, None if row is None else lambda slot: slot.copy_(row), scale, identity)

    def overwrite(
        self, level: int, write: Callable[[Tensor], object] | None, scale: float = 1.0, identity: Hashable | None = None
    ) -> None:
        """As `fill`, the row [n] written into the slot by `write`; where that fails the slot is empty."""
        at = level - 1
        self.identity[at] = None  # a copy that fails half-way must not pass for a block
        if write is None or self.layouts[at].n == 0:
            return
        write(self._rows[at])
        if scale != 1.0:
            for _, _, down in self._parts[at]:
                down.mul_(scale)
        self.identity[at] = True if identity is None else identity

    def filled(self, level: int) -> bool:
        """Whether a block lies in the slot of `level`."""
        return self.identity[level - 1] is not None

    def parts(self, level: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Views (gate [r, d], up [r, d], down [r, d]) into the slot, one triple a layer that carries memory."""
        return self._parts[level - 1]

    def pairs(self, level: int) -> list[tuple[Tensor, Tensor]]:
        """The same views as `parts`, gate and up as one: ([2r, d], down [r, d])."""
        return self._pairs[level - 1]

    def clear(self) -> None:
        """Empty every slot."""
        self.identity = [None] * self.levels
