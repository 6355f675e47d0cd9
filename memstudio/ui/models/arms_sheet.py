"""The tokens of an A/B/C as rows, frozen: copied as text, written as CSV on any thread."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memstudio.errors import UserError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


def write_arms(sheet: ArmsSheet, file: Path) -> int:
    """Write a CSV file (UTF-8, a header line) and give the number of rows. A token that a spreadsheet would take for a formula has an
    apostrophe before it.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(sheet.header())
            for at, piece, *figures in sheet.lines():
                writer.writerow([at, f"'{piece}" if piece.startswith(_FORMULA) else piece, *figures])
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror or error}): choose another place") from None
    return len(sheet.rows)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
