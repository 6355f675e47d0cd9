"""Fact files in: one JSON object a line, written by others and therefore checked field by field and bounded in size."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from memstudio.errors import UserError
from memstudio.facts.values import Fact, Kind, Phrasing

MAX_FILE_BYTES = 256 * 2**20
MAX_LINE_BYTES = 2**20
MAX_TEXT = 20_000

_KINDS: tuple[Kind, ...] = get_args(Kind)
_LISTS = ("aliases", "phrasings", "held_out", "neighbours")
_FIELDS = {"id", "subject", "relation", "prompt", "expected", "kind", *_LISTS}


def read_facts(path: Path) -> list[Fact]:
    """Read a facts.jsonl; `prompt` and `expected` are required, a missing id is the line number, a missing kind `specific`.

    Raises:
        UserError: no such file, too large, not JSON lines, a field of a wrong type, an id twice; says the line.
    """
    facts: list[Fact] = []
    seen: set[str] = set()
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        fact = _fact(line, where, number)
        if fact.id in seen:
            raise UserError(f"{where}: the id {fact.id!r} stands on an earlier line too; give each fact its own")
        seen.add(fact.id)
        facts.append(fact)
    if not facts:
        raise UserError(f"{path}: holds no fact; write one JSON object a line, with prompt and expected")
    return facts


def prompts_of(fact: Fact) -> Iterator[tuple[Phrasing, str]]:
    """The prompts of a fact in the order that routes.safetensors counts them: the prompt, phrasings, held-out phrasings."""
    yield "prompt", fact.prompt
    for text in fact.phrasings:
        yield "trained", text
    for text in fact.held_out:
        yield "held_out", text


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UserError(f"{path}: not a file; name a facts file of one JSON object a line")
        if size > MAX_FILE_BYTES:
            raise UserError(f"{path}: {size} bytes, over the limit of {MAX_FILE_BYTES} for a facts file")
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise UserError(f"{path}, line {number}: over {MAX_LINE_BYTES} bytes; write one JSON object a line")
                if line.strip():
                    yield number, line
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a facts file") from error


def _fact(line: bytes, where: str, number: int) -> Fact:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON; write one object a line, with prompt and expected") from error
    if not isinstance(raw, dict):
        raise UserError(f"{where}: not a JSON object; write prompt and expected at least")
    if unknown := sorted(set(raw) - _FIELDS):
        raise UserError(f"{where}: unknown field {unknown[0]!r}; the fields are {', '.join(sorted(_FIELDS))}")
    kind = raw.get("kind", "specific")
    if kind not in _KINDS:
        raise UserError(f"{where}: kind is {kind!r}; write one of {', '.join(_KINDS)}")
    lists = {name: _texts(raw, name, where) for name in _LISTS}
    return Fact(
        id=_text(raw, "id", where, default=str(number)),
        subject=_text(raw, "subject", where, default=""),
        relation=_text(raw, "relation", where, default=""),
        prompt=_text(raw, "prompt", where),
        expected=_text(raw, "expected", where),
        kind=kind,
        **lists,
    )


def _text(raw: dict[str, object], name: str, where: str, default: str | None = None) -> str:
    value = raw.get(name, default)
    if value is None:
        raise UserError(f"{where}: {name} is missing")
    if not isinstance(value, str):
        raise UserError(f"{where}: {name} is of type {type(value).__name__}; write a text")
    if default is None and not value.strip():
        raise UserError(f"{where}: {name} is empty")
    return _bounded(value, name, where)


def _texts(raw: dict[str, object], name: str, where: str) -> tuple[str, ...]:
    value = raw.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise UserError(f"{where}: {name} must be a list of texts")
    return tuple(_bounded(item, name, where) for item in value)


def _bounded(value: str, name: str, where: str) -> str:
    if len(value) > MAX_TEXT:
        raise UserError(f"{where}: {name} is {len(value)} characters long, over the limit of {MAX_TEXT}")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(f"{where}: {name} holds half of a surrogate pair; write whole characters")
    return value
