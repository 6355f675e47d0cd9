"""Text out of files: plain text, Markdown, JSON lines and Parquet, a piece at a time. Nothing here is trusted.

A file that holds no text is passed over and named; the rest of the folder goes on.
"""

import codecs
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from memstudio.errors import UserError

PIECE_CHARACTERS = 1 << 20
"""A longer text comes in pieces, cut at a line."""
_RECORD_BYTES = 64 << 20
_LOOKED_AT = 8192
_TEXT_FIELDS = ("text", "content", "document", "body", "passage")
_NAME_FIELDS = ("id", "name", "title", "url", "path")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_RECORDS = {".jsonl", ".ndjson"}
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a document: the document's name, where the piece begins in it (characters), the text."""

    name: str
    at: int
    text: str


def read_texts(paths: Sequence[Path], note: Note) -> Iterator[Text]:
    """Every document below `paths` (files or folders, sorted by name), each in pieces of at most `PIECE_CHARACTERS`.

    note: hears a line about each file that was passed over, or read in another encoding than UTF-8.

    Raises:
        UserError: a path that does not exist or cannot be read, or a named file that holds no text.
    """
    seen: dict[str, int] = {}
    for root in paths:
        for path, name in files_of(root):
            for text in _pieces(path, name, note, named=path == root):
                first, count = text.at == 0, seen.get(text.name, 0)
                count += first
                seen[text.name] = count
                yield text if count == 1 else Text(f"{text.name} ({count})", text.at, text.text)


def files_of(root: Path) -> Iterator[tuple[Path, str]]:
    """Files with the names that their documents take."""
    if root.is_file():
        yield root, root.name
    elif root.is_dir():
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                yield path, f"{root.resolve().name}/{inside.as_posix()}"
    else:
        raise UserError(f"{root}: no such file or folder of documents")


def _pieces(path: Path, name: str, note: Note, *, named: bool) -> Iterator[Text]:
    if path.suffix.lower() == ".parquet":
        yield from _parquet(path, name)
        return
    encoding = _encoding(path)
    if encoding is None:
        if named:
            raise UserError(f"{path}: not a text file; documents are text, Markdown, JSON lines or Parquet")
        note(f"{path}: no text in it, passed over")
        return
    if encoding == "cp1252":
        note(f"{path}: not UTF-8, read as Windows-1252")
    yield from _json_lines(path, name, encoding) if path.suffix.lower() in _RECORDS else _plain(path, name, encoding)


def _encoding(path: Path) -> str | None:
    """How the file's text is written; None for a binary one."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_LOOKED_AT)
            for mark, encoding in _MARKS:
                if head.startswith(mark):
                    return encoding
            if b"\0" in head or path.suffix.lower() in (".pdf", ".gz", ".zip", ".png", ".jpg"):
                return None
            decoder = codecs.getincrementaldecoder("utf-8")()
            while head:
                if b"\0" in head:
                    return None
                try:
                    decoder.decode(head)
                except UnicodeDecodeError:
                    return "cp1252"
                head = stream.read(1 << 20)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return "utf-8"


def _plain(path: Path, name: str, encoding: str) -> Iterator[Text]:
    held: list[str] = []
    length = at = 0
    with path.open(encoding=encoding, errors="replace", newline=None) as stream:
        while line := stream.readline(PIECE_CHARACTERS):
            if held and length + len(line) > PIECE_CHARACTERS:
                yield Text(name, at, "".join(held))
                at, held, length = at + length, [], 0
            held.append(line)
            length += len(line)
    yield Text(name, at, "".join(held))


def _json_lines(path: Path, name: str, encoding: str) -> Iterator[Text]:
    with path.open(encoding=encoding, errors="replace") as stream:
        number = 0
        while line := stream.readline(_RECORD_BYTES + 1):
            number += 1
            if len(line) > _RECORD_BYTES:
                raise UserError(f"{path}, line {number}: over {_RECORD_BYTES} characters; write one JSON object a line")
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}, line {number}: not JSON; write one object a line, with the field text") from error
            yield from _record(record, f"{path}, line {number}", name, number)


def _parquet(path: Path, name: str) -> Iterator[Text]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = [column for column in (*_TEXT_FIELDS, *_NAME_FIELDS) if column in file.schema_arrow.names]
            if not set(columns) & set(_TEXT_FIELDS):
                raise UserError(f"{path}: no column of text; it needs one of {', '.join(_TEXT_FIELDS)}")
            number = 0
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for record in batch.to_pylist():
                    number += 1
                    yield from _record(record, f"{path}, row {number}", name, number)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file that can be read ({str(error).splitlines()[0]:.100})") from error


def _record(record: object, where: str, name: str, number: int) -> Iterator[Text]:
    if not isinstance(record, Mapping):
        raise UserError(f"{where}: not an object with the field text")
    text = next((record[field] for field in _TEXT_FIELDS if isinstance(record.get(field), str)), None)
    if text is None:
        raise UserError(f"{where}: no text in it; it needs one of the fields {', '.join(_TEXT_FIELDS)}")
    given = next((record[field] for field in _NAME_FIELDS if isinstance(record.get(field), str | int)), number)
    for at in range(0, len(text), PIECE_CHARACTERS):
        yield Text(f"{name}:{str(given)[:120]}", at, text[at : at + PIECE_CHARACTERS])
