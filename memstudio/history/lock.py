"""One writer a study: an operating-system lock on a file, which the system frees when the process ends, by kill -9 too."""

import os
import sys
from pathlib import Path

from memstudio.errors import UserError

_FAR = 1 << 30  # Windows locks bytes, and a locked byte cannot be read: lock one far behind the text


class WriterLock:
    """Held from construction to `release`.

    Raises:
        UserError: another writer has the study open, or the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self._file = os.open(path, flags, 0o644)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}): choose another folder with --study") from error
        try:
            _lock(self._file)
        except OSError as error:
            holder = _read_holder(self._file)
            os.close(self._file)
            raise UserError(
                f"study {path.parent}: open for writing in another place{holder}: close it there or choose another --study"
            ) from error
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let the next writer in. The file stays: removing it would let two writers lock two files of one name."""
        os.close(self._file)


def _read_holder(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    text = os.read(file, 20).decode("ascii", "replace").strip()
    return f" (process {text})" if text.isdigit() else ""


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
