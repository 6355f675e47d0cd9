"""A smaller bank as a folder of format 1: the blocks that a plan keeps, edits burned in, what was taken down gone, the tree whole.

It is written beside its final name, synced, read back, and renamed when it is settled; nothing stands under the final name before that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from memstudio.bank.bank import open_bank
from memstudio.bank.manifest import (
    MANIFEST,
    README,
    TREE,
    Coarser,
    Dtype,
    FileRef,
    Manifest,
    blocks_file,
    dump_manifest,
    parse_manifest,
)
from memstudio.bank.values import Fallback, Overlay
from memstudio.errors import UserError
from memstudio.export.card import bank_card
from memstudio.export.level import Blob, level_file, level_rows
from memstudio.export.place import beside, give_name, refuse_full, refuse_taken, said
from memstudio.export.plan import ExportPlan, Kept
from memstudio.export.plan_file import plan_lines
from memstudio.export.pouring import copy_over, pour
from memstudio.export.silence import Gone
from memstudio.export.texts import write_texts
from memstudio.jobs import Job
from memstudio.replacing import sync_folder

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank

PLAN = "plan.jsonl"


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """What goes into a smaller bank. overlay, blob: the states of the revision whose edits are burned in; gone: what was taken down;
    version: of the program that writes it."""

    plan: ExportPlan
    kept: Kept
    fallback: Fallback
    overlay: Overlay
    blob: Blob
    gone: Gone
    version: str


class Draft:
    """A bank that is whole on disk and read back, but does not have its final name yet. write_s, read_back_s: how long that took."""

    def __init__(self, folder: Path, out: Path, manifest: Manifest, wanted: Wanted, write_s: float, read_back_s: float) -> None:
        self.folder = folder
        self.out = out
        self.write_s, self.read_back_s = write_s, read_back_s
        self._manifest, self._wanted = manifest, wanted
        self.settled = False

    def settle(self, figures: Mapping[str, JsonValue]) -> str:
        """Give it its card with these figures, and its final name. Gives the digest of the bank.

        Raises:
            UserError: the final name was taken meanwhile, or cannot be written.
        """
        parent = {**(self._manifest.parent or {}), **figures}
        wanted = self._wanted
        with said(self.out):
            (self.folder / README).unlink()
            card = pour(self.folder / README, [bank_card(self._manifest.name, parent, wanted.kept, wanted.fallback).encode()], _silent)
            manifest = self._manifest.model_copy(update={"parent": parent, "files": {**self._manifest.files, README: card}})
            _write_manifest(self.folder, manifest)
        give_name(self.folder, self.out)
        self.settled = True
        return open_bank(self.out).digest


@contextlib.contextmanager
def drafted(bank: Bank, out: Path, wanted: Wanted, job: Job) -> Iterator[Draft]:
    """Write the bank beside `out` and read it back; what is not settled when the context ends is removed. The source is not touched.

    Memory stays small for a bank of any size. job: bytes written, then bytes read back.

    Raises:
        UserError: `out` holds something or lies in the bank, the disk is full, the source is damaged, the fallback is not to be had.
        Cancelled: the job was cancelled; nothing is left.
    """
    _check(bank, out, wanted)
    with beside(out) as part:
        start = time.perf_counter()
        with said(out):
            manifest = _write(bank, part, out.name, wanted, job)
        written = time.perf_counter()
        open_bank(part).verify(job.progress)
        yield Draft(part, out, manifest, wanted, written - start, time.perf_counter() - written)


def _check(bank: Bank, out: Path, wanted: Wanted) -> None:
    refuse_taken(out)
    if out.resolve().is_relative_to(bank.folder.resolve()):
        raise UserError(f"{out}: lies in the bank that is exported: choose a place outside it")
    if wanted.fallback == "generic" and not bank.manifest.generic:
        raise UserError(f"fallback generic: {bank.name!r} has no generic blocks: choose zero or sibling")
    refuse_full(out, expected_bytes(bank, wanted.kept), "bank")


def expected_bytes(bank: Bank, kept: Kept) -> int:
    """About how many bytes the folder will take."""
    others = sum(reference.bytes for path, reference in bank.manifest.files.items() if not path.startswith("blocks/"))
    return others + kept.bytes + 80 * kept.count


def _write(bank: Bank, part: Path, name: str, wanted: Wanted, job: Job) -> Manifest:
    total, done = expected_bytes(bank, wanted.kept), 0

    def told(count: int) -> None:
        nonlocal done, total
        done += count
        total = max(total, done)
        job.progress(done, total)

    source, files = bank.manifest, {}
    files[TREE] = copy_over(bank.folder, TREE, part, source.files[TREE], told)
    for path, reference in source.files.items():
        if path.startswith("anchor/"):
            files[path] = copy_over(bank.folder, path, part, reference, told)
    dtype, coarser = stored_as(bank, wanted)
    for level in range(1, bank.tree.depth + 1):
        if source.layout(level).n:
            rows = level_rows(bank, level, wanted.kept, wanted.overlay, wanted.blob, dtype, coarser)
            files[blocks_file(level)] = pour(part / blocks_file(level), level_file(rows), told)
    files |= write_texts(bank, part, wanted.gone, told)
    files[PLAN] = pour(part / PLAN, (line.encode() for line in plan_lines(wanted.plan, wanted.kept.steps)), told)
    parent = _parent(bank, wanted, files[PLAN])
    files[README] = pour(part / README, [bank_card(_name(name, source), parent, wanted.kept, wanted.fallback).encode()], told)
    fields = {"name": _name(name, source), "fallback": wanted.fallback, "parent": parent, "files": dict(sorted(files.items()))}
    manifest = source.model_copy(update={**fields, "dtype": dtype, "coarser": coarser})
    _write_manifest(part, manifest)
    return manifest


def stored_as(bank: Bank, wanted: Wanted) -> tuple[Dtype, tuple[Coarser, ...]]:
    """The dtype of the smaller bank, and those that some of its blocks are stored in instead."""
    own = bank.manifest
    choice = wanted.plan.precision
    if choice == "int8" or choice == "int4":
        return choice, ()
    if own.coarser:
        return own.dtype, own.coarser
    counts = wanted.kept.counts
    coarser: tuple[Coarser, ...] = ("int8", "int4")
    return own.dtype, tuple(each for each in coarser if each in counts or (own.generic and each == wanted.kept.generic))


def _parent(bank: Bank, wanted: Wanted, plan: FileRef) -> dict[str, JsonValue]:
    kept = wanted.kept
    return {
        "name": bank.name,
        "sha256": bank.digest,
        "revision": wanted.plan.revision,
        "rank_by": wanted.plan.rank_by,
        "plan": {"file": PLAN, "sha256": plan.sha256},
        "bytes": {"before": wanted.plan.bank_bytes, "after": kept.bytes},
        "precision": {str(each): count for each, count in kept.counts.items()},
        "blocks": [{"kept": len(ids), "of": of} for ids, of in zip(kept.levels, kept.whole, strict=True)],
        "memstudio": wanted.version,
    }


def _name(name: str, source: Manifest) -> str:
    """The name of the folder where a manifest may hold it, else the source's."""
    try:
        parse_manifest(dump_manifest(source.model_copy(update={"name": name})), "")
    except UserError:
        return source.name
    return name


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    beside = folder / f"{MANIFEST}.new"
    beside.unlink(missing_ok=True)
    raw = dump_manifest(manifest)
    parse_manifest(raw, str(folder / MANIFEST))
    pour(beside, [raw], _silent)
    beside.replace(folder / MANIFEST)
    sync_folder(folder)


def _silent(_: int) -> None:
    pass
