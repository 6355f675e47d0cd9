"""The reading half of an open study: what a reader beside a writer can ask, and what the writer asks itself between its writes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from memstudio.bank.values import Change, Overlay
from memstudio.errors import UserError
from memstudio.history import blobs, names, purging, using, walk
from memstudio.history.binding import BLOBS, DATABASE
from memstudio.history.connect import guarded, read_once
from memstudio.history.values import KeptUse, Revision

if TYPE_CHECKING:  # torch takes seconds to import, and log or undo read no blob
    import torch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the writer stands: nobody else can move it, so it is kept instead of read again."""

    head: int
    tip: int
    overlay: Overlay


class Reading:
    """A study as it is read: without a writer each read sees the latest commit, with one it sees what the writer has just written."""

    def __init__(self, folder: Path, writer: Connection | None) -> None:
        self.folder = folder
        self._db = folder / DATABASE
        self._blobs = folder / BLOBS
        self._writer = writer
        self._closed = False
        self._place: Place | None = None

    @property
    def readonly(self) -> bool:
        return self._writer is None

    @property
    def writing(self) -> bool:
        """Whether it is open, and for writing."""
        return self._writer is not None and not self._closed

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

    def names(self) -> dict[str, int]:
        """The names that were given, and the revisions that have them; sorted."""
        return self._read(lambda connection: names.read_names(self._db, connection))

    def find(self, text: str) -> int:
        """The revision that a number, a name, "head" or "tip" stands for.

        Raises:
            UserError: none.
        """
        return self._read(lambda connection: names.find(self._db, connection, text, self._refs(connection)))

    def purged(self) -> dict[str, float]:
        """The sha256 of every blob that was purged, and when (unix time)."""
        return self._read(lambda connection: purging.read_purged(self._db, connection))

    def uses(self, *, runs: bool = True, sets: bool = True) -> tuple[KeptUse, ...]:
        """How prompts used the blocks, as it was counted: single runs, sets of prompts, or both; oldest first."""
        return self._read(lambda connection: using.read_uses(self._db, connection, runs=runs, sets=sets))

    def blob(self, sha256: str) -> "torch.Tensor":
        """The tensor of that digest, on the CPU. Its shape is whatever was put: compare it with the bank's layout.

        Raises:
            UserError: there is no such blob (any more), or its contents do not have that digest.
        """
        if not blobs.has(self._blobs, sha256) and (time_s := self.purged().get(sha256)) is not None:
            raise UserError(f"the block {sha256:.12}… was purged on {purging.day(time_s)}: what needs it cannot be shown or run any more")
        return blobs.read(self._blobs, sha256)

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
