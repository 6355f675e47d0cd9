"""A fact file as a stream of records, whatever its container: JSON lines, one JSON list, or a table. Never the whole file at once."""

import codecs
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from memstudio.facts.formats.fields import Unusable
from memstudio.facts.formats.table import DELIMITERS, columns_of, row_of

MAX_RECORD = 2**20
"""Bytes of a line, characters of a record in a list."""
HEAD_BYTES = 2**16
MAX_BROKEN = 1_000
"""Records of a list that are not JSON, after which the rest is not read: each costs a search for its end."""

Container = Literal["lines", "list", "table"]
_TOKEN = re.compile(r'["{}\[\],\n]')
_STRING = re.compile(r'[^"\\\n]*+(?:\\.?[^"\\\n]*+)*+(?:["\n]|\Z)')
_BLANK = re.compile(r"[ \t\r\n]*")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Broken:
    """What stands in a record's place where it could not be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record, its first line and its count (both from 1)."""

    line: int
    number: int
    value: object


def container_of(head: bytes) -> Container | None:
    """What the first bytes of a file hold; None for nothing that is known."""
    text = head.decode("utf-8", "replace").removeprefix(_BOM).lstrip(" \t\r\n")
    if text.startswith("["):
        first, _, rest = text.partition("\n")
        return "lines" if rest.lstrip().startswith("{") and _is_json(first) else "list"
    if text.startswith("{") or any(line.startswith("{") and _is_json(line) for line in text.splitlines()):
        return "lines"
    return "table" if _delimiter(text.partition("\n")[0]) is not None else None


def records(stream: BinaryIO, container: Container) -> Iterator[Record]:
    """The records of a file, in order; those of a table are {our column name: cell}."""
    reader = {"lines": _from_lines, "list": _from_list, "table": _from_table}[container]
    for number, (line, value) in enumerate(reader(stream), 1):
        yield Record(line, number, value)


def _from_lines(stream: BinaryIO) -> Iterator[tuple[int, object]]:
    for number, line in _lines(stream):
        if isinstance(line, Broken):
            yield number, line
        elif line.strip():
            yield number, _decoded(line)


def _decoded(line: str) -> object:
    try:
        value: object = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        return Broken(f"not JSON ({_why(error)})")
    return value


def _from_list(stream: BinaryIO) -> Iterator[tuple[int, object]]:
    text = _Text(stream)
    text.past_blanks()
    text.advance(text.at + 1)  # the opening bracket
    ready, broken = True, 0
    while True:
        text.past_blanks()
        if not text.mark:
            yield text.line, Broken("the list is not closed: the file ends here")
            return
        if text.mark == "]":
            break
        if text.mark == "," and not ready:
            text.advance(text.at + 1)
            ready = True
            continue
        value = text.element() if ready else Broken("no comma stands before it")
        ready = False
        if not isinstance(value, Placed):
            broken += 1
            yield text.line, value
            if not text.skip() or broken > MAX_BROKEN:
                yield text.line, Broken("nothing is read from here on: where the next record begins cannot be told")
                return
            ready = text.mark == "{"
        else:
            yield value.line, value.value
    text.advance(text.at + 1)
    text.past_blanks()
    if text.mark:
        yield text.line, Broken("stands behind the end of the list")


@dataclass(frozen=True, slots=True)
class Placed:
    """A value and its first line."""

    line: int
    value: object


class _Text:
    """The text of a file with at least MAX_RECORD characters ahead of `at`, as long as there are so many."""

    def __init__(self, stream: BinaryIO) -> None:
        self.buffer, self.at, self.line = "", 0, 1
        self._stream: BinaryIO | None = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._fill()

    @property
    def mark(self) -> str:
        """The next character; "" at the end."""
        return self.buffer[self.at : self.at + 1]

    def advance(self, to: int) -> None:
        self.line += self.buffer.count("\n", self.at, to)
        self.at = to
        if self._stream is not None and len(self.buffer) - to < MAX_RECORD:
            self._fill()

    def past_blanks(self) -> None:
        while (end := _end_of(_BLANK, self.buffer, self.at)) != self.at:
            self.advance(end)

    def element(self) -> Placed | Broken:
        """The value that starts here, and go behind it; a broken one leaves the place as it was."""
        try:
            value, end = _DECODER.raw_decode(self.buffer, self.at)
        except (ValueError, RecursionError) as error:
            return Broken(f"not JSON ({_why(error)})")
        if end - self.at > MAX_RECORD:
            return Broken(f"over {MAX_RECORD} characters")
        found = Placed(self.line, value)
        self.advance(end)
        return found

    def skip(self) -> bool:
        """Go to the comma, the closing bracket or the next record behind a broken one; False where none is found.

        A record that begins a line is taken to end, at the latest, where another one begins a line as far from the margin.
        """
        start = self.buffer.rfind("\n", 0, self.at) + 1
        margin = self.buffer[start : self.at]
        another = re.compile(r"\n" + margin + r"(?=\{)").search(self.buffer, self.at + 1) if not margin.strip(" \t") else None
        end = _end_by_brackets(self.buffer, self.at, another.start() if another else len(self.buffer))
        if end is not None:
            self.advance(end)
        elif another is not None:
            self.advance(another.end())
        return end is not None or another is not None

    def _fill(self) -> None:
        parts = [self.buffer[self.at :]]
        held = len(parts[0])
        while self._stream is not None and held < 2 * MAX_RECORD:
            raw = self._stream.read(MAX_RECORD)
            parts.append(self._decoder.decode(raw, final=not raw))
            held += len(parts[-1])
            if not raw:
                self._stream = None
        self.buffer, self.at = "".join(parts), 0


def _end_by_brackets(text: str, at: int, limit: int) -> int | None:
    """Where the value that starts at `at` ends: a comma or closing bracket outside of it, before `limit`; a string ends with its line."""
    depth = 0
    while (token := _TOKEN.search(text, at, limit)) is not None:
        mark, at = token[0], token.end()
        if mark == '"':
            at = _end_of(_STRING, text, at)
        elif mark in "{[":
            depth += 1
        elif depth == 0 and mark in ",]":
            return token.start()
        elif mark in "}]":
            depth = max(depth - 1, 0)
    return None


def _from_table(stream: BinaryIO) -> Iterator[tuple[int, object]]:
    lines = _TableLines(stream)
    first = next((line for line in lines if line.strip()), "")
    delimiter = _delimiter(first)
    if delimiter is None:
        yield 1, Broken("the first line names no columns prompt and expected (or target)")
        return
    columns = columns_of(_cells(first, delimiter))
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        line = lines.number + 1
        try:
            cells = next(rows, None)
            value: object = row_of(columns, cells) if cells else None
        except (csv.Error, Unusable) as error:
            cells, value = [], Broken(str(error))
        for number in lines.long:
            yield number, Broken(f"over {MAX_RECORD} bytes")
        lines.long.clear()
        if cells is None:
            return
        if value is not None:
            yield line, value


class _TableLines:
    """Lines for the csv module, which asks for plain texts; over-long ones are kept out and their numbers in `long`."""

    def __init__(self, stream: BinaryIO) -> None:
        self.number = 0
        self.long: list[int] = []
        self._lines = _lines(stream)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._lines:
            self.number = number
            if not isinstance(line, Broken):
                return line
            self.long.append(number)
        raise StopIteration


def _delimiter(header: str) -> str | None:
    """What parts the columns of a header line; None where it names no columns that are known."""
    for delimiter in DELIMITERS:
        try:
            columns_of(_cells(header, delimiter))
        except (Unusable, csv.Error):
            continue
        return delimiter
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str | Broken]]:
    """Numbered lines as text with their ends; bytes that are not UTF-8 become lone surrogates, which no field accepts."""
    number = 0
    while raw := stream.readline(MAX_RECORD + 1):
        number += 1
        if len(raw) <= MAX_RECORD:
            text = raw.decode("utf-8", "surrogateescape")
            yield number, text.removeprefix(_BOM) if number == 1 else text
            continue
        while raw and not raw.endswith(b"\n"):
            raw = stream.readline(MAX_RECORD)
        yield number, Broken(f"over {MAX_RECORD} bytes")


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _is_json(text: str) -> bool:
    return not isinstance(_decoded(text), Broken)


def _why(error: ValueError | RecursionError) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).partition(":")[0][:80]


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)
