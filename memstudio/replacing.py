"""A file on its way to its name: written beside it, synced, renamed. A kill or a full disk leaves the file of before, or the new one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memstudio.errors import UserError


@contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """A name beside `file` to write under. When the block ends well what was written is synced and becomes the file; else it is removed.

    Raises:
        UserError: it cannot be written there; an OSError of the block comes as that too.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        try:
            yield part
            sync_file(part)
            part.replace(file)
            sync_folder(file.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror or error}): choose another place") from error


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut (Windows has no such call and keeps names with the file)."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Have what a file holds survive a power cut."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
