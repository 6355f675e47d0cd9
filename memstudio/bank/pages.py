"""How much of a file the system holds in memory, as measured: what was read of a bank before is there until the room is needed."""

import ctypes
import mmap
import os
import sys
from pathlib import Path

import numpy as np

_SMAPS = Path("/proc/self/smaps")
_CACHESTAT = 451
"""The number of Linux's call cachestat (6.5 and later), the same on every machine that is younger than it."""


def cached_bytes(path: Path) -> int | None:
    """Bytes of a file that lie in the system's page cache, in whole pages; None where this system does not say.

    Raises:
        OSError: the file cannot be opened.
    """
    if sys.platform == "win32":
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = _counted(descriptor)
        return _mapped(descriptor) if found is None else found
    finally:
        os.close(descriptor)


def forget(path: Path) -> None:
    """Ask the system to drop what it holds of a file; the next read comes from the disk. What others have mapped stays.

    Raises:
        OSError: the file cannot be opened.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # what was not written yet is not dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _counted(descriptor: int) -> int | None:
    """As Linux counts them; it looks at no more than what it holds."""
    if not sys.platform.startswith("linux"):
        return None
    whole, pages = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    call = ctypes.CDLL(None, use_errno=True).syscall
    if call(_CACHESTAT, descriptor, ctypes.byref(whole), ctypes.byref(pages), 0) != 0:
        return None
    return int(pages[0]) * mmap.PAGESIZE


def _mapped(descriptor: int) -> int | None:
    """As mincore says, page by page."""
    size = os.fstat(descriptor).st_size
    if not size:
        return 0
    with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as mapped:
        view = np.frombuffer(mapped, np.uint8)
        pages = np.zeros(-(-size // mmap.PAGESIZE), np.uint8)
        mincore = ctypes.CDLL(None, use_errno=True).mincore
        failed = mincore(ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(size), ctypes.c_void_p(pages.ctypes.data))
        del view
    return None if failed else int((pages & 1).sum()) * mmap.PAGESIZE


def mapped_bytes(folder: Path) -> int | None:
    """Bytes of this process's memory that are mapped pages of files in a folder; None where this system does not say (Linux does)."""
    if not _SMAPS.is_file():
        return None
    inside, found = False, 0
    within = f"{folder.resolve()}/"
    for line in _SMAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "Rss":
            found += int(value.split()[0]) << 10 if inside else 0
        elif "-" in name.split(" ", 1)[0]:  # the first line of a mapping, which ends in the file's path
            inside = within in line
    return found
