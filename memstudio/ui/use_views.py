"""What crosses between the window and the worker about how prompts use the blocks: the question, the counts, what the study keeps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memstudio.session.used import Counted, Mask, Use
from memstudio.ui.shades import Floats, Shades

USE, SHARE, EFFECTS, TOTAL = "Use", "Share", "Mean effect", "Total effect"


@dataclass(frozen=True, slots=True)
class UseAsk:
    """Count a set of prompts; file None: those of the bank's facts. number: tells one count from the next."""

    number: int
    file: Path | None = None
    effects: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class UseSaid:
    """What was counted so far."""

    number: int
    counted: Counted


@dataclass(frozen=True, slots=True)
class UseRested:
    """A count is over, whichever way; line: why it was refused, "" where it was not."""

    number: int
    line: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class UseKept:
    """What the study keeps, of single runs alone where `runs`; held: the blocks that the bank holds, bool [clusters] a level."""

    kept: tuple[Counted, ...]
    held: tuple[Mask, ...]
    runs: bool = False


UseMessage = UseSaid | UseRested | UseKept


def use_shades(use: Use, present: tuple[Mask, ...]) -> Shades:
    """How many prompts fetched each cluster; present: those that there are. Colours go by the logarithm: leaves are fetched seldom."""
    counts = tuple(_there(each.astype(np.float32), here) for each, here in zip(use.fetched, present, strict=True))
    return Shades(USE, f"of {use.prompts:,} prompts fetched it", "observed", counts, logarithmic=True)


def share_shades(use: Use, present: tuple[Mask, ...]) -> Shades:
    """The share of the prompts that fetched each cluster."""
    shares = tuple(_there(each, here) for each, here in zip(use.share(), present, strict=True))
    return Shades(SHARE, f"share of {use.prompts:,} prompts that fetched it", "observed", shares, logarithmic=True)


def effect_shades(use: Use) -> Shades:
    """The mean effect of each block over the prompts on which it was measured."""
    what = f"log-probability of the answer with the block minus without it, mean over the prompts that fetch it, {use.measured:,} in all"
    return Shades(EFFECTS, what, "causal", use.mean_effect(), signed=True)


def total_shades(use: Use) -> Shades:
    """The same, summed over the prompts."""
    sums = tuple(_there(each.astype(np.float32), counts > 0) for each, counts in zip(use.effect_sum, use.effects, strict=True))
    return Shades(
        TOTAL, f"log-probability of the answers with the block minus without it, summed over {use.measured:,} prompts", "causal", sums, True
    )


def _there(values: Floats, here: Mask) -> Floats:
    return np.where(here, values, np.float32(np.nan)).astype(np.float32)
