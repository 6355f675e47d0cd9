"""Bytes on their way into a new file: digested while they are written, synced before the file counts as there."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path

from memstudio.bank.files import inside
from memstudio.bank.manifest import FileRef
from memstudio.errors import UserError

PIECE_BYTES = 1 << 20
"""About what is read at once where numbers are made of it."""
_BLOCK_BYTES, _BLOCKS = 8 << 20, 4
Told = Callable[[int], None]
"""Hears how many bytes were written."""


@dataclass(frozen=True, eq=False, slots=True)
class Stretch:
    """`count` bytes of an open file from byte `begin` on, which go over as they are."""

    source: FileIO
    begin: int
    count: int

    def into(self, room: memoryview, at: int) -> int:
        """Read from its byte `at` on into `room`, which holds no more than is left; gives how many bytes came, 1 at least.

        Raises:
            UserError: the file cannot be read, or ends before.
        """
        try:
            self.source.seek(self.begin + at)
            came = self.source.readinto(room)
        except OSError as error:
            raise UserError(f"{self.source.name}: cannot be read ({error.strerror})") from error
        if not came:
            raise UserError(f"{self.source.name}: the file changed while it was exported: export again")
        return came

    def read(self) -> bytearray:
        """All of it.

        Raises:
            UserError: the file cannot be read, or ends before.
        """
        found, at = bytearray(self.count), 0
        with memoryview(found) as room:
            while at < self.count:
                at += self.into(room[at:], at)
        return found


Piece = bytes | bytearray | memoryview | Stretch


def pour(path: Path, pieces: Iterable[Piece], told: Told) -> FileRef:
    """Write a new file from pieces and sync it. The digest is that of the bytes which were handed to the system.

    Raises:
        UserError: a stretch cannot be read.
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
        count, into = (piece.count, piece.into) if isinstance(piece, Stretch) else (len(piece), partial(_copy, memoryview(piece)))
        at = 0
        while at < count:
            if self._filled == _BLOCK_BYTES:
                self._hand_over()
            came = into(self._block[self._filled : self._filled + count - at], at)
            self._filled, at = self._filled + came, at + came

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


def _copy(made: memoryview, room: memoryview, at: int) -> int:
    room[:] = made[at : at + len(room)]
    return len(room)


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


def read_pieces(path: Path) -> Iterator[Piece]:
    """A file as it is.

    Raises:
        UserError: it cannot be read.
    """
    try:
        source = path.open("rb", buffering=0)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    with source:
        yield Stretch(source, 0, path.stat().st_size)
