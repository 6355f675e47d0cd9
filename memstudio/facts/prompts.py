"""Sets of prompts: a text file, a prompt a line; JSON lines {"prompt", "key", "answer"}; or the prompts of facts. Files are untrusted."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from memstudio.errors import UserError
from memstudio.facts.formats.fields import Raw, Unusable, sound, text_of
from memstudio.facts.formats.records import HEAD_BYTES, Broken, Record, container_of, records
from memstudio.facts.read import MAX_LINE_BYTES, MAX_SKIPPED, opened, prompts_of, read_fact_file
from memstudio.facts.values import Fact, PromptSet, SetPrompt, Skipped

MAX_PROMPTS = 250_000
MAX_UNUSABLE = 250_000
MAX_NAME = 120
FIELDS = frozenset({"prompt", "key", "answer"})


def read_prompts(path: Path) -> PromptSet:
    """Read a set of prompts; lines that cannot be used are listed, the rest is read. Blank lines are none.

    JSON whose first record is a fact is read as a fact file of any format, and gives every prompt and phrasing of its facts.

    Raises:
        UserError: no such file, over 256 MB or 250,000 prompts, or nothing in it that can be used; says the first reason.
    """
    with opened(path) as stream:
        try:
            container = None if path.suffix == ".txt" else container_of(stream.read(HEAD_BYTES))
            stream.seek(0)
            if container is None:
                return _collected(path, _from_text(stream))
            found = records(stream, container)
            first = next(found, None)
            if container == "lines" and first is not None and isinstance(first.value, dict) and set(first.value) <= FIELDS:
                return _collected(path, map(_from_record, chain([first], found)))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); name a file of prompts") from error
    facts = read_fact_file(path)
    whole = of_facts(facts.facts, name_of(path))
    return PromptSet(whole.name, whole.prompts, facts.skipped, facts.skipped_count)


def of_facts(facts: Iterable[Fact], name: str) -> PromptSet:
    """The prompts and phrasings of facts, with what each is to be answered with: what is expected, else the target."""
    found = (SetPrompt(text, None, fact.expected or fact.target or None) for fact in facts for _, text in prompts_of(fact))
    return PromptSet(name, tuple(found))


def of_texts(texts: Sequence[str], name: str = "prompts") -> PromptSet:
    """Prompts as they are."""
    return PromptSet(name, tuple(SetPrompt(text, line=number) for number, text in enumerate(texts, 1)))


def digest(prompts: PromptSet) -> str:
    """The sha256 of the prompts with their keys and answers, in their order; two sets with the same are the same set."""
    whole = hashlib.sha256()
    for each in prompts.prompts:
        whole.update(json.dumps([each.text, each.key, each.answer]).encode() + b"\n")
    return whole.hexdigest()


def name_of(path: Path) -> str:
    """What a set from a file is called: the file's name, on one line and printable."""
    return "".join(letter for letter in path.name if letter.isprintable())[:MAX_NAME] or "prompts"


def _from_text(stream: BinaryIO) -> Iterator[SetPrompt | Skipped]:
    for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 1), b""), 1):
        if len(line) > MAX_LINE_BYTES:
            yield Skipped(number, number, f"over {MAX_LINE_BYTES:,} bytes; nothing is read from here on")
            return
        text = line.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip()
        if text:
            try:
                yield SetPrompt(sound(text, "the prompt"), line=number)
            except Unusable as reason:
                yield Skipped(number, number, str(reason))


def _from_record(record: Record) -> SetPrompt | Skipped:
    try:
        if isinstance(record.value, Broken):
            raise Unusable(record.value.reason)
        if not isinstance(record.value, dict):
            raise Unusable("not a JSON object; write prompt, and key and answer where you want them")
        return _prompt(record.value, record.line)
    except Unusable as reason:
        return Skipped(record.line, record.number, str(reason))


def _prompt(raw: Raw, line: int) -> SetPrompt:
    if unknown := sorted(set(raw) - FIELDS):
        raise Unusable(f"unknown field {unknown[0][:80]!r}; the fields are {', '.join(sorted(FIELDS))}")
    key, answer = (text_of(raw, name) if raw.get(name) is not None else None for name in ("key", "answer"))
    return SetPrompt(text_of(raw, "prompt"), key, answer, line)


def _collected(path: Path, found: Iterable[SetPrompt | Skipped]) -> PromptSet:
    prompts: list[SetPrompt] = []
    skipped: list[Skipped] = []
    count = 0
    for each in found:
        if isinstance(each, SetPrompt):
            prompts.append(each)
        else:
            count += 1
            skipped += [each] if count <= MAX_SKIPPED else []
        if len(prompts) > MAX_PROMPTS or count > MAX_UNUSABLE:
            raise UserError(f"{path}: over {MAX_PROMPTS:,} prompts, or lines that cannot be used, in one file; part it in several")
    if not prompts:
        why = f"line {skipped[0].line}: {skipped[0].reason}" if skipped else "it is empty"
        raise UserError(f"{path}: holds no prompt that can be used; {why}")
    return PromptSet(name_of(path), tuple(prompts), tuple(skipped), count)
