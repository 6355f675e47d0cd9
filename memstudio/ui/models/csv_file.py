"""CSV files that a spreadsheet can open: whole or not at all, UTF-8, and no text of a bank is ever taken for a formula."""

import csv
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from memstudio.errors import UserError

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
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
    except OSError as error:
        raise UserError(_refusal(file, error)) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([safe(text) for text in header])
            for row in rows:
                writer.writerow([safe(text) for text in row])
                count += 1
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except OSError as error:
        raise UserError(_refusal(file, error)) from None
    finally:
        Path(name).unlink(missing_ok=True)
    return count


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[0] in "+-"


def _refusal(file: Path, error: OSError) -> str:
    return f"{file}: cannot be written ({error.strerror or error}): choose another place"
