"""Letting old blocks go for good: which blobs, what the rows say of it afterwards, and no trace left in the free pages of study.db.

A purge is marked in one transaction before any file goes. A kill after it leaves work that the next writer ends: the sweep removes
the blobs, and `finish` rewrites the database file, because SQLite keeps what was overwritten in free pages and in its log.
"""

import math
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from memstudio.bank.values import BlockState, ClusterId
from memstudio.errors import UserError
from memstudio.history import schema
from memstudio.history.connect import guarded
from memstudio.history.migrations import TABLES_SINCE
from memstudio.history.rows import check_revision, damaged, dump_receipt, is_digest
from memstudio.history.walk import named_blobs

_UNFINISHED = "purge_unfinished"
_FIGURES = ("reliability", "generalization", "generalization_reached", "locality", "portability", "outside_identical", "proportions")
_COUNTS = ("blocks", "bytes", "descendants", "orphans", "digests", "seconds", "protocol", "gate", "measured", "residents", "changed_count")
_NAMES_NO_KNOWLEDGE = frozenset(_FIGURES + _COUNTS)
"""Keys of a receipt that hold counts and digests only; prompts, answers, notes and the edit itself go with the blocks."""
_TAKEDOWN, _TAUGHT = "erase", "learn"


def read_purged(db: Path, connection: Connection) -> dict[str, float]:
    """The sha256 of every purged blob, and when (unix time); none in a study of a format before there was purging.

    Raises:
        UserError: a row holds what no purge writes.
    """
    if int(connection.exec_driver_sql("PRAGMA user_version").scalar_one()) < TABLES_SINCE["purged"]:
        return {}
    found: dict[str, float] = {}
    for sha256, time_s in connection.execute(select(schema.purged)):
        if not isinstance(sha256, str) or not is_digest(sha256) or not isinstance(time_s, float) or not math.isfinite(time_s):
            raise damaged(db, f"{sha256!r:.80} is said to be purged at {time_s!r:.40}")
        found[sha256] = time_s
    return found


def check_there(db: Path, connection: Connection, revision: int, states: Mapping[ClusterId, BlockState]) -> None:
    """Refuse to go to a revision whose blocks were purged.

    Raises:
        UserError: one was.
    """
    gone = read_purged(db, connection)
    for cluster, state in sorted(states.items()):
        if state.source in gone:
            raise UserError(
                f"revision {revision} needs the block {cluster} as it was, which was purged on {day(gone[state.source])}: "
                f"its history cannot be walked back; restore {cluster} gives the block as shipped"
            )


def mark(db: Path, connection: Connection, keep: Collection[str]) -> int:
    """Write down that every named blob but those of `keep` is purged, and scrub the receipts that told of them.

    Returns how many receipts were scrubbed.
    """
    known = read_purged(db, connection)
    fresh = sorted(named_blobs(connection) - set(keep) - set(known))
    now = time.time()
    if fresh:
        connection.execute(schema.purged.insert(), [{"sha256": sha256, "time_s": now} for sha256 in fresh])
    scrubbed = _scrub(db, connection, {*known, *fresh})
    if fresh or scrubbed:
        connection.execute(schema.meta.insert().prefix_with("OR REPLACE").values(key=_UNFINISHED, value="1"))
    return scrubbed


def unmark(db: Path, connection: Connection, sources: Iterable[str]) -> None:
    """These blobs are in the study again (the same block was brought back)."""
    for source in sorted(set(sources) & set(read_purged(db, connection))):
        connection.execute(schema.purged.delete().where(schema.purged.c.sha256 == source))


def finish(db: Path, writer: Connection) -> bool:
    """Rewrite the database without its free pages and empty its log, where a purge asks for it; outside any transaction.

    Returns False where a reader of another program holds the log: the next purge or writer tries again.

    Raises:
        UserError: a full disk.
    """
    meta = schema.meta
    with guarded(db):
        with writer.begin():
            if writer.scalar(select(meta.c.value).where(meta.c.key == _UNFINISHED)) is None:
                return True
        raw = writer.connection.cursor()
        raw.execute("VACUUM")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        row = raw.fetchone()
        raw.close()
        if row is None or row[0] != 0:
            return False
        with writer.begin():
            writer.execute(meta.delete().where(meta.c.key == _UNFINISHED))
    return True


def day(time_s: float) -> str:
    """A unix time as a date here."""
    return time.strftime("%Y-%m-%d", time.localtime(time_s))


def _scrub(db: Path, connection: Connection, gone: Collection[str]) -> int:
    """Keep of the receipts that tell of purged blocks, of all takedowns and of the documents that they took out only what names no
    knowledge; titles likewise."""
    rows, table = schema.revisions, schema.changes
    told: set[int] = set()
    left: set[int] = set()
    for revision, before, after in connection.execute(select(table.c.revision, table.c.before_source, table.c.after_source)):
        if before in gone or after in gone:
            told.add(revision)
        if after in gone:
            left.add(revision)
    count = 0
    revisions = [(row, check_revision(db, row)) for row in connection.execute(select(rows).order_by(rows.c.id))]
    out = {text for row, receipt in revisions if row.verb == _TAKEDOWN for text in _texts(receipt, "learned")}
    left |= {row.id for row, receipt in revisions if row.verb == _TAUGHT and not out.isdisjoint(_texts(receipt, "documents"))}
    for row, receipt in revisions:
        if row.id not in told | left and row.verb != _TAKEDOWN:
            continue
        kept: dict[str, Any] = {key: value for key, value in receipt.items() if key in _NAMES_NO_KNOWLEDGE}
        title = f"{row.verb}, purged" if row.id in left or row.verb == _TAKEDOWN else row.title
        if kept != receipt or title != row.title:
            connection.execute(rows.update().where(rows.c.id == row.id).values(receipt=dump_receipt(kept), title=title))
            count += 1
    return count


def _texts(receipt: Mapping[str, Any], field: str) -> list[str]:
    """The texts of the documents that a receipt's edit names; what is none is passed over, since a study may come from anybody."""
    edit = receipt.get("edit")
    named = edit.get(field) if isinstance(edit, dict) else None
    each = [document.get("text") for document in named if isinstance(document, dict)] if isinstance(named, list) else []
    return [text for text in each if isinstance(text, str)]
