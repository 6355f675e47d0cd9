"""The precisions that a smaller bank may keep its blocks in, what they take, and what they lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import Precision
from memstudio.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank

Choice = Literal["bank", "int8", "int4", "mixed"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
PRECISIONS: tuple[Precision, ...] = ("int4", "int8", "bank")
"""Coarsest first; a code of a precision is its place here."""
BITS: dict[Precision, int] = {"int4": 4, "int8": 8}
Losses = Mapping[Precision, Sequence[float]]
"""The share (0 … 1) of a block's worth that a precision loses, a level; the bank's own loses none."""


def offered(bank: Bank, choice: Choice) -> tuple[Precision, ...]:
    """The precisions that blocks may be kept in, coarsest first.

    Raises:
        UserError: the bank's blocks are stored in several dtypes, or as coarsely already; or fewer bits save nothing.
    """
    if choice == "bank":
        return ("bank",)
    manifest = bank.manifest
    if manifest.coarser:
        raise UserError(
            f"--precision {choice}: {bank.name!r} keeps its blocks in several dtypes already: export from its parent, or as it is"
        )
    below = {"int4": (), "int8": ("int4",)}.get(manifest.dtype, ("int4", "int8"))
    found: tuple[Precision, ...] = tuple(each for each in PRECISIONS if each in (*below, "bank") and choice in ("mixed", each))
    if not found or found == ("bank",):
        raise UserError(f"--precision {choice}: {bank.name!r} is stored as {manifest.dtype}: nothing is won; leave it out")
    for level in range(1, bank.tree.depth + 1):
        sizes = [manifest.row_bytes(level, dtype_of(each)) for each in PRECISIONS if each in (*found, "bank") and manifest.layout(level).n]
        if any(one >= other for one, other in pairwise(sizes)):
            raise UserError(f"--precision {choice}: rows of {manifest.hidden_size} numbers save nothing with their scales: leave it out")
    return found


def choices(bank: Bank) -> tuple[Choice, ...]:
    """The choices of precision that there are for a bank; "bank" always is."""

    def there(choice: Choice) -> bool:
        try:
            return bool(offered(bank, choice))
        except UserError:
            return False

    return tuple(choice for choice in CHOICES if there(choice))


def dtype_of(precision: Precision) -> Literal["int8", "int4"] | None:
    """The dtype of a precision; None for the bank's own."""
    return None if precision == "bank" else precision


def block_bytes(bank: Bank, precision: Precision) -> tuple[NDArray[np.int64], ...]:
    """int64 [clusters] a level: what each block takes in a precision, its scales counted."""
    depth = range(1, bank.tree.depth + 1)
    if precision == "bank":
        return tuple(bank.block_bytes(level) for level in depth)
    return tuple(np.full(bank.tree.count(level), bank.manifest.row_bytes(level, precision), np.int64) for level in depth)


def generic_bytes(bank: Bank, precision: Precision) -> int:
    """What the generic rows take."""
    depth = range(1, bank.tree.depth + 1)
    if precision == "bank":
        return sum(bank.generic_bytes(level) for level in depth)
    return sum(bank.manifest.row_bytes(level, precision) for level in depth if bank.has_generic(level))


def added(worth: Sequence[NDArray[np.float64]], precisions: Sequence[Precision], losses: Losses) -> list[list[NDArray[np.float64]]]:
    """What each step of a block adds to its worth, step after step, then level after level: worth × (1 − loss), less what was there."""
    none = (0.0,) * len(worth)
    lost = [(1.0,) * len(worth), *(losses.get(each, none) for each in precisions)]
    return [[scores * (a - b) for scores, a, b in zip(worth, before, now, strict=True)] for before, now in pairwise(lost)]


def coded(row: Tensor, hidden_size: int, precision: Precision) -> Tensor:
    """A row [n] as it comes back from a precision; float32 but for the bank's own."""
    from memstudio.bank.block import dequantise, quantise

    if precision == "bank":
        return row
    codes, scales = quantise(row.unsqueeze(0), hidden_size, BITS[precision])
    return dequantise(codes[0], scales[0], hidden_size, BITS[precision])
