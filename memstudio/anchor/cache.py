"""Blocks that are kept on a device because to fetch them again costs more: least recently used goes first, within a budget of bytes."""

from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor

from memstudio.bank.values import ClusterId

Key = tuple[ClusterId, str]
"""Whose block it is and where its numbers come from: "base", or the sha256 of a blob. Neither ever stands for other numbers."""


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """As counted. blocks, bytes: held now, of budget_bytes; hits, misses: of what was asked for; evicted: blocks that made room."""

    blocks: int
    bytes: int
    budget_bytes: int
    hits: int
    misses: int
    evicted: int


class BlockCache:
    """Rows [n] by what they are. Nobody may write to a row that was put in or given out.

    A row that is evicted while somebody still reads it lives until they let go of it: its memory is not written over.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._rows: OrderedDict[Key, Tensor] = OrderedDict()
        self._bytes = self._hits = self._misses = self._evicted = 0

    def get(self, key: Key) -> Tensor | None:
        """The row, counted as a hit, or None, counted as a miss."""
        row = self._rows.get(key)
        if row is None:
            self._misses += 1
            return None
        self._hits += 1
        self._rows.move_to_end(key)
        return row

    def put(self, key: Key, row: Tensor) -> None:
        """Keep a row where the budget has room for it at all, in place of those that were not asked for longest."""
        self._drop(key)
        size = row.nbytes
        if size > self.budget_bytes:
            return
        while self._bytes + size > self.budget_bytes:
            self._drop(next(iter(self._rows)))
            self._evicted += 1
        self._rows[key] = row
        self._bytes += size

    def clear(self) -> None:
        """Let every row go; what was counted stays."""
        self._rows.clear()
        self._bytes = 0

    @property
    def figures(self) -> CacheFigures:
        """Counted up to now."""
        return CacheFigures(len(self._rows), self._bytes, self.budget_bytes, self._hits, self._misses, self._evicted)

    def _drop(self, key: Key) -> None:
        row = self._rows.pop(key, None)
        if row is not None:
            self._bytes -= row.nbytes
