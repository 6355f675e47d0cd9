"""How many bytes a cache of blocks must have to be of use. Imports no torch, so that a budget is refused before anything is loaded."""

from memstudio.bank.bank import Bank
from memstudio.bank.files import ITEM_BYTES
from memstudio.bank.rows import STORED
from memstudio.errors import UserError

ANCHOR_DTYPES = ("float32", "bfloat16", "float16")


def route_bytes(bank: Bank, dtype: str) -> int:
    """Bytes of the blocks of one route, one a level, in the anchor's dtype.

    Raises:
        UserError: none of `ANCHOR_DTYPES`.
    """
    if dtype not in ANCHOR_DTYPES:
        raise UserError(f"--dtype {dtype}: choose one of {', '.join(ANCHOR_DTYPES)}")
    return sum(layout.n for layout in bank.layouts) * ITEM_BYTES[STORED[dtype]]


def check_budget(bank: Bank, dtype: str, cache_bytes: int | None) -> None:
    """Refuse a budget that does not hold one route: with it every run would fetch again what the last one evicted.

    cache_bytes: 0 for no cache, None for as many as there is room for.

    Raises:
        UserError: it holds less.
    """
    if not cache_bytes:
        return
    route = route_bytes(bank, dtype)
    if cache_bytes < route:
        raise UserError(
            f"{bank.folder}: a cache of {cache_bytes / 1e6:.1f} MB, and the blocks of one route take {route / 1e6:.1f} MB in {dtype}: "
            "give it at least that, or 0 for none"
        )
