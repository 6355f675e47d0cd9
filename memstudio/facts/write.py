"""Fact files out: whole or not at all, so that a reader never meets half a file."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from memstudio.errors import UserError
from memstudio.facts.formats.fields import Unusable
from memstudio.facts.read import FORMATS
from memstudio.facts.values import Fact, Format
from memstudio.replacing import replaced


def write_facts(path: Path, facts: Sequence[Fact], format: Format = "jsonl") -> None:  # noqa: A002  (the word that people use)
    """Write facts in a format; what it does not carry is left out (`FIELDS` of its file in `facts.formats` names what it does).

    jsonl and csv carry all. easyedit: no relation, phrasings, neighbours, kind. counterfact: no aliases, phrasings, neighbours, kind,
    portability, and only those locality probes whose answer is the fact's own. zsre: no phrasings, neighbours, kind, portability, and one
    held-out phrasing and one locality probe a fact. jsonl is one object a line; easyedit, counterfact and zsre are one JSON list.

    Raises:
        UserError: the folder cannot be written, or a format has no way to say a fact.
    """
    if format not in FORMATS:
        raise UserError(f"--format {format}: choose one of {', '.join(FORMATS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    with replaced(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(_pieces(path, facts, format))


def _pieces(path: Path, facts: Sequence[Fact], name: Format) -> Iterator[str]:
    if name == "csv":
        yield from _rows(path, facts)
    elif name == "jsonl":
        yield from (f"{_dump(_record(path, fact, name))}\n" for fact in facts)
    else:
        yield "["
        for number, fact in enumerate(facts):
            yield f"{',' if number else ''}\n{_dump(_record(path, fact, name))}"
        yield "\n]\n"


def _rows(path: Path, facts: Sequence[Fact]) -> Iterator[str]:
    for number, fact in enumerate(facts):
        record = _record(path, fact, "csv")
        if not number:
            yield _line(list(record))
        yield _line(list(record.values()))


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _record(path: Path, fact: Fact, name: Format) -> dict[str, object]:
    try:
        record: dict[str, object] = FORMATS[name].to_record(fact)
    except Unusable as reason:
        raise UserError(f"{path}: fact {fact.id!r} cannot be written as {name}: {reason}") from None
    return record


def _dump(record: dict[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False)
