"""The folder that proves what a study did: written whole, and read as untrusted input by whoever checks it.

OUT/evidence.json says what was measured, on which bank, and names every other file with its digest; changes.patch/ holds the blocks,
facts.jsonl the facts that were changed, pictures/ and index.html are for people. What was taken down is in none of them: a fact that was
erased is named by its digest alone, so that only who has it already can check it.

Nothing in evidence.json is believed before it has the form below: known names, bounded lengths, and of files none but the six that an
evidence can have, so that no path of it leads anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from memstudio.bank.files import ByteCount, file_digest
from memstudio.bank.manifest import FileRef, Sha256
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.errors import UserError
from memstudio.export.manifest import BLOCKS, MANIFEST, MAX_MANIFEST_BYTES, BankRef
from memstudio.facts.formats.own import to_record
from memstudio.facts.read import MAX_FILE_BYTES
from memstudio.facts.receipt import LISTED, NAMES
from memstudio.facts.values import Fact

EVIDENCE, PATCH, FACTS, PAGE, PICTURES = "evidence.json", "changes.patch", "facts.jsonl", "index.html", "pictures"
SHARES, NORMS = "shares.svg", "norms.svg"
MAX_BYTES = 64 << 20
LIMITS = {
    PAGE: MAX_BYTES,
    f"{PICTURES}/{SHARES}": 1 << 20,
    f"{PICTURES}/{NORMS}": 1 << 20,
    FACTS: MAX_FILE_BYTES,
    f"{PATCH}/{MANIFEST}": MAX_MANIFEST_BYTES,
    f"{PATCH}/{BLOCKS}": 1 << 40,
}
"""The files that may stand beside evidence.json, and how many bytes each may have."""
_ALWAYS = (PAGE, f"{PICTURES}/{SHARES}", f"{PICTURES}/{NORMS}", f"{PATCH}/{MANIFEST}")
LINE = 4000

Line = Annotated[str, StringConstraints(max_length=LINE)]
Text = Annotated[str, StringConstraints(max_length=1 << 20)]
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
    shares: Annotated[dict[Line, tuple[Count, Count]], Field(max_length=len(NAMES))]
    broken: Annotated[tuple[Line, ...], Field(max_length=100)]
    reason: Line


class Likely(_Part):
    """A next token and its natural log-probability."""

    token: Count
    text: Text
    logprob: Finite


class Said(_Part):
    """What a state of the bank says to a prompt: greedy text, and the likeliest next tokens, likeliest first."""

    text: Text
    top: Annotated[tuple[Likely, ...], Field(min_length=1, max_length=16)]


class Asked(_Part):
    """A prompt, before and after."""

    prompt: Text
    before: Said
    after: Said


class Counted(_Part):
    """A share as a receipt has it."""

    k: Count
    n: Count
    share: Share | None
    low: Share | None
    high: Share | None
    protocol: Line


class Answer(_Part):
    """An answer before and after."""

    fact: Text
    prompt: Text
    before: Text
    after: Text


class EditedAnswer(Answer):
    """One of an edited fact."""

    target: Text
    role: Line


class Block(_Part):
    """A changed block: digests or words for its states, and the L2 norm of the difference in float32."""

    cluster: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}/(0|[1-9][0-9]{0,8})$")]
    before: Annotated[str, StringConstraints(max_length=200)]
    after: Annotated[str, StringConstraints(max_length=200)]
    norm: Annotated[float, Field(ge=0, allow_inf_nan=False)]


Measured = Share | Literal["not measured"]


class Receipt(_Part):
    """What all the revisions together did, measured; see `facts.receipt.make_receipt`."""

    reliability: Measured
    generalization: Measured
    generalization_reached: Measured
    locality: Measured
    portability: Measured
    outside_identical: Measured
    proportions: dict[Line, Counted]
    answers: Annotated[tuple[EditedAnswer, ...], Field(max_length=LISTED)]
    changed: Annotated[tuple[Answer, ...], Field(max_length=LISTED)]
    changed_count: Count
    residents: Count
    digests: Annotated[tuple[Block, ...], Field(max_length=LISTED)]
    protocol: Line
    measured: Literal[True]


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
    receipt: Receipt
    prompts: Annotated[tuple[Asked, ...], Field(max_length=1000)]
    taken_down: Annotated[tuple[TakenDown, ...], Field(max_length=100_000)]
    files: dict[str, FileRef]

    @field_validator("files")
    @classmethod
    def _known_files(cls, files: dict[str, FileRef]) -> dict[str, FileRef]:
        for path, listed in files.items():
            if path not in LIMITS:
                raise ValueError(f"{path[:80]!r} is no file of an evidence folder")
            if listed.bytes > LIMITS[path]:
                raise ValueError(f"{path} is said to have {listed.bytes} bytes, it may have {LIMITS[path]}")
        for path in _ALWAYS:
            if path not in files:
                raise ValueError(f"{path} is not listed")
        return files


def fact_digest(fact: Fact) -> str:
    """sha256 of all that a fact is but its target: what an erased fact is known by."""
    record = {name: value for name, value in to_record(fact).items() if name != "target"}
    return hashlib.sha256(json.dumps(record, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_evidence(out: Path, fill: Callable[[Path], dict[str, Any]], page: Callable[[Path, Evidence], None]) -> Evidence:
    """Write an evidence folder under a temporary name and rename it: it is there in full, or not at all.

    fill: writes patch and facts into the folder it is given, and gives the fields of `Evidence` but format, version and files.
    page: writes page and pictures; the evidence that it is given lists no files.

    Raises:
        UserError: something is there already, or it cannot be written.
    """
    _check_free(out)
    whole_path = out.absolute() if out.name not in ("", "..") else out.resolve()
    part = whole_path.with_name(f".{whole_path.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        about = Evidence.model_construct(format="memstudio-evidence", version=1, files={}, **fill(part))
        page(part, about)
        files = {path.relative_to(part).as_posix(): path for path in sorted(part.rglob("*")) if path.is_file()}
        refs = {name: FileRef(bytes=path.stat().st_size, sha256=file_digest(path)) for name, path in files.items()}
        body = about.model_copy(update={"files": refs}).model_dump(mode="json")
        text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (part / EVIDENCE).write_text(text + "\n", encoding="utf-8")
        whole = read_evidence(part)  # what nobody could read is not written
        if whole_path.exists():
            whole_path.rmdir()
        part.rename(whole_path)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): choose another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return whole


def _check_free(out: Path) -> None:
    try:
        taken = out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir())))
    except OSError as error:
        raise UserError(f"{out}: cannot be looked into ({error.strerror}): choose another place") from None
    if taken:
        raise UserError(f"{out}: is there already: choose another name, or remove it")


def read_evidence(folder: Path) -> Evidence:
    """Read and check evidence.json; the files beside it are not looked at.

    Raises:
        UserError: not an evidence folder, or not what it must be; one line with the field's name.
    """
    path = folder / EVIDENCE
    if path.is_symlink() or not path.is_file():
        raise UserError(f"{folder}: is no evidence: {'a link stands for' if path.is_symlink() else 'no'} {EVIDENCE} in it")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise UserError(f"{path}: {size} bytes, it may have {MAX_BYTES}")
    try:
        text = read_limited(path, MAX_BYTES).decode()
        strict_json(text)
        return Evidence.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step)[:80] for step in first["loc"])
        raise UserError(f"{path}: {_line(place)}: {_line(first['msg'].removeprefix('Value error, '))}") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {_line(str(error))}") from None


def _line(text: str) -> str:
    """A reason as one short line without control characters: names in it are the writer's."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


def odd_files(folder: Path, evidence: Evidence, count: ByteCount | None = None) -> dict[str, str]:
    """What does not agree with the digests: path → "missing", "changed", "a link" or "not listed". count: hears the bytes read."""
    found: dict[str, str] = {}
    for name, listed in evidence.files.items():
        path = folder / name
        if any(part.is_symlink() for part in (path, *path.parents) if part.is_relative_to(folder) and part != folder):
            found[name] = "a link"
        elif not path.is_file():
            found[name] = "missing"
        elif path.stat().st_size != listed.bytes or file_digest(path, count) != listed.sha256:
            found[name] = "changed"
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix().encode(errors="replace").decode()
        if (path.is_symlink() or path.is_file()) and name != EVIDENCE and name not in evidence.files:
            found[name] = "not listed"
    return found
