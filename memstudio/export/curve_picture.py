"""A curve as a picture: recall against bytes kept, a line a series with its 95% intervals, the frontier behind them. SVG, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from memstudio.export.curve import Curve, CurvePoint, Series, read_best
from memstudio.facts.statistics import Mean, Proportion

_WIDTH, _HEIGHT = 900, 540
_LEFT, _TOP, _WIDE, _HIGH = 70, 50, 560, 400
_LEGEND = _LEFT + _WIDE + 24
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9")
"""Okabe and Ito's, which most people can tell apart; the dash and the mark tell as well."""
_DASHES = ("", "7 4", "2 3", "10 3 2 3")
_STYLE = (
    "svg{background:#fff;color:#1a1a1a;font:13px sans-serif}text{fill:#1a1a1a}.soft{fill:#555}.grid{stroke:#ddd}"
    ".best{stroke:#999;stroke-width:9;fill:none;opacity:.35;stroke-linejoin:round}.chosen{stroke:#1a1a1a;stroke-width:2;fill:none}"
)


def curve_svg(curve: Curve, budget_bytes: int | None = None) -> str:
    """The picture of a curve. Series beyond the 24 that can be told apart repeat colour and dash.

    budget_bytes: one to mark, on the series that says most for it.
    """
    most = max(point.bytes for point in (*curve.points, curve.whole)) or 1

    def place(point: CurvePoint, share: float) -> tuple[float, float]:
        return _LEFT + point.bytes / most * _WIDE, _TOP + (1 - share) * _HIGH

    parts = _frame(curve, most)
    best = " ".join(_pair(place(point, _share(point.recall))) for point in curve.frontier())
    parts.append(
        f'<polyline class="best" points="{best}"><title>the frontier: no other point answers more for its bytes</title></polyline>'
    )
    for number, series in enumerate(curve.series):
        colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number // len(_COLOURS) % len(_DASHES)]
        points = curve.of(series)
        line = " ".join(_pair(place(point, _share(point.recall))) for point in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        for point in points:
            (x, y), recall = place(point, _share(point.recall)), point.recall
            low, high = place(point, recall.low or 0.0)[1], place(point, recall.high or 0.0)[1]
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}" opacity=".6"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(_words(series, point))}</title></circle>')
        parts += _legend(number, str(series), colour, dash)
    parts += _legend(len(curve.series), "frontier: most for the bytes", "#999", "", 9)
    if budget_bytes is not None:
        parts += _chosen(curve, budget_bytes, most)
    label = f"Recall of {curve.bank_name} against bytes kept"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(label, quote=True)}"><style>{_STYLE}</style><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _frame(curve: Curve, most: int) -> list[str]:
    recall = curve.whole.recall
    title = f"{curve.bank_name}: recall against bytes of block rows kept, with 95% intervals"
    foot = f"ranked on {curve.ranked_on:,} facts, scored on {curve.scored_on:,} others; the whole bank answers {_percent(recall)}"
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


def _legend(number: int, words: str, colour: str, dash: str, width: int = 2) -> Sequence[str]:
    y = _TOP + 10 + 22 * number
    return (
        f'<line x1="{_LEGEND}" x2="{_LEGEND + 28}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"/>',
        f'<text x="{_LEGEND + 36}" y="{y + 4}">{escape(words)}</text>',
    )


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


def _pair(place: tuple[float, float]) -> str:
    return f"{place[0]:.1f},{place[1]:.1f}"


def _size(count_bytes: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count_bytes >= size:
            return f"{count_bytes / size:.3g} {unit}"
    return f"{count_bytes:.0f} B"
