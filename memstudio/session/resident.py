"""What of a session is resident where, as measured, and how it is let go of. Reads values that the session's thread replaces whole, so
that another thread may ask too."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from memstudio.bank.pages import cached_bytes, forget, mapped_bytes
from memstudio.errors import UserError
from memstudio.session.running import BESIDE, PREVIEWS, Running
from memstudio.session.telling import tells

if TYPE_CHECKING:
    from memstudio.anchor.arm import Arm
    from memstudio.session.study import Study

STATM = Path("/proc/self/statm")
Place = Literal["memory", "card", "page cache"]
"""This process's memory; that of the device; what the system keeps of files, which it gives up where room is needed."""
Part = Literal["cache", "arms", "anchor", "files"]
PARTS: tuple[Part, ...] = ("cache", "arms", "anchor", "files")


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that is resident. frees: the part under which `free` lets it go, None where it does not."""

    what: str
    place: Place
    bytes: int
    detail: str = ""
    frees: Part | None = None


def resident(session: Study) -> tuple[Held, ...]:
    """Everything that is measured now; what this system does not tell is left out.

    Of the process's memory what no other line names comes last.
    """
    named = tuple(_model(session.running))
    own, peak = process_memory()
    mapped = mapped_bytes(session.bank.folder)
    if mapped:
        named += (Held("Mapped pages of the bank", "memory", mapped, "its tree, read where all of it is asked for"),)
    rest: tuple[Held, ...] = ()
    if own is not None and not peak:
        left = own - sum(each.bytes for each in named if each.place == "memory")
        rest = (Held("Everything else", "memory", max(0, left), "Python, libraries, the window"),)
    return (*named, *rest, *_files(session))


def process_memory() -> tuple[int | None, bool]:
    """Resident bytes of this process, and whether that is only its peak; None where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None, False
    if STATM.is_file():
        return int(STATM.read_text().split()[1]) * resource.getpagesize(), False
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024, True


def blocks_of(arm: Arm) -> tuple[str, ...]:
    """The names of the blocks that lie in an arm's slots."""
    return tuple(_name(level, key) for level, key in enumerate(arm.attached.slots.identity, start=1) if key is not None)


@tells
def free(session: Study, part: Part) -> int:
    """Let go of a part of what is resident: the "cache" of blocks; the "arms" that preview edits and read runs along; the "anchor" with
    every arm, which the next run loads again; the "files" that the system keeps of the bank and the study. What a run in the middle
    had computed goes with the anchor, so that it ends at its next token.

    Returns the bytes by which what is resident became less.

    Raises:
        UserError: no such part.
    """
    if part not in PARTS:
        raise UserError(f"{part}: free one of {', '.join(PARTS)}")
    before = _total(session)
    if part == "cache":
        session.running.free_blocks()
    elif part == "files":
        for path in (*_bank_files(session), *_study_files(session)):
            forget(path)
    else:
        session.running.free_arms(anchor=part == "anchor")
    gc.collect()
    _trim()
    return max(0, before - _total(session))


def _total(session: Study) -> int:
    return sum(each.bytes for each in resident(session))


def _model(running: Running) -> Iterator[Held]:
    """Anchor, arms, cache: what there is of them."""
    anchor, supply = running.__dict__.get("anchor"), running.__dict__.get("supply")
    if anchor is None:
        return
    place: Place = "memory" if anchor.device == "cpu" else "card"
    size = sum(each.nbytes for part in (anchor.model.parameters(), anchor.model.buffers()) for each in part)
    yield Held("Anchor", place, size, f"{anchor.architecture}, {anchor.dtype}, on {anchor.device}", "anchor")
    for name, arm in running.arms().items():
        spare: Part | None = "arms" if name in (PREVIEWS, BESIDE) else None
        yield Held(f"Slots: {name}", place, arm.attached.slots.bytes, ", ".join(blocks_of(arm)) or "empty", spare)
    if supply is None:
        return
    figures = supply.cached
    asked = figures.hits + figures.misses
    rate = f"{figures.hits} of {asked} found there" if asked else "nothing asked for yet"
    room = f"of {figures.budget_bytes / 1e6:,.3g} MB" if figures.budget_bytes else "no room"
    yield Held("Cache of blocks", place, figures.bytes, f"{figures.blocks} blocks, {room}; {rate}", "cache" if figures.bytes else None)
    if supply.staging_bytes:
        yield Held("Staging memory", "memory", supply.staging_bytes, "blocks pass through it on their way", "cache")


def _files(session: Study) -> Iterator[Held]:
    """What the system keeps of files; read without the disk."""
    for what, paths in (("Files of the bank", _bank_files(session)), ("Files of the study", _study_files(session))):
        try:
            sizes = [(cached_bytes(path), path.stat().st_size) for path in paths]
        except OSError:  # one went in between; the next count tells
            continue
        counted = [kept for kept, _ in sizes if kept is not None]
        if counted and len(counted) == len(sizes):
            yield Held(what, "page cache", sum(counted), f"of {sum(size for _, size in sizes) / 1e6:,.3g} MB on the disk", "files")


def _bank_files(session: Study) -> list[Path]:
    bank = session.bank
    return [path for name in bank.manifest.files if (path := bank.folder / name).is_file()]


def _study_files(session: Study) -> Sequence[Path]:
    folder = session.study
    if folder is None:
        return ()
    return sorted(path for path in (*folder.glob("study.db*"), *folder.glob("blobs/*.safetensors")) if path.is_file())


def _name(level: int, key: object) -> str:
    kind, cluster = getattr(key, "kind", ""), getattr(key, "cluster", None)
    return f"generic {level}" if kind == "generic" else str(cluster or level)


def _trim() -> None:
    """Have the C library give back what it keeps of memory that was let go of."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
