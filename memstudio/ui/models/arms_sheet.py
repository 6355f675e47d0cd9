"""The tokens of an A/B/C as rows, frozen, to be copied as text or written as CSV on any thread."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArmsSheet:
    """A's tokens, and log p of each under every arm. titles: the arms, A first; rows: (piece, log p of each arm; None: not measured)."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]

    def header(self) -> list[str]:
        """The columns' titles, with units."""
        first, *others = self.titles
        return ["token", "text", *(f"log p: {title}" for title in self.titles), *(f"Δ log p: {title} − {first}" for title in others)]

    def lines(self) -> Iterator[list[str]]:
        """A line a token; empty where nothing was measured."""
        for at, (piece, logprobs) in enumerate(self.rows):
            first, *others = logprobs
            gaps = [None if first is None or other is None else other - first for other in others]
            yield [str(at), piece, *map(_figure, logprobs), *map(_figure, gaps)]

    def text(self) -> str:
        """All of it, parted by tabs, for a spreadsheet's paste."""
        lines = [self.header(), *self.lines()]
        return "\n".join("\t".join(cell.replace("\t", "⇥").replace("\n", "↵") for cell in line) for line in lines) + "\n"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
