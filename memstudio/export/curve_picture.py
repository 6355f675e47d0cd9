"""A curve as a picture: recall against bytes kept, a line a series with its 95% intervals, the frontier behind them. SVG, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from memstudio.export.curve import Curve, CurvePoint, Series, read_best
from memstudio.export.svg import joined, legend, line, look_of, mark, picture
from memstudio.facts.statistics import Mean, Proportion

_WIDTH, _HEIGHT = 900, 540
_LEFT, _TOP, _WIDE, _HIGH = 70, 50, 560, 400
_LEGEND = _LEFT + _WIDE + 24


def curve_svg(curve: Curve, budget_bytes: int | None = None) -> str:
    """The picture of a curve.

    budget_bytes: one to mark, on the series that says most for it.
    """
    most = max(point.bytes for point in (*curve.points, curve.whole)) or 1

    def place(point: CurvePoint, share: float) -> tuple[float, float]:
        return _LEFT + point.bytes / most * _WIDE, _TOP + (1 - share) * _HIGH

    parts = _frame(curve, most)
    best = joined(place(point, _share(point.recall)) for point in curve.frontier())
    parts.append(
        f'<polyline class="best" points="{best}"><title>the frontier: no other point answers more for its bytes</title></polyline>'
    )
    for number, series in enumerate(curve.series):
        colour, dash = look_of(number)
        points = curve.of(series)
        parts.append(line((place(point, _share(point.recall)) for point in points), number))
        for point in points:
            at, recall = place(point, _share(point.recall)), point.recall
            low, high = place(point, recall.low or 0.0)[1], place(point, recall.high or 0.0)[1]
            parts.append(f'<line x1="{at[0]:.1f}" x2="{at[0]:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}" opacity=".6"/>')
            parts.append(mark(at, number, _words(series, point)))
        parts += legend(_LEGEND, _TOP + 10 + 22 * number, str(series), colour, dash)
    parts += legend(_LEGEND, _TOP + 10 + 22 * len(curve.series), "frontier: most for the bytes", "#999", "", 9)
    if budget_bytes is not None:
        parts += _chosen(curve, budget_bytes, most)
    return picture(f"Recall of {curve.bank_name} against bytes kept", _WIDTH, _HEIGHT, parts)


def _frame(curve: Curve, most: int) -> list[str]:
    recall = curve.whole.recall
    title = f"{curve.bank_name}: recall against bytes of block rows kept, with 95% intervals"
    foot = f"ranked on {curve.ranked_on:,} {curve.noun}, scored on {curve.scored_on:,} others; the whole bank answers {_percent(recall)}"
    parts = [f'<text x="{_LEFT}" y="28" font-weight="600">{escape(title)}</text>']
    parts.append(f'<text class="soft" x="{_LEFT}" y="{_HEIGHT - 12}">{escape(foot)}</text>')
    for step in range(6):
        y, x = _TOP + _HIGH * (1 - step / 5), _LEFT + _WIDE * step / 5
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="soft" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{20 * step}%</text>')
        parts.append(f'<text class="soft" x="{x:.1f}" y="{_TOP + _HIGH + 20}" text-anchor="middle">{_size(most * step / 5)}</text>')
    return parts


def _chosen(curve: Curve, budget_bytes: int, most: int) -> Sequence[str]:
    """The budget that was chosen: an upright line, a ring where the best series stands, and in words what that says."""
    best = read_best(curve, budget_bytes)
    kept = budget_bytes if best is None else best[1].bytes
    x = _LEFT + min(kept / most, 1.0) * _WIDE
    parts = [f'<line class="chosen" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _HIGH}" stroke-dasharray="2 4"/>']
    words = f"chosen: a budget of {_size(budget_bytes)}, which no series was measured at"
    if best is not None:
        series, read = best
        words = f"chosen: a budget of {_size(budget_bytes)}, recall about {read} by {series}"
        parts.append(f'<circle class="chosen" cx="{x:.1f}" cy="{_TOP + (1 - read.share) * _HIGH:.1f}" r="7"/>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 32}">{escape(words)}</text>')
    return parts


def _words(series: Series, point: CurvePoint) -> str:
    return f"{series}: {point.bytes:,} bytes, {point.blocks:,} blocks, recall {_percent(point.recall)}, log p {_mean(point.logprob)}"


def _percent(found: Proportion) -> str:
    if found.share is None or found.low is None or found.high is None:
        return "not measured"
    return f"{found.share:.1%} ({found.low:.1%} to {found.high:.1%})"


def _mean(found: Mean) -> str:
    return "not measured" if found.mean is None else f"{found.mean:.3f}"


def _share(found: Proportion) -> float:
    return found.share or 0.0


def _size(count_bytes: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count_bytes >= size:
            return f"{count_bytes / size:.3g} {unit}"
    return f"{count_bytes:.0f} B"
