"""Bytes on their way into a new file: digested while they are written, synced before the file counts as there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from memstudio.bank.files import inside
from memstudio.bank.manifest import FileRef
from memstudio.errors import UserError

PIECE_BYTES = 1 << 20
Piece = bytes | bytearray | memoryview
Told = Callable[[int], None]
"""Hears how many bytes were written."""


def pour(path: Path, pieces: Iterable[Piece], told: Told) -> FileRef:
    """Write a new file from pieces and sync it. A piece is digested while it is written, and must not change afterwards.

    Raises:
        OSError: the disk is full, or the file is there already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as stream, ThreadPoolExecutor(1) as digesting:
        last: Future[None] | None = None
        for piece in pieces:
            if last is not None:
                last.result()
            last = digesting.submit(digest.update, piece)
            stream.write(piece)
            size += len(piece)
            told(len(piece))
        if last is not None:
            last.result()
        stream.flush()
        os.fsync(stream.fileno())
    return FileRef(bytes=size, sha256=digest.hexdigest())


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
