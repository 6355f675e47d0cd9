"""What crosses between the worker and the window about an export: how to rank, the order that it gives, what was written. All frozen."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memstudio.bank.values import ClusterId, Fallback
from memstudio.export.curve import Curve, Series
from memstudio.export.dense_card import DenseModel
from memstudio.export.plan import ExportPlan, Kept
from memstudio.export.precision import PRECISIONS, Choice
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
    ("zero", "Nothing: its level adds nothing", "A prompt whose block was dropped runs without a block on that level"),
    ("generic", "The generic block of its level", "A prompt whose block was dropped gets the block that was trained for all prompts"),
    ("sibling", "Its nearest sibling that is kept", "A prompt whose block was dropped gets that of the most similar cluster beside it"),
)
CHOICES: tuple[tuple[Choice, str, str], ...] = (
    ("bank", "numbers as they are", "Blocks keep the numbers that they have"),
    ("int8", "numbers in int8", "Numbers of 8 bits, with a scale for each memory neuron"),
    ("int4", "numbers in int4", "Numbers of 4 bits, with a scale for each memory neuron"),
    ("mixed", "mixed precision", "Each block in what is worth most for its bytes: as stored, in 8 bits, in 4 bits, or not at all"),
)
WHAT_BECOMES = ("dropped", "int4", "int8", "as stored")
"""What happens to a block, in the order of the colour measure: 0 … 3."""
BY_PROMPTS = ("use", "effect")


@dataclass(frozen=True, slots=True)
class OrderWish:
    """How to rank: by what, against what stands in for a dropped block, the subtrees to keep and to drop, and what blocks are kept in."""

    rank_by: RankBy
    fallback: Fallback
    keep: tuple[ClusterId, ...] = ()
    drop: tuple[ClusterId, ...] = ()
    precision: Choice = "bank"

    @property
    def subtrees(self) -> tuple[tuple[ClusterId, ...], tuple[ClusterId, ...]]:
        """Those to keep, and those to drop."""
        return self.keep, self.drop

    @property
    def series(self) -> Series:
        """The line of the curve that is meant."""
        return Series(self.rank_by, self.precision, self.fallback)


@dataclass(frozen=True, slots=True)
class CurveWish:
    """Whose curve. out: where an export would go, whose disk is asked how fast it is."""

    order: OrderWish
    out: Path

    @property
    def series(self) -> Series:
        """The line of the curve that is meant."""
        return self.order.series


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an export is here, an estimate: bytes a second that are written and read back, and seconds that asking its facts takes;
    None where that is not known."""

    bytes_a_second: float | None = None
    check_s: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Outlook:
    """What is known of a curve: the curve, else how many prompts of what it asks and the seconds that it would take, else why there is
    none."""

    number: int
    curve: Curve | None
    asked: int
    noun: str
    curve_s: float | None
    why: str
    pace: Pace


@dataclass(frozen=True, eq=False, slots=True)
class CurveFound:
    """A curve was measured."""

    number: int
    curve: Curve


@dataclass(frozen=True, eq=False, slots=True)
class OrderFound:
    """The order of a wish. other_bytes: what the folder holds beside block rows."""

    number: int
    wish: OrderWish
    plan: ExportPlan
    other_bytes: int


@dataclass(frozen=True, eq=False, slots=True)
class ExportWish:
    """Where to, and how much."""

    out: Path
    plan: ExportPlan
    order: OrderWish
    budget_bytes: int
    check: bool


@dataclass(frozen=True, slots=True)
class ExportDone:
    """The bank is there."""

    number: int
    exported: Exported


@dataclass(frozen=True, slots=True)
class DenseWish:
    """Which route is to be an ordinary model, and where to."""

    out: Path
    route: tuple[ClusterId, ...]


@dataclass(frozen=True, slots=True)
class DenseDone:
    """The model is there."""

    number: int
    model: DenseModel


@dataclass(frozen=True, slots=True)
class ExportRefused:
    """A person's line that answers one turn of a dialog."""

    number: int
    line: str


@dataclass(frozen=True, slots=True)
class ExportRested:
    """An errand of a dialog is over, whichever way."""

    number: int


ExportMessage = OrderFound | Outlook | CurveFound | ExportDone | DenseDone | ExportRefused | ExportRested


def export_shades(plan: ExportPlan, kept: Kept, sizes: tuple[int, ...]) -> Shades:
    """What becomes of each block, as its place in `WHAT_BECOMES`; NaN where none stands. sizes: clusters a level."""
    values = tuple(np.full(size, np.nan, np.float32) for size in sizes)
    for level, each in enumerate(values, 1):
        each[plan.stands[level - 1]] = 0.0
        each[kept.levels[level - 1]] = 1.0 + kept.precisions[level - 1]
    shown = {0, *(1 + PRECISIONS.index(precision) for precision in kept.counts)}
    words = tuple((float(at), word) for at, word in enumerate(WHAT_BECOMES) if at in shown)
    return Shades(MEASURE, "what becomes of the block", "stored", values, words=words)
