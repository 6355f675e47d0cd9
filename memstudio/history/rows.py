"""Rows to values and back. A study may come from anybody, so every value read is checked before it is believed."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from memstudio.bank.values import BlockState, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history import schema
from memstudio.history.values import Revision

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORDS = ("base", "pruned")
_LONGEST_TEXT = 2000
_STRETCH = 4096
_LARGEST_LEVEL = 999
_LARGEST_INDEX = 10**9 - 1  # these two as parse_cluster reads them


States = dict[tuple[str, float], BlockState]


def is_digest(text: str) -> bool:
    """Whether `text` is a sha256 in lower-case hex (and so a safe file name)."""
    return _SHA256.fullmatch(text) is not None


def damaged(db: Path, what: str) -> UserError:
    """The one line about a row that cannot be."""
    return UserError(f"{db}: {what}: the study is damaged, take it from a copy or start another with --study")


def read_changes(db: Path, connection: Connection, revision: int) -> tuple[Change, ...]:
    """The changes of a revision, by cluster.

    Raises:
        UserError: a row holds what no commit writes.
    """
    table = schema.changes
    rows = connection.execute(select(table).where(table.c.revision == revision).order_by(table.c.level, table.c.idx))
    states: States = {}
    return tuple(_change(db, row, states) for row in rows)


def read_all_changes(db: Path, connection: Connection) -> dict[int, list[Change]]:
    """The changes of all revisions, each by cluster."""
    table = schema.changes
    found: dict[int, list[Change]] = {}
    states: States = {}
    for row in connection.execute(select(table).order_by(table.c.revision, table.c.level, table.c.idx)):
        found.setdefault(row[0], []).append(_change(db, row, states))
    return found


def one_line(text: str) -> str:
    """The text on one line and without control characters (a title is printed on terminals)."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def dump_receipt(receipt: Mapping[str, Any]) -> str:
    """A receipt as it is kept.

    Raises:
        ValueError, TypeError: it holds something else than JSON values (NaN is none).
    """
    return json.dumps(dict(receipt), allow_nan=False, sort_keys=True)


def check_writable(verb: str, title: str, changes: Sequence[Change]) -> None:
    """Refuse what could be written but not be read again.

    Raises:
        ValueError: a cluster or a state that no bank can have, a cluster twice, an endless title.
    """
    if max(len(verb), len(title)) > _LONGEST_TEXT:
        raise ValueError(f"{verb}: the title has more than {_LONGEST_TEXT} characters")
    if len({change.cluster for change in changes}) < len(changes):
        raise ValueError(f"{title}: one cluster is changed twice")
    sound: set[BlockState] = set()
    for change in changes:
        fault = cluster_fault(*change.cluster)
        if fault is None and change.after not in sound:
            fault = _state_fault(change.after.source, float(change.after.scale))
            sound.add(change.after)
        if fault is not None:
            raise ValueError(f"{title}: {fault}")


def write_revision(connection: Connection, revision: Revision, told: Callable[[int, int], None]) -> None:
    """Insert a revision and its changes; told: hears how many of them are written, and of how many."""
    connection.execute(
        schema.revisions.insert().values(
            id=revision.id,
            parent=revision.parent,
            verb=revision.verb,
            title=revision.title,
            receipt=dump_receipt(revision.receipt),
            time_s=revision.time_s,
        )
    )
    statement = schema.changes.insert().compile(dialect=connection.dialect)
    for start in range(0, len(revision.changes), _STRETCH):
        told(start, len(revision.changes))
        rows = [
            (
                revision.id,
                *change.cluster,
                change.before.source,
                float(change.before.scale),
                change.after.source,
                float(change.after.scale),
            )
            for change in revision.changes[start : start + _STRETCH]
        ]
        connection.exec_driver_sql(str(statement), rows)
    told(len(revision.changes), len(revision.changes))


def write_receipt(connection: Connection, revision: int, receipt: str) -> None:
    """Replace the receipt of a revision that is there by one from `dump_receipt`."""
    connection.execute(schema.revisions.update().where(schema.revisions.c.id == revision).values(receipt=receipt))


def check_revision(db: Path, row: Row[Any]) -> dict[str, Any]:
    """Check a row of `revisions` and give its receipt, parsed.

    A parent's number is smaller than its child's, so no chain of parents can close into a ring.

    Raises:
        UserError: the row holds what no commit writes.
    """
    where = f"revision {row.id!r:.40}"
    if not is_count(row.id) or (row.id == 0) != (row.parent is None):
        raise damaged(db, f"{where} has the parent {row.parent!r:.40}")
    if row.parent is not None and not (is_count(row.parent) and row.parent < row.id):
        raise damaged(db, f"{where} has the parent {row.parent!r:.40}")
    if not all(isinstance(text, str) and len(text) <= _LONGEST_TEXT and text.isprintable() for text in (row.verb, row.title)):
        raise damaged(db, f"{where} has no readable verb and title")
    if not isinstance(row.time_s, float) or not math.isfinite(row.time_s):
        raise damaged(db, f"{where} has no time")
    try:
        receipt = json.loads(row.receipt)
    except (TypeError, ValueError, RecursionError) as error:
        raise damaged(db, f"{where} has a receipt that is not JSON") from error
    if not isinstance(receipt, dict):
        raise damaged(db, f"{where} has a receipt that is not a JSON object")
    return receipt


def _change(db: Path, row: Sequence[Any], states: States) -> Change:
    """A change; states: those that were read and checked already, since most of many changes go between the same two."""
    revision, level, index, *sides = row
    fault = cluster_fault(level, index)
    before, after = (states.get((source, scale)) for source, scale in (sides[:2], sides[2:]))
    if fault is None and (before is None or after is None):
        fault = _state_fault(*sides[:2]) or _state_fault(*sides[2:])
    if fault is not None:
        raise damaged(db, f"a change of revision {revision!r:.40}: {fault}")
    before = before or states.setdefault((sides[0], sides[1]), BlockState(*sides[:2]))
    after = after or states.setdefault((sides[2], sides[3]), BlockState(*sides[2:]))
    return Change(ClusterId(level, index), before, after)


def cluster_fault(level: object, index: object) -> str | None:
    """Why this is no cluster that `parse_cluster` would read; None where it is one."""
    if is_count(level, _LARGEST_LEVEL) and level != 0 and is_count(index, _LARGEST_INDEX):
        return None
    return f"{level!r:.40}/{index!r:.40} is no cluster"


def _state_fault(source: object, scale: object) -> str | None:
    if not isinstance(source, str) or not (source in _WORDS or is_digest(source)):
        return f"the state {source!r:.80} is neither base, pruned nor a blob's sha256"
    if not isinstance(scale, float) or not math.isfinite(scale):
        return f"the scale {scale!r:.40} is not a finite number"
    return None


def is_count(value: object, largest: int = 1 << 62) -> bool:
    """Whether this is a whole number from 0."""
    return isinstance(value, int) and 0 <= value <= largest
