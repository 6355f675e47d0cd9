"""What crosses between the worker and the window about an export: how to rank, the order that it gives, what was written. All frozen."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memstudio.bank.values import ClusterId, Fallback
from memstudio.export.plan import ExportPlan, Kept
from memstudio.export.rank import RankBy
from memstudio.session.exported import Exported
from memstudio.ui.shades import Shades

MEASURE = "Export"
"""The name of the colour measure."""
RANKINGS: tuple[tuple[RankBy, str, str], ...] = (
    ("use", "Use", "How many of the bank's own prompts fetch a block (counted)"),
    ("effect", "Effect", "What a block adds to the log-probability of its prompts' answers (causal); takes longest"),
    ("documents", "Documents", "How many documents a block was trained on (stored)"),
    ("norm", "Norm", "How large a block's numbers are (observed)"),
    ("random", "Random", "A draw, to compare with"),
)
FALLBACKS: tuple[tuple[Fallback, str, str], ...] = (
    ("zero", "Nothing", "A dropped block adds nothing"),
    ("generic", "Generic", "The generic block of the level stands in"),
    ("sibling", "Sibling", "The nearest sibling that is kept stands in"),
)
BY_PROMPTS = ("use", "effect")


@dataclass(frozen=True, slots=True)
class OrderWish:
    """How to rank: by what, and the subtrees to keep and to drop."""

    rank_by: RankBy
    keep: tuple[ClusterId, ...] = ()
    drop: tuple[ClusterId, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class OrderFound:
    """The order of a wish. other_bytes: what the folder holds beside block rows."""

    number: int
    wish: OrderWish
    plan: ExportPlan
    other_bytes: int


@dataclass(frozen=True, eq=False, slots=True)
class ExportWish:
    """Where to, how much, and what stands in for what is dropped."""

    out: Path
    plan: ExportPlan
    order: OrderWish
    budget_bytes: int
    fallback: Fallback
    check: bool


@dataclass(frozen=True, slots=True)
class ExportDone:
    """The bank is there."""

    number: int
    exported: Exported


@dataclass(frozen=True, slots=True)
class ExportRefused:
    """A person's line that answers one turn of the dialog."""

    number: int
    line: str


@dataclass(frozen=True, slots=True)
class ExportRested:
    """An errand of the dialog is over, whichever way."""

    number: int


ExportMessage = OrderFound | ExportDone | ExportRefused | ExportRested


def export_shades(plan: ExportPlan, kept: Kept, sizes: tuple[int, ...]) -> Shades:
    """1 where a block is kept, 0 where it would be dropped, nothing where none stands. sizes: clusters a level."""
    values = tuple(np.full(size, np.nan, np.float32) for size in sizes)
    for level, each in enumerate(values, 1):
        each[plan.stands[level - 1]] = 0.0
        each[kept.levels[level - 1]] = 1.0
    return Shades(MEASURE, "1 where the block is kept, 0 where it is dropped", "stored", values)
