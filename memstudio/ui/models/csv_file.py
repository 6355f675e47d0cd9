"""CSV files that a spreadsheet can open: whole or not at all, UTF-8, and no text of a bank is ever taken for a formula."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from memstudio.replacing import replaced

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe(text: str) -> str:
    """The text; with an apostrophe before it where a spreadsheet would take it for a formula. A number stays one."""
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write a header line and rows of texts (each made `safe`), and give the number of rows; an older file is replaced when all is written.

    Raises:
        UserError: the file cannot be written.
    """
    count = 0
    with replaced(file) as part, part.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([safe(text) for text in header])
        for row in rows:
            writer.writerow([safe(text) for text in row])
            count += 1
    return count


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[0] in "+-"
