"""The blocks of all jobs as one bank's levels: read a row at a time from the job's folder that trained it, rounded as the bank will be."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from memstudio.bank.layout import Layout
from memstudio.bank.write import RowStream
from memstudio.builder.store import Store, StoredRows


class Merged:
    """One level, over the jobs that hold parts of it. Clusters that no job trained are zero: nothing routes to them."""

    def __init__(self, layout: Layout, level: int, clusters: int, stores: Sequence[Store], dtype: torch.dtype) -> None:
        self.layout, self.level, self.clusters, self.dtype = layout, level, clusters, dtype
        self._parts: list[StoredRows] = [part for store in stores for part in store.levels if part.level == level]

    def row(self, index: int) -> Tensor:
        """The block [n] of a cluster (the generic one by the number of clusters), in the bank's dtype."""
        for part in self._parts:
            if part.first <= index < part.first + part.count and part.steps[index - part.first]:
                return part.read(torch.tensor([index]))[0].to(self.dtype)
        return torch.zeros(self.layout.n, dtype=self.dtype)

    def read(self, which: Tensor) -> Tensor:
        """The blocks `which` [U] as float32 [U, n]."""
        return torch.stack([self.row(int(index)) for index in which]).float()

    def step(self, which: Tensor, values: Tensor, gradient: Tensor, lr: float) -> None:
        """Merged blocks are not trained any more."""
        raise NotImplementedError

    def stream(self) -> RowStream:
        """All rows for the writer, the generic one last."""

        def rows() -> Iterator[Tensor]:
            return (self.row(index) for index in range(self.clusters + 1))

        return RowStream(self.clusters + 1, rows)
