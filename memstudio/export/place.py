"""A folder on its way to its final name: it is written beside it and gets it when it is whole; nothing is left of it otherwise."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from memstudio.errors import UserError
from memstudio.replacing import sync_folder


@contextlib.contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A new folder beside `out` to write into. What has no final name (see `give_name`) when the context ends is removed.

    Raises:
        UserError: `out` holds something, or cannot be written.
    """
    refuse_taken(out)
    part = out.with_name(f"{out.name}.part")
    try:
        with said(out):
            _clear(part)
            part.mkdir(parents=True)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def give_name(part: Path, out: Path) -> None:
    """Give a folder that is whole its final name.

    Raises:
        UserError: the name was taken meanwhile, or cannot be written.
    """
    with said(out):
        for folder in {path.parent for path in part.rglob("*")}:
            sync_folder(folder)
        refuse_taken(out)
        if out.is_dir():
            out.rmdir()
        part.rename(out)
        sync_folder(out.parent)


def refuse_taken(out: Path) -> None:
    """Refuse a target that holds anything; an empty folder is fine.

    Raises:
        UserError: there is something.
    """
    try:
        taken = out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir())))
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}): choose another place") from error
    if taken:
        what = "holds files already" if out.is_dir() else "is there already"
        raise UserError(f"{out}: {what}: choose another name, or an empty folder")


def refuse_full(out: Path, needed: int, what: str) -> None:
    """Refuse a target whose disk has not so many bytes left.

    Raises:
        UserError: it has not.
    """
    folder = next(folder for folder in out.resolve().parents if folder.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(f"{out}: the {what} takes about {needed:,} bytes, the disk has {free:,}: choose another disk")


@contextlib.contextmanager
def said(out: Path) -> Iterator[None]:
    """What goes wrong while writing, as a line for people."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): nothing is left of it; choose another place") from error


def _clear(part: Path) -> None:
    """What an earlier export that was killed left beside the final name."""
    if part.is_symlink() or part.is_file():
        part.unlink()
    shutil.rmtree(part, ignore_errors=True)
