"""How one block lies in its row: torch is not imported here, so that opening a bank stays light."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Layout:
    """The shape of a level's blocks: `hidden_size` d, and one width r for each anchor layer that carries memory.

    A row holds, layer after layer: gate [r, d], up [r, d], down [r, d], memory neuron first.
    """

    hidden_size: int
    widths: tuple[int, ...]

    @property
    def vectors(self) -> int:
        """Memory vectors of a block: 3 · Σ r, each of `hidden_size` numbers."""
        return 3 * sum(self.widths)

    @property
    def n(self) -> int:
        """Numbers in a row."""
        return self.vectors * self.hidden_size

    def split(self, row: "Tensor") -> "list[tuple[Tensor, Tensor, Tensor]]":
        """Views (gate [r, d], up [r, d], down [r, d]) of a row [n], one triple a layer. Writing to a view writes to the row.

        Several rows [rows, n] give views [rows, r, d].

        Raises:
            ValueError: the row is not [n].
        """
        if row.dim() not in (1, 2) or row.shape[-1] != self.n:
            raise ValueError(f"a row of this level holds [{self.n}] numbers, not {list(row.shape)}")
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        # one operation: of slices the gradient of each would be a whole row
        layers = row.split_with_sizes([3 * r * self.hidden_size for r in self.widths], -1)
        for r, layer in zip(self.widths, layers, strict=True):
            gate, up, down = layer.view(*row.shape[:-1], 3, r, self.hidden_size).unbind(-3)
            parts.append((gate, up, down))
        return parts

    def pairs(self, row: "Tensor") -> "list[tuple[Tensor, Tensor]]":
        """Views (gate over up [2r, d], down [r, d]) of a row [n], one pair a layer: `split`, with what lies side by side as one.

        Raises:
            ValueError: the row is not [n].
        """
        if tuple(row.shape) != (self.n,):
            raise ValueError(f"a row of this level holds [{self.n}] numbers, not {list(row.shape)}")
        vectors, pairs, at = row.view(self.vectors, self.hidden_size), [], 0
        for r in self.widths:
            pairs.append((vectors[at : at + 2 * r], vectors[at + 2 * r : at + 3 * r]))
            at += 3 * r
        return pairs
