"""What the pictures that are drawn by hand share: colours, dashes, text, and the frame of an SVG that stands by itself."""

from collections.abc import Iterable
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9")
"""Okabe and Ito's, which most people can tell apart; the dash and the mark tell as well."""
DASHES = ("", "7 4", "2 3", "10 3 2 3")
_STYLE = (
    "svg{background:#fff;color:#1a1a1a;font:13px sans-serif}text{fill:#1a1a1a}.soft{fill:#555}.grid{stroke:#ddd}"
    ".best{stroke:#999;stroke-width:9;fill:none;opacity:.35;stroke-linejoin:round}.chosen{stroke:#1a1a1a;stroke-width:2;fill:none}"
)


def picture(label: str, width: int, height: int, parts: Iterable[str]) -> str:
    """The whole SVG of some parts on white; label: what it shows, for those who do not see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label, quote=True)}"><style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def look_of(number: int) -> tuple[str, str]:
    """Colour and dash of a series; those beyond the 24 that can be told apart repeat."""
    return COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]


def line(places: Iterable[tuple[float, float]], number: int) -> str:
    """A series through its places."""
    colour, dash = look_of(number)
    return f'<polyline points="{joined(places)}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'


def mark(place: tuple[float, float], number: int, words: str) -> str:
    """A point of a series, and what is said of it where the pointer rests."""
    x, y = place
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{look_of(number)[0]}"><title>{escape(words)}</title></circle>'


def legend(x: int, y: int, words: str, colour: str, dash: str, width: int = 2) -> tuple[str, str]:
    """What a series is called, beside a piece of its line."""
    return (
        f'<line x1="{x}" x2="{x + 28}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"/>',
        f'<text x="{x + 36}" y="{y + 4}">{escape(words)}</text>',
    )


def joined(places: Iterable[tuple[float, float]]) -> str:
    """Places as the points of a line."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
