"""Fact files in, the one door: the bank's own (strict), and those of others in whatever format they are, a record at a time.

All of it is untrusted: sizes are bounded, fields checked, and what cannot be used is said with its line.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from memstudio.bank.strictjson import strict_json
from memstudio.errors import UserError
from memstudio.facts.formats import counterfact, easyedit, own, table, zsre
from memstudio.facts.formats.fields import Unusable
from memstudio.facts.formats.records import HEAD_BYTES, Broken, Record, container_of, records
from memstudio.facts.values import Fact, FactFile, Format, Phrasing, Skipped

MAX_FILE_BYTES = 256 * 2**20
MAX_LINE_BYTES = 2**20
MAX_FACTS = 250_000
MAX_TEXTS = 4_000_000
"""Prompts, answers and names of a whole file: each costs some 60 bytes of memory, however short it is."""
MAX_SKIPPED = 1_000
"""Skipped records that are listed; all are counted."""
MAX_UNUSABLE = 1_000_000
_LOOKED_AT = 100

FORMATS: dict[Format, ModuleType] = {"jsonl": own, "counterfact": counterfact, "zsre": zsre, "easyedit": easyedit, "csv": table}
"""Every format, in the order in which a record's fields are looked at; `csv` is known by its container."""


def read_facts(path: Path) -> list[Fact]:
    """Read a bank's facts.jsonl; `prompt` and `expected` are required, a missing id is the line number, a missing kind `specific`.

    Raises:
        UserError: no such file, too large, not JSON lines, a field of a wrong type, an id twice; says the line.
    """
    facts: list[Fact] = []
    seen: set[str] = set()
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        try:
            fact = _own_fact(line, number)
        except Unusable as error:
            raise UserError(f"{where}: {error}") from None
        if fact.id in seen:
            raise UserError(f"{where}: the id {fact.id!r} stands on an earlier line too; give each fact its own")
        seen.add(fact.id)
        facts.append(fact)
    if not facts:
        raise UserError(f"{path}: holds no fact; write one JSON object a line, with prompt and expected")
    return facts


def read_fact_file(path: Path) -> FactFile:
    """Read a fact file of any known format, recognised from its content; records that cannot be used are listed, the rest is read.

    Formats: our JSON lines (or a JSON list of such), EasyEdit, CounterFact, zsRE, and CSV with a header; see `facts.formats`. A record
    without an id takes its count. `expected` is "" where only a target is given.

    Raises:
        UserError: no such file, over 256 MB or 250,000 facts, no known format, or nothing in it that can be used; says the first reason.
    """
    with opened(path) as stream:
        container = container_of(stream.read(HEAD_BYTES))
        if container is None:
            raise UserError(
                f"{path}, line 1: no facts file: neither JSON lines, nor a JSON list, nor CSV whose first line names prompt and expected"
            )
        stream.seek(0)
        try:
            return _collected(path, *_recognised(records(stream, container), "csv" if container == "table" else None))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); name a facts file") from error


def prompts_of(fact: Fact) -> Iterator[tuple[Phrasing, str]]:
    """The prompts of a fact in the order that routes.safetensors counts them: the prompt, phrasings, held-out phrasings."""
    yield "prompt", fact.prompt
    for text in fact.phrasings:
        yield "trained", text
    for text in fact.held_out:
        yield "held_out", text


def _recognised(found: Iterator[Record], known: Format | None) -> tuple[Format, Iterator[Record]]:
    """The format of a file: that of its first record which looks like one; ours where none of the first does."""
    if known is not None:
        return known, found
    held: list[Record] = []
    for record in found:
        held.append(record)
        if isinstance(record.value, dict):
            for name, module in FORMATS.items():
                if name != "csv" and module.is_one(record.value):
                    return name, chain(held, found)
        if len(held) == _LOOKED_AT:
            break
    return "jsonl", chain(held, found)


def _collected(path: Path, name: Format, found: Iterator[Record]) -> FactFile:
    facts: dict[str, Fact] = {}
    skipped: list[Skipped] = []
    count = texts = 0
    for record in found:
        try:
            fact = _fact(record, name)
            if fact.id in facts:
                raise Unusable(f"the id {fact.id[:80]!r} stands on an earlier record too")
        except Unusable as reason:
            count += 1
            if count <= MAX_SKIPPED:
                skipped.append(Skipped(record.line, record.number, str(reason)))
            if count > MAX_UNUSABLE:
                break
            continue
        facts[fact.id] = fact
        texts += _texts_in(fact)
        if len(facts) > MAX_FACTS or texts > MAX_TEXTS:
            raise UserError(f"{path}, line {record.line}: over {MAX_FACTS} facts or {MAX_TEXTS} texts in one file; part it in several")
    if not facts or count > MAX_UNUSABLE:
        why = f"line {skipped[0].line}: {skipped[0].reason}" if skipped else "it is empty"
        held = f"over {MAX_UNUSABLE} records that cannot be used" if facts else "no fact that can be used"
        raise UserError(f"{path}: holds {held}; {why}")
    return FactFile(path, name, tuple(facts.values()), tuple(skipped), count)


def _fact(record: Record, name: Format) -> Fact:
    if isinstance(record.value, Broken):
        raise Unusable(record.value.reason)
    if not isinstance(record.value, dict):
        raise Unusable("not a JSON object")
    fact: Fact = FORMATS[name].from_record(record.value, record.number)
    return fact


def _texts_in(fact: Fact) -> int:
    lists = (fact.aliases, fact.phrasings, fact.held_out, fact.neighbours)
    return 6 + sum(map(len, lists)) + 2 * (len(fact.locality) + len(fact.portability))


def _own_fact(line: bytes, number: int) -> Fact:
    try:
        raw = strict_json(line)
    except ValueError as error:
        raise Unusable("not JSON; write one object a line, with prompt and expected") from error
    if not isinstance(raw, dict):
        raise Unusable("not a JSON object; write prompt and expected at least")
    fact = own.from_record(raw, number)
    if not fact.expected.strip():
        raise Unusable("expected is missing or empty")
    return fact


def opened(path: Path) -> BinaryIO:
    """The file, open; nothing of it is read yet.

    Raises:
        UserError: no such file, no plain file, or too large.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UserError(f"{path}: not a file; name a facts file")
        if size > MAX_FILE_BYTES:
            raise UserError(f"{path}: {size} bytes, over the limit of {MAX_FILE_BYTES} for a facts file; part it in several")
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a facts file") from error
    except ValueError:  # a NUL byte in the path
        raise UserError(f"{str(path)!r}: no such file; name a facts file") from None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with opened(path) as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise UserError(f"{path}, line {number}: over {MAX_LINE_BYTES} bytes; write one JSON object a line")
            if line.strip():
                yield number, line
