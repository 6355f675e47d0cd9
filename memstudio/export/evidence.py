"""The folder that proves what a study did: written whole, and read as untrusted input by whoever checks it.

OUT/evidence.json says what was measured, on which bank, and names every other file with its digest; changes.patch/ holds the blocks,
facts.jsonl the facts that were changed, pictures/ and index.html are for people. What was taken down is in none of them: a fact that was
erased is named by its digest alone, so that only who has it already can check it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, field_validator

from memstudio.bank.files import check_relative, file_digest
from memstudio.bank.manifest import FileRef, Sha256
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.errors import UserError
from memstudio.export.manifest import BankRef
from memstudio.facts.formats.own import to_record
from memstudio.facts.values import Fact

EVIDENCE, PATCH, FACTS, PAGE, PICTURES = "evidence.json", "changes.patch", "facts.jsonl", "index.html", "pictures"
MAX_BYTES = 64 << 20
_MOST_FILES = 32

Line = Annotated[str, StringConstraints(max_length=4000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Environment(_Part):
    """What it was measured with; where all of it is the same, the figures are too."""

    memstudio: Line
    torch: Line
    python: Line
    machine: Line
    device: Line
    dtype: Line
    threads: Count


class Step(_Part):
    """One revision on the way, as its receipt was kept: shares as (k, n), no texts."""

    number: Count
    verb: Line
    title: Line
    measured: bool
    shares: dict[Line, tuple[Count, Count]]
    broken: tuple[Line, ...]
    reason: Line


class Said(_Part):
    """What a state of the bank says to a prompt: greedy text, and the log-probability of its first token."""

    text: Line
    logprob: Finite


class Asked(_Part):
    """A prompt, before and after."""

    prompt: Line
    before: Said
    after: Said


class TakenDown(_Part):
    """A fact that was erased, by its digest; the worst of its prompt and phrasings on their own routes."""

    fact: Sha256
    alone: Share
    before: Share
    after: Share
    limit: Share
    extracted: bool


class Evidence(_Part):
    """evidence.json, format 1."""

    format: Literal["memstudio-evidence"]
    version: Literal[1]
    bank: BankRef
    environment: Environment
    revision: Count
    revisions: Annotated[tuple[Step, ...], Field(min_length=1, max_length=100_000)]
    commands: Annotated[tuple[Line, ...], Field(max_length=100)]
    seeds: dict[Line, Count]
    sample: Count
    receipt: dict[str, JsonValue]
    prompts: Annotated[tuple[Asked, ...], Field(max_length=1000)]
    taken_down: Annotated[tuple[TakenDown, ...], Field(max_length=100_000)]
    files: Annotated[dict[str, FileRef], Field(max_length=_MOST_FILES)]

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, files: dict[str, FileRef]) -> dict[str, FileRef]:
        for path in files:
            check_relative(path)
        return files


def fact_digest(fact: Fact) -> str:
    """sha256 of all that a fact is but its target: what an erased fact is known by."""
    record = {name: value for name, value in to_record(fact).items() if name != "target"}
    return hashlib.sha256(json.dumps(record, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_evidence(out: Path, fill: Callable[[Path], dict[str, Any]], page: Callable[[Path, Evidence], None]) -> Evidence:
    """Write an evidence folder under a temporary name and rename it: it is there in full, or not at all.

    fill: writes patch and facts into the folder it is given, and gives the fields of `Evidence` but format, version and files.
    page: writes page and pictures.

    Raises:
        UserError: something is there already, or it cannot be written.
    """
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UserError(f"{out}: is there already: choose another name, or remove it")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        about = Evidence(format="memstudio-evidence", version=1, files={}, **fill(part))
        page(part, about)
        files = {path.relative_to(part).as_posix(): path for path in sorted(part.rglob("*")) if path.is_file()}
        refs = {name: FileRef(bytes=path.stat().st_size, sha256=file_digest(path)) for name, path in files.items()}
        whole = about.model_copy(update={"files": refs})
        body = json.dumps(whole.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (part / EVIDENCE).write_text(body + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): choose another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return whole


def read_evidence(folder: Path) -> Evidence:
    """Read and check evidence.json; the files beside it are not looked at.

    Raises:
        UserError: not an evidence folder, or not what it must be; one line with the field's name.
    """
    path = folder / EVIDENCE
    if not path.is_file():
        raise UserError(f"{folder}: is no evidence: no {EVIDENCE} in it")
    try:
        text = read_limited(path, MAX_BYTES).decode()
        strict_json(text)
        return Evidence.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step)[:80] for step in first["loc"])
        raise UserError(f"{path}: {place}: {' '.join(first['msg'].removeprefix('Value error, ').split())[:200]}") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {' '.join(str(error).split())[:200]}") from None


def odd_files(folder: Path, evidence: Evidence) -> dict[str, str]:
    """What does not agree with the digests: path → "missing", "changed", "a link" or "not listed"."""
    found: dict[str, str] = {}
    for name, listed in evidence.files.items():
        path = folder / name
        if any(part.is_symlink() for part in (path, *path.parents) if part.is_relative_to(folder) and part != folder):
            found[name] = "a link"
        elif not path.is_file():
            found[name] = "missing"
        elif path.stat().st_size != listed.bytes or file_digest(path) != listed.sha256:
            found[name] = "changed"
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_symlink() or path.is_file()) and name != EVIDENCE and name not in evidence.files:
            found[name] = "not listed"
    return found
