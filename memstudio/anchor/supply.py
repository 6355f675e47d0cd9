"""The blocks of one bank on one device: out of the cache, or out of their files through the staging memory.

On the CPU the system keeps what was read of a file in memory already, and a row is read from there straight into its slot as quickly as
it is copied; a second copy would be waste. So only what costs more than a read is cached there: rows that are stored as codes, and a
study's blobs, whose digest is checked each time that they are read. On a card every row is cached.
"""

import os
from collections.abc import Callable

import torch
from torch import Tensor

from memstudio.anchor.budget import check_budget, route_bytes
from memstudio.anchor.cache import BlockCache, CacheFigures, Key
from memstudio.anchor.staging import Staging
from memstudio.bank.bank import Bank
from memstudio.bank.block import FLOAT_DTYPES
from memstudio.bank.values import BASE
from memstudio.errors import UserError

Blob = Callable[[str], Tensor]


class Supply:
    """Gives rows [n] of a bank, as shipped or as edited, in a dtype and on a device; scales of edits are not counted in."""

    def __init__(self, bank: Bank, device: str, dtype: str, cache_bytes: int | None = None) -> None:
        """cache_bytes: the cache's budget; 0: no cache; None: as `usual_budget`.

        Raises:
            UserError: a budget that does not hold one route.
        """
        check_budget(bank, dtype, cache_bytes)
        self.bank, self.device, self.dtype = bank, torch.device(device), FLOAT_DTYPES[dtype]
        self._cache = BlockCache(usual_budget(self.device, route_bytes(bank, dtype)) if cache_bytes is None else cache_bytes)
        self._staging = Staging(device)
        self._read_bytes = 0

    @property
    def cached(self) -> CacheFigures:
        """What the cache holds and did."""
        return self._cache.figures

    @property
    def staging_bytes(self) -> int:
        """Of host memory that rows pass through."""
        return self._staging.bytes

    @property
    def read_bytes(self) -> int:
        """Of rows that were read from the bank's files up to now."""
        return self._read_bytes

    def free(self) -> None:
        """Let cache and staging memory go."""
        self._cache.clear()
        self._staging.free()

    def put(self, key: Key, blob: Blob, into: Tensor) -> None:
        """Write a row into `into` [n].

        Raises:
            UserError: a file or blob that cannot be read or has another shape; `into` then holds anything.
        """
        if self._pays(key):
            into.copy_(self.row(key, blob))
        else:
            self._write(key, blob, into)

    def row(self, key: Key, blob: Blob) -> Tensor:
        """A row [n] on the device; nobody may write to it.

        Raises:
            UserError: as `put`.
        """
        pays = self._pays(key)
        if pays and (held := self._cache.get(key)) is not None:
            return held
        try:
            row = self._new(key, blob)
        except torch.OutOfMemoryError:
            self._cache.clear()  # what is kept for later gives way to what is wanted now
            row = self._new(key, blob)
        if pays:
            self._cache.put(key, row)
        return row

    def _pays(self, key: Key) -> bool:
        """Whether a row costs more to fetch again than to copy."""
        cluster, source = key
        if not self._cache.budget_bytes:
            return False
        return self.device.type != "cpu" or source != BASE.source or self.bank.stored(cluster).scales is not None

    def _new(self, key: Key, blob: Blob) -> Tensor:
        row = torch.empty(self.bank.layouts[key[0].level - 1].n, device=self.device, dtype=self.dtype)
        self._write(key, blob, row)
        return row

    def _write(self, key: Key, blob: Blob, into: Tensor) -> None:
        cluster, source = key
        if source == BASE.source:
            stored = self.bank.stored(cluster)
            self._staging.pour(stored, self.bank.manifest.hidden_size, into)
            self._read_bytes += stored.bytes
            return
        found = blob(source)
        if found.shape != into.shape:  # a study is untrusted, and names blobs for any cluster
            raise UserError(f"cluster {cluster}: the study's blob has shape {list(found.shape)}, a block here is {list(into.shape)}")
        into.copy_(found)


def usual_budget(device: torch.device, route: int) -> int:
    """Bytes of the cache where none are named: a quarter of what is free on a card; else two routes, so that two states of a bank can be
    compared, where the machine has eight times that. 0 where that does not hold one route."""
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0] // 4
        return free if free >= route else 0
    return 2 * route if 16 * route <= _physical_bytes() else 0


def _physical_bytes() -> int:
    if not hasattr(os, "sysconf"):  # Windows
        return 8 << 30
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
