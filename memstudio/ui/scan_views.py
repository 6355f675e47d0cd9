"""What crosses between the window and the worker about a scan: the question, what was found so far, how it ended."""

from dataclasses import dataclass

import numpy as np

from memstudio.session.scanned import Scan
from memstudio.ui.shades import Shades


@dataclass(frozen=True, slots=True)
class ScanAsk:
    """Where is this fact? answer "": what the prompt's own route answers. number: tells one scan from the next."""

    number: int
    text: str
    answer: str = ""
    key: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class ScanSaid:
    """What was scanned so far; `over` with the last of it."""

    number: int
    scan: Scan
    over: bool = False


@dataclass(frozen=True, slots=True)
class ScanRested:
    """A scan is over, whichever way; line: why it was refused, "" where it was not."""

    number: int
    line: str = ""


ScanMessage = ScanSaid | ScanRested


def scan_shades(scan: Scan) -> Shades:
    """Probability of the answer, as every view of the bank colours it."""
    with np.errstate(invalid="ignore"):
        values = tuple(np.exp(each) for each in scan.values)
    return Shades(f"p(“{scan.answer}”)", "probability of the answer on the path; above a leaf the best path below", "causal", values)
