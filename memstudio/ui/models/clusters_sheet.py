"""The table of clusters as it stands, frozen, and written as CSV: on any thread, a few thousand rows at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memstudio.ui.models.csv_file import write_csv

CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Field:
    """A column. values: [rows]; numbers are written in full, NaN as nothing; texts are object arrays."""

    title: str
    values: NDArray[np.int64] | NDArray[np.float32] | NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows in the order shown. level, index: int64 [rows]; labels: those that the table has read."""

    level: NDArray[np.int64]
    index: NDArray[np.int64]
    labels: NDArray[np.object_]
    fields: tuple[Field, ...]

    @property
    def rows(self) -> int:
        return int(self.level.shape[0])


def write_sheet(sheet: Sheet, file: Path, labels: Sequence[Sequence[str]] = ()) -> int:
    """Write a CSV file (UTF-8, a header line with units) and give the number of rows; an older file is replaced when all is written.

    labels: all labels a level, coarsest first, where they are known; otherwise the file has only those that the table has read.

    Raises:
        UserError: the file cannot be written.
    """
    header = ["cluster", "label", *(field.title for field in sheet.fields)]
    parts = (slice(start, start + CHUNK) for start in range(0, sheet.rows, CHUNK))
    return write_csv(file, header, (line for part in parts for line in _lines(sheet, part, labels)))


def _lines(sheet: Sheet, part: slice, labels: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    ids = list(zip(sheet.level[part].tolist(), sheet.index[part].tolist(), strict=True))
    named = [labels[level - 1][index] for level, index in ids] if labels else sheet.labels[part].tolist()
    columns = [_texts(field.values[part]) for field in sheet.fields]
    return zip([f"{level}/{index}" for level, index in ids], named, *columns, strict=True)


def _texts(values: NDArray[np.int64] | NDArray[np.float32] | NDArray[np.object_]) -> list[str]:
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    return ["" if text == "nan" else text for text in values.astype(str).tolist()]  # the shortest text that reads back as the same float32
