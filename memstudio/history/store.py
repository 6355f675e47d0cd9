"""A study's history: revisions of a bank, each a set of block changes on a parent, and a head that moves between them.

Undo, redo, checkout, restart and branch are one mechanism: the head ref moves, and the overlay follows the changes on the way.
A second ref, the tip, remembers where the head came from, so that redo knows which child to take.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy import Connection

from memstudio.bank.values import BASE, Change, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.history import blobs, names, purging, schema, using, walk
from memstudio.history.begin import begin, check_bank
from memstudio.history.binding import LOCK, Binding, look, read_binding
from memstudio.history.connect import guarded
from memstudio.history.lock import WriterLock
from memstudio.history.reading import Place, Reading
from memstudio.history.rows import check_writable, damaged, dump_receipt, is_digest, one_line, write_receipt, write_revision
from memstudio.history.values import Count, KeptUse, Purged, Revision

if TYPE_CHECKING:  # torch takes seconds to import, and log or undo read no blob
    import torch

__all__ = ["Binding", "Store", "open_store", "read_binding"]

T = TypeVar("T")


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


class Store(Reading):
    """An open study. Used from one thread at a time. Made by `open_store`."""

    def __init__(self, folder: Path, writer: Connection | None = None, lock: WriterLock | None = None) -> None:
        super().__init__(folder, writer)
        self._lock = lock
        try:
            if writer is not None:
                self._place = self._read(self._arrive)
                self._sweep()
                purging.finish(self._db, writer)
        except BaseException:
            if writer is not None:
                writer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def name(self, revision_id: int, name: str, *, force: bool = False) -> None:
        """Give a revision a name; `force` takes it from another one.

        Raises:
            UserError: no such revision, a name that cannot be one (see `names.check_name`), or another revision has it.
        """
        with self._at_once() as writer:
            names.write_name(self._db, writer, name, revision_id, force=force)

    def unname(self, name: str) -> int:
        """Take a name away; gives the revision that had it.

        Raises:
            UserError: no revision has it.
        """
        with self._at_once() as writer:
            return names.remove_name(self._db, writer, name)

    def annotate(self, revision_id: int, receipt: Mapping[str, Any]) -> Revision:
        """Replace the receipt of a revision by one that was measured later; gives the revision as it is now.

        Raises:
            UserError: there is no such revision.
            ValueError, TypeError: a receipt that is not JSON.
        """
        text = dump_receipt(receipt)
        with self._at_once() as writer:
            walk.require(self._db, writer, revision_id)
            write_receipt(writer, revision_id, text)
            return walk.read_revision(self._db, writer, revision_id, self.head)

    def keep_use(self, use: KeptUse) -> int:
        """Keep what was counted, in place of an earlier count of the same prompts under the same name at the same revision, unless that one
        counted more (with effects, or to the end). Gives the id of the one that stands.

        Raises:
            UserError: there is no such revision.
            ValueError: counts that could not be read again.
        """
        using.check_writable(use)
        with self._at_once() as writer:
            walk.require(self._db, writer, use.revision)
            return using.write_use(writer, use)

    def add_to_runs(self, counts: Mapping[ClusterId, Count], *, prompts: int = 0, measured: int = 0) -> None:
        """Count a single run, or its trace, at the head: one small transaction.

        Raises:
            UserError: the study was tampered with, or cannot be written.
        """
        with self._at_once() as writer:
            using.add_to_runs(self._db, writer, self.head, counts, prompts=prompts, measured=measured)

    def forget_use(self, use_id: int) -> None:
        """Let a count go.

        Raises:
            UserError: there is none of that number.
        """
        with self._at_once() as writer:
            using.remove_use(writer, use_id)

    def purge(self) -> Purged:
        """Let every blob go that the head does not name, for good, and scrub the receipts that told of them.

        What needs one of them cannot be gone to again; a kill at any point leaves a study that opens, and the next writer ends the work.

        Raises:
            UserError: a full disk, or no permission to remove files.
        """
        keep = {state.source for state in self._require_writer()[1].overlay.values()}
        with self._at_once() as writer:
            receipts = purging.mark(self._db, writer, keep)
        count, size = self._sweep()
        return Purged(count, size, receipts, purging.finish(self._db, self._require_writer()[0]))

    def put_blob(self, tensor: "torch.Tensor") -> str:
        """Keep a block's new tensor (float, any device) and give its sha256; it is on the disk on return.

        One that no commit names is removed when the study is next opened for writing.
        """
        self._require_writer()
        return blobs.put(self._blobs, tensor)

    @contextmanager
    def commit(
        self,
        verb: str,
        title: str,
        changes: Sequence[Change],
        receipt: Mapping[str, Any] | None = None,
        told: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Iterator[Revision]:
        """Put a revision on the head. The body runs between the rows and COMMIT; if it raises, nothing has happened.

        told: hears within the transaction how many of the changes are written, and of how many; where it raises, nothing has happened.

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

        def write() -> tuple[Revision, Place]:
            number = walk.last_id(writer) + 1
            revision = Revision(number, place.head, verb, title, kept, plain, time.time(), current=True, head=True)
            write_revision(writer, revision, told)
            purging.unmark(self._db, writer, (change.after.source for change in kept))
            _point(writer, head=number, tip=number)
            return revision, Place(number, number, overlay)

        with self._transaction(write) as revision:
            yield revision

    @contextmanager
    def move(self, revision_id: int) -> Iterator[Revision]:
        """Set the head to a revision (undo, redo, checkout). The body runs before COMMIT; if it raises, the head stays.

        On the way to the tip the tip stays, so redo leads back; elsewhere it becomes the newest descendant of the new head.

        Raises:
            UserError: there is no such revision, or it needs a block that was purged.
        """
        writer, place = self._require_writer()

        def write() -> tuple[Revision, Place]:
            overlay = self._overlay(writer, revision_id)
            purging.check_there(self._db, writer, revision_id, overlay)
            off_the_way, _ = walk.way(self._db, writer, revision_id, place.tip)
            tip = walk.newest_descendant(writer, revision_id) if off_the_way else place.tip
            _point(writer, head=revision_id, tip=tip)
            return walk.read_revision(self._db, writer, revision_id, revision_id), Place(revision_id, tip, overlay)

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
    def _transaction(self, write: Callable[[], tuple[T, Place]]) -> Iterator[T]:
        writer, before = self._require_writer()
        with guarded(self._db):
            transaction = writer.begin()
        try:
            with guarded(self._db):
                result, self._place = write()
            yield result
            with guarded(self._db):
                transaction.commit()
        except BaseException:
            self._place = before
            with guarded(self._db):
                transaction.rollback()
            raise

    @contextmanager
    def _at_once(self) -> Iterator[Connection]:
        """A transaction of its own that leaves the head where it is."""
        writer, place = self._require_writer()
        with self._transaction(lambda: (writer, place)) as connection, guarded(self._db):
            yield connection

    def _require_writer(self) -> tuple[Connection, Place]:
        if self._closed:
            raise ValueError(f"study {self.folder} is closed")
        if self._writer is None or self._place is None:
            raise UserError(f"study {self.folder}: is open for reading only: open it for writing to edit")
        return self._writer, self._place

    def _check_changes(self, title: str, changes: Sequence[Change], overlay: Overlay) -> None:
        if not changes:
            raise UserError(f"{title}: changes no block, so there is nothing to keep: choose other blocks")
        for change in changes:
            stands = overlay.get(change.cluster, BASE)
            if change.before != stands:
                raise UserError(f"block {change.cluster}: the edit was made for {change.before}, but {stands} is there now: make it again")
            source = change.after.source
            if is_digest(source) and not blobs.has(self._blobs, source):
                when = self.purged().get(source)
                why = "is not in the study" if when is None else f"was purged on {purging.day(when)}"
                raise UserError(f"block {change.cluster}: the blob {source:.12}… {why}: make the edit again")

    def _arrive(self, connection: Connection) -> Place:
        head, tip = walk.read_refs(self._db, connection)
        if walk.way(self._db, connection, head, tip)[0]:
            raise damaged(self._db, f"redo leads from revision {head} to {tip}, which does not stand on it")
        return Place(head, tip, self._overlay(connection, head))

    def _sweep(self) -> tuple[int, int]:
        try:
            return blobs.sweep(self._blobs, self._read(walk.named_blobs) - set(self.purged()))
        except OSError as error:
            raise UserError(f"{self._blobs}: cannot be written ({error.strerror}): mend the folder's permissions") from error


def _point(writer: Connection, *, head: int, tip: int) -> None:
    for name, revision in (("head", head), ("tip", tip)):
        writer.execute(schema.refs.update().where(schema.refs.c.name == name).values(revision=revision))
