"""Bytes on their way into a new file: digested while they are written, synced before the file counts as there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mmap
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path

from memstudio.bank.files import file_digest, inside
from memstudio.bank.manifest import FileRef
from memstudio.bank.rows import Stretch
from memstudio.errors import UserError

PIECE_BYTES = 1 << 18
"""About what is read at once, but for stretches that go over as they are: little enough that an allocator keeps the memory for the next
piece; pages that are new each time cost more than what is done with them."""
_RATE_BYTES = 8 << 20
_BLOCK_BYTES, _BLOCKS = 8 << 20, 4
Told = Callable[[int], None]
"""Hears how many bytes were written."""
Piece = bytes | bytearray | memoryview | Stretch
"""Bytes that were made, or where those lie that go over as they are."""


def pour(path: Path, pieces: Iterable[Piece], told: Told) -> FileRef:
    """Write a new file from pieces and sync it. The digest is that of the bytes which were handed to the system.

    Raises:
        UserError: a stretch cannot be read, or its file was changed.
        OSError: the disk is full, or the file is there already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb", buffering=0) as stream, ThreadPoolExecutor(1) as digesting, ThreadPoolExecutor(1) as writing:
        blocks = _Blocks(stream, told, digesting, writing)
        for piece in pieces:
            blocks.add(piece)
        found = blocks.finish()
        os.fsync(stream.fileno())
    return found


class _Blocks:
    """A file that grows by blocks of memory: one is filled while those before it are digested and written, each in a thread of its own
    (both let go of the interpreter's lock). The blocks, 32 MiB, are used over and over."""

    def __init__(self, stream: FileIO, told: Told, digesting: ThreadPoolExecutor, writing: ThreadPoolExecutor) -> None:
        self._stream, self._told = stream, told
        self._digesting, self._writing = digesting, writing
        self._digest, self._size = hashlib.sha256(), 0
        self._under_way: deque[tuple[memoryview, int, Future[None], Future[None]]] = deque()
        self._block, self._filled = _block(), 0

    def add(self, piece: Piece) -> None:
        """Take a piece over; what it lies in may change afterwards."""
        made = b"" if isinstance(piece, Stretch) else memoryview(piece)
        count, at = piece.bytes if isinstance(piece, Stretch) else len(piece), 0
        while at < count:
            if self._filled == _BLOCK_BYTES:
                self._hand_over()
            room = self._block[self._filled : self._filled + count - at]
            if isinstance(piece, Stretch):
                piece.read_into(room, at)
            else:
                room[:] = made[at : at + len(room)]
            self._filled, at = self._filled + len(room), at + len(room)

    def finish(self) -> FileRef:
        """Have the last bytes written; not synced yet."""
        self._start()
        while self._under_way:
            self._settle()
        return FileRef(bytes=self._size, sha256=self._digest.hexdigest())

    def _hand_over(self) -> None:
        self._start()
        self._block, self._filled = _block() if len(self._under_way) < _BLOCKS else self._settle(), 0

    def _start(self) -> None:
        part = self._block[: self._filled]
        started = self._digesting.submit(self._digest.update, part), self._writing.submit(_write, self._stream, part)
        self._under_way.append((self._block, self._filled, *started))

    def _settle(self) -> memoryview:
        """Wait for the oldest block that is under way, and give its memory."""
        block, count, digested, written = self._under_way.popleft()
        digested.result()
        written.result()
        self._size += count
        self._told(count)
        return block


def _block() -> memoryview:
    """Memory that starts on a page."""
    return memoryview(mmap.mmap(-1, _BLOCK_BYTES))


def _write(stream: FileIO, part: memoryview) -> None:
    """Write all of it: a whole block past the system's cache where that can be, for a copy into the cache costs about what a digest
    does, and the sync at the end would wait for it."""
    past = len(part) == _BLOCK_BYTES and _past_cache(stream, True)
    while part:
        try:
            part = part[stream.write(part) :]
        except OSError as error:
            if not past or error.errno != errno.EINVAL:
                raise
            past = False  # a file system with blocks of another size, or the rest of one that was cut short
            _past_cache(stream, False)
    if past:
        _past_cache(stream, False)


def _past_cache(stream: FileIO, on: bool) -> bool:
    """Have writes go past the system's cache, or not any more; whether they do. Then they start on a page, in memory and in the file."""
    if sys.platform != "linux":
        return False
    import fcntl

    flags = fcntl.fcntl(stream, fcntl.F_GETFL)
    try:
        fcntl.fcntl(stream, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError:
        return False
    return on


def copy_over(source: Path, relative: str, target: Path, known: FileRef, told: Told) -> FileRef:
    """Copy one file of a bank folder into another.

    Raises:
        UserError: what was read does not have the digest that the manifest gives it.
        OSError: the disk is full.
    """
    found = pour(target / relative, read_pieces(inside(source, relative)), told)
    if found != known:
        raise UserError(f"{source / relative}: wrong checksum: the file is damaged or was changed; copy the bank again")
    return found


def rate_of(folder: Path) -> float | None:
    """How many bytes a second are written into a folder, digested, synced and read back, by a small file that is removed again; None where
    nothing can be written there."""
    piece, start = os.urandom(PIECE_BYTES), time.perf_counter()
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=folder, prefix=".memstudio-") as own:
        made = pour(Path(own) / "rate", [piece] * max(1, _RATE_BYTES // PIECE_BYTES), lambda _: None)
        file_digest(Path(own) / "rate")
        return made.bytes / (time.perf_counter() - start)
    return None


def read_pieces(path: Path) -> Iterator[bytes]:
    """A file, a piece at a time.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
