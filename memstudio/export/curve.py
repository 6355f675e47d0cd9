"""What a smaller bank would still answer, against the bytes that it keeps: the figures of a curve, its frontier, and its file.

No model is needed here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import Fallback
from memstudio.export.precision import Choice
from memstudio.export.rank import RankBy
from memstudio.facts.statistics import Mean, Paired, Proportion, mean_of, paired, proportion
from memstudio.facts.values import Kind

COLUMNS = (
    "rank_by", "precision", "fallback", "share", "budget_bytes", "bytes", "blocks", "recall", "recall_low", "recall_high", "right", "asked",
    "logprob", "logprob_low", "logprob_high",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a curve: what blocks are ranked by, the precision that they are kept in, and what stands in for a dropped one."""

    rank_by: RankBy | Literal["whole"]
    precision: Choice
    fallback: Fallback

    def __str__(self) -> str:
        return ", ".join([self.rank_by, *(() if self.precision == "bank" else (self.precision,)), f"else {self.fallback}"])


@dataclass(frozen=True, eq=False, slots=True)
class CurvePoint:
    """What one budget keeps and still answers.

    share: of the bank's bytes that was asked for (0 … 1); bytes: block rows that are kept, generic ones counted; right: bool [prompts]
    and logprobs: float64 [prompts], the natural log-probability of each expected answer; both in the order of the curve's prompts.
    """

    series: Series
    share: float
    budget_bytes: int
    bytes: int
    blocks: int
    right: NDArray[np.bool_]
    logprobs: NDArray[np.float64]

    @property
    def recall(self) -> Proportion:
        """The share of prompts that are answered right."""
        return proportion(self.right.tolist())

    @property
    def logprob(self) -> Mean:
        """The mean log-probability of the expected answers."""
        return mean_of(self.logprobs.tolist())


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """Points of every series, a series after another, bytes ascending in each.

    ranked_on, scored_on: facts (or probes, by kind), none in both. whole: the bank as it stands, nothing dropped. bank_bytes: all its block
    rows as shipped.
    runs: prompts that were really run; apart: those that scoring every point by itself runs. seconds: of these runs; rank_seconds: of
    ranking; apart_seconds: of scoring every point by itself, None where that was not done.
    """

    bank_name: str
    bank_digest: str
    revision: int
    seed: int
    ranked_on: int
    scored_on: int
    bank_bytes: int
    whole: CurvePoint
    points: tuple[CurvePoint, ...]
    runs: int
    apart: int
    seconds: float
    rank_seconds: float
    apart_seconds: float | None
    kind: Kind = "specific"

    @property
    def noun(self) -> str:
        """What the prompts are of: facts, or the probes that stand in for them."""
        return "probes" if self.kind == "probe" else "facts"

    def of(self, series: Series) -> tuple[CurvePoint, ...]:
        """The points of one series."""
        return tuple(point for point in self.points if point.series == series)

    @property
    def series(self) -> tuple[Series, ...]:
        """The series in their order."""
        return tuple(dict.fromkeys(point.series for point in self.points))

    def frontier(self) -> tuple[CurvePoint, ...]:
        """The points that no other beats: fewest bytes first, each answers more prompts than all before it. By log-probability where
        as many are answered for as many bytes."""
        order = sorted(self.points, key=lambda point: (point.bytes, -int(point.right.sum()), -float(point.logprobs.sum())))
        found: list[CurvePoint] = []
        for point in order:
            if not found or point.right.sum() > found[-1].right.sum():
                found.append(point)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class ReadOff:
    """What a curve says of a budget, on the straight lines between its points and their intervals: shares from 0 to 1, bytes kept.

    between: the shares of the bank that the two points were budgets of; twice the same where the budget is a point's own.
    """

    bytes: int
    share: float
    low: float
    high: float
    between: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.share:.1%} ({self.low:.1%} to {self.high:.1%})"


def read_off(points: Sequence[CurvePoint], budget_bytes: int) -> ReadOff | None:
    """What a budget would keep and answer by the points of one series, budgets ascending; None where they say nothing of it: below the
    first, beyond the last, or nothing was asked."""
    after = next((at for at, point in enumerate(points) if point.budget_bytes >= budget_bytes), None)
    if after is None or not points[after].recall.n or (after == 0 and points[0].budget_bytes > budget_bytes):
        return None
    right = points[after]
    left = right if right.budget_bytes == budget_bytes else points[after - 1]
    part = (budget_bytes - left.budget_bytes) / max(right.budget_bytes - left.budget_bytes, 1)
    ends = [(each.bytes, each.recall.share or 0.0, each.recall.low or 0.0, each.recall.high or 0.0) for each in (left, right)]
    size, share, low, high = (one + part * (other - one) for one, other in zip(*ends, strict=True))
    return ReadOff(round(size), share, low, high, (left.share, right.share))


def read_best(curve: Curve, budget_bytes: int) -> tuple[Series, ReadOff] | None:
    """The series that says most for a budget, and what it says; None where none says anything."""
    reads = [(series, read) for series in curve.series if (read := read_off(curve.of(series), budget_bytes)) is not None]
    return max(reads, key=lambda pair: pair[1].share, default=None)


def against(one: CurvePoint, other: CurvePoint) -> Paired:
    """Two points of one curve, prompt by prompt: from the one to the other."""
    return paired(zip(one.right.tolist(), other.right.tolist(), strict=True))


def gain(one: CurvePoint, other: CurvePoint) -> Mean:
    """The mean gain in log-probability (natural log) from the one to the other, prompt by prompt, with its interval."""
    return mean_of((other.logprobs - one.logprobs).tolist())


def duels(curve: Curve) -> list[tuple[CurvePoint, CurvePoint, Paired]]:
    """The points of the first series beside those of every other one, at the same budget."""
    if not curve.points:
        return []
    first = curve.points[0].series
    known = {point.share: point for point in curve.of(first)}
    return [
        (known[point.share], point, against(known[point.share], point))
        for point in curve.points
        if point.series != first and point.share in known
    ]


def curve_csv(curve: Curve) -> str:
    """A line a point, its figures in full; shares from 0 to 1, log-probabilities in nats. What was not measured is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(curve_rows(curve))
    return out.getvalue()


def curve_rows(curve: Curve) -> list[tuple[str, ...]]:
    """The points as texts, a text a column of `COLUMNS`; the whole bank last."""
    return [tuple(map(str, _row(point))) for point in (*curve.points, curve.whole)]


def _row(point: CurvePoint) -> Sequence[object]:
    recall, logprob = point.recall, point.logprob
    where = (
        point.series.rank_by,
        point.series.precision,
        point.series.fallback,
        point.share,
        point.budget_bytes,
        point.bytes,
        point.blocks,
    )
    figures = (recall.share, recall.low, recall.high, recall.k, recall.n, logprob.mean, logprob.low, logprob.high)
    return ["" if value is None else value for value in (*where, *figures)]
