"""What a bank's size costs as a picture: milliseconds and megabytes against parameters, both axes by powers of ten. SVG, by itself."""

import math
from collections.abc import Sequence
from typing import Any

from memstudio.export.svg import legend, line, look_of, mark, picture

_WIDTH, _HEIGHT = 900, 640
_LEFT, _WIDE, _HIGH = 70, 460, 220
_TOPS = {"ms": 60, "MB": 360}
_LEGEND = _LEFT + _WIDE + 24
_TITLES = {"ms": "milliseconds", "MB": "megabytes"}


def size_svg(figures: Sequence[dict[str, Any]]) -> str:
    """The picture of the figures of the measure `size` that hold values by billions of parameters, as the file of results keeps them."""
    drawn = [each for each in figures if "billions" in each["detail"]]
    title = "Work and memory against the parameters of a bank whose blocks are equally large"
    parts = [f'<text x="{_LEFT}" y="28" font-weight="600">{title}</text>']
    for unit in _TOPS:
        parts += _plot([each for each in drawn if each["unit"] == unit], unit)
    parts.append(f'<text class="soft" x="{_LEFT}" y="{_HEIGHT - 12}">billions of parameters; memstudio bench speed --only size</text>')
    return picture("What work costs and memory holds against the size of a bank, 0.02 to 21.1 billion parameters", _WIDTH, _HEIGHT, parts)


def _plot(figures: Sequence[dict[str, Any]], unit: str) -> list[str]:
    billions = [value for each in figures for value in each["detail"]["billions"]]
    values = [value for each in figures for value in each["detail"]["values"]]
    (first, last), (low, high), top = _decades(billions), _decades(values), _TOPS[unit]

    def place(size: float, value: float) -> tuple[float, float]:
        return (
            _LEFT + (math.log10(size) - first) / (last - first) * _WIDE,
            top + (high - math.log10(max(value, 10.0**low))) / (high - low) * _HIGH,
        )

    parts = [f'<text class="soft" x="{_LEFT}" y="{top - 12}">{_TITLES[unit]}</text>']
    for power in range(low, high + 1):
        y = place(10.0**first, 10.0**power)[1]
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="soft" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for power in range(first, last + 1):
        x = place(10.0**power, 10.0**low)[0]
        parts.append(f'<text class="soft" x="{x:.1f}" y="{top + _HIGH + 20}" text-anchor="middle">{10.0**power:g}</text>')
    for number, figure in enumerate(figures):
        pairs = list(zip(figure["detail"]["billions"], figure["detail"]["values"], strict=True))
        parts.append(line([place(*pair) for pair in pairs], number))
        for size, value in pairs:
            parts.append(mark(place(size, value), number, f"{figure['what']}, {size:g} billion: {value:g} {unit}"))
        parts += legend(_LEGEND, top + 10 + 22 * number, figure["what"], *look_of(number))
    return parts


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around positive values; what is not positive lies on the lowest line."""
    positive = [value for value in values if value > 0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    return low, max(high, low + 1)
