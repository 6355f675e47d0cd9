"""A study's history: revisions of a bank, each a set of block changes on a parent, and a head that moves between them.

Undo, redo, checkout, restart and branch are one mechanism: the head ref moves, and the overlay follows the changes on the way.
A second ref, the tip, remembers where the head came from, so that redo knows which child to take.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy import Connection

from memstudio.bank.values import BASE, Change, Overlay
from memstudio.errors import UserError
from memstudio.history import blobs, schema, walk
from memstudio.history.begin import begin, check_bank, check_format
from memstudio.history.binding import BLOBS, DATABASE, LOCK, Binding, look, read_binding
from memstudio.history.connect import guarded, read_once
from memstudio.history.lock import WriterLock
from memstudio.history.rows import check_writable, damaged, dump_receipt, is_digest, one_line, write_revision
from memstudio.history.values import Revision

if TYPE_CHECKING:  # torch takes seconds to import, and log or undo read no blob
    import torch

__all__ = ["Binding", "Store", "open_store", "read_binding"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the writer stands: nobody else can move it, so it is kept instead of read again."""

    head: int
    tip: int
    overlay: Overlay


def open_store(folder: Path, *, bank_digest: str, bank_name: str, bank_path: str, readonly: bool = False) -> "Store":
    """Open a study of the bank with that digest, for writing (created when absent) or for reading beside a writer.

    Raises:
        UserError: a study of another bank, a second writer, not a study, a newer format, a damaged file; nothing is changed then.
    """
    folder = Path(folder).absolute()
    wanted = Binding(bank_digest, bank_name, bank_path)
    found = look(folder)
    if found is not None:
        check_bank(folder, found, wanted)
    if readonly:
        if found is None:
            raise UserError(f"{folder}: no study is here: name a study, or make an edit to begin one")
        check_format(folder)
        return Store(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}): choose another folder with --study") from error
    lock = WriterLock(folder / LOCK)
    try:
        return Store(folder, begin(folder, wanted), lock)
    except BaseException:
        lock.release()
        raise


class Store:
    """An open study. Used from one thread at a time. Made by `open_store`."""

    def __init__(self, folder: Path, writer: Connection | None = None, lock: WriterLock | None = None) -> None:
        self.folder = folder
        self._db = folder / DATABASE
        self._blobs = folder / BLOBS
        self._writer = writer
        self._lock = lock
        self._closed = False
        self._place: _Place | None = None
        try:
            if writer is not None:
                self._place = self._read(self._arrive)
                self._sweep()
        except BaseException:
            if writer is not None:
                writer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def readonly(self) -> bool:
        return self._writer is None

    @property
    def head(self) -> int:
        """The revision that the study stands at."""
        return self._place.head if self._place is not None else self._read(self._refs).head

    def log(self) -> list[Revision]:
        """All revisions, oldest first, other branches and redo targets included."""
        return self._read(lambda connection: walk.read_log(self._db, connection, self._refs(connection).head))

    def revision(self, revision_id: int) -> Revision:
        """One revision.

        Raises:
            UserError: there is none of that number.
        """
        return self._read(lambda connection: walk.read_revision(self._db, connection, revision_id, self._refs(connection).head))

    def overlay(self, revision: int | None = None) -> Overlay:
        """What differs from the bank as shipped at a revision (None: the head); the caller's own copy.

        Raises:
            UserError: there is no such revision.
        """
        return self._read(lambda connection: self._overlay(connection, revision))

    def diff(self, a: int, b: int) -> list[Change]:
        """The blocks that differ between two revisions, by cluster: `before` at a, `after` at b. Costs the way between them.

        Raises:
            UserError: there is no such revision.
        """
        return self._read(lambda connection: walk.diff(self._db, connection, a, b))

    def undo_target(self) -> int | None:
        """The head's parent; None at revision 0."""
        return self._read(lambda connection: walk.parent_of(self._db, connection, self._refs(connection).head))

    def redo_target(self) -> int | None:
        """The head's child on the way to the tip; None at the tip."""
        return self._read(self._redo)

    def put_blob(self, tensor: "torch.Tensor") -> str:
        """Keep a block's new tensor (float, any device) and give its sha256; it is on the disk on return.

        One that no commit names is removed when the study is next opened for writing.
        """
        self._require_writer()
        return blobs.put(self._blobs, tensor)

    def blob(self, sha256: str) -> "torch.Tensor":
        """The tensor of that digest, on the CPU. Its shape is whatever was put: compare it with the bank's layout.

        Raises:
            UserError: there is no such blob, or its contents do not have that digest.
        """
        return blobs.read(self._blobs, sha256)

    @contextmanager
    def commit(self, verb: str, title: str, changes: Sequence[Change], receipt: Mapping[str, Any] | None = None) -> Iterator[Revision]:
        """Put a revision on the head. The body runs between the rows and COMMIT; if it raises, nothing has happened.

        Within the body the store already reads as after the commit.

        Raises:
            UserError: no changes, a change that does not start at what stands at the head, a blob that is not there, a full disk.
            ValueError: a receipt that is not JSON, a cluster twice, a state that no bank can have.
        """
        writer, place = self._require_writer()
        kept = tuple(sorted(changes, key=lambda change: change.cluster))
        title = one_line(title)
        check_writable(verb, title, kept)
        self._check_changes(title, kept, place.overlay)
        plain = json.loads(dump_receipt(receipt or {}))
        overlay = walk.follow(self._db, place.overlay, kept)

        def write() -> tuple[Revision, _Place]:
            number = walk.last_id(writer) + 1
            revision = Revision(number, place.head, verb, title, kept, plain, time.time(), current=True, head=True)
            write_revision(writer, revision)
            _point(writer, head=number, tip=number)
            return revision, _Place(number, number, overlay)

        with self._transaction(write) as revision:
            yield revision

    @contextmanager
    def move(self, revision_id: int) -> Iterator[Revision]:
        """Set the head to a revision (undo, redo, checkout). The body runs before COMMIT; if it raises, the head stays.

        On the way to the tip the tip stays, so redo leads back; elsewhere it becomes the newest descendant of the new head.

        Raises:
            UserError: there is no such revision.
        """
        writer, place = self._require_writer()

        def write() -> tuple[Revision, _Place]:
            overlay = self._overlay(writer, revision_id)
            off_the_way, _ = walk.way(self._db, writer, revision_id, place.tip)
            tip = walk.newest_descendant(writer, revision_id) if off_the_way else place.tip
            _point(writer, head=revision_id, tip=tip)
            return walk.read_revision(self._db, writer, revision_id, revision_id), _Place(revision_id, tip, overlay)

        with self._transaction(write) as revision:
            yield revision

    def close(self) -> None:
        """Let go of the files and of the writer lock; again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    @contextmanager
    def _transaction(self, write: Callable[[], tuple[Revision, _Place]]) -> Iterator[Revision]:
        writer, before = self._require_writer()
        with guarded(self._db):
            transaction = writer.begin()
        try:
            with guarded(self._db):
                revision, self._place = write()
            yield revision
            with guarded(self._db):
                transaction.commit()
        except BaseException:
            self._place = before
            with guarded(self._db):
                transaction.rollback()
            raise

    def _require_writer(self) -> tuple[Connection, _Place]:
        if self._closed:
            raise ValueError(f"study {self.folder} is closed")
        if self._writer is None or self._place is None:
            raise UserError(f"study {self.folder}: is open for reading only: open it for writing to edit")
        return self._writer, self._place

    def _read(self, query: Callable[[Connection], T]) -> T:
        if self._closed:
            raise ValueError(f"study {self.folder} is closed")
        if self._writer is None:
            return read_once(self._db, query)
        with guarded(self._db):
            if self._writer.in_transaction():  # in the body of a commit or a move
                return query(self._writer)
            with self._writer.begin():
                return query(self._writer)

    def _check_changes(self, title: str, changes: Sequence[Change], overlay: Overlay) -> None:
        if not changes:
            raise UserError(f"{title}: changes no block, so there is nothing to keep: choose other blocks")
        for change in changes:
            stands = overlay.get(change.cluster, BASE)
            if change.before != stands:
                raise UserError(f"block {change.cluster}: the edit was made for {change.before}, but {stands} is there now: make it again")
            source = change.after.source
            if is_digest(source) and not blobs.has(self._blobs, source):
                raise UserError(f"block {change.cluster}: the blob {source:.12}… is not in the study: make the edit again")

    def _arrive(self, connection: Connection) -> _Place:
        head, tip = walk.read_refs(self._db, connection)
        if walk.way(self._db, connection, head, tip)[0]:
            raise damaged(self._db, f"redo leads from revision {head} to {tip}, which does not stand on it")
        return _Place(head, tip, self._overlay(connection, head))

    def _sweep(self) -> None:
        try:
            blobs.sweep(self._blobs, self._read(walk.named_blobs))
        except OSError as error:
            raise UserError(f"{self._blobs}: cannot be written ({error.strerror}): mend the folder's permissions") from error

    def _refs(self, connection: Connection) -> walk.Refs:
        if self._place is not None:
            return walk.Refs(self._place.head, self._place.tip)
        return walk.read_refs(self._db, connection)

    def _overlay(self, connection: Connection, revision: int | None) -> Overlay:
        if self._place is None:
            target = walk.read_refs(self._db, connection).head if revision is None else revision
            return walk.follow(self._db, {}, walk.diff(self._db, connection, 0, target))
        if revision is None:
            return dict(self._place.overlay)
        return walk.follow(self._db, self._place.overlay, walk.diff(self._db, connection, self._place.head, revision))

    def _redo(self, connection: Connection) -> int | None:
        _, down = walk.way(self._db, connection, *self._refs(connection))
        return down[0] if down else None


def _point(writer: Connection, *, head: int, tip: int) -> None:
    for name, revision in (("head", head), ("tip", tip)):
        writer.execute(schema.refs.update().where(schema.refs.c.name == name).values(revision=revision))
