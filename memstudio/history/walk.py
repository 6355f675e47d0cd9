"""Ways through the tree of revisions: what lies between two of them, and what they change on the way.

A parent's number is always smaller than its child's, so the way between two revisions is found by stepping the larger one up
until they meet; it costs the way, not the history.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, text, union

from memstudio.bank.values import BASE, BlockState, Change, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.history import schema
from memstudio.history.rows import check_revision, damaged, read_all_changes, read_changes
from memstudio.history.values import Revision


class Refs(NamedTuple):
    """Where the study stands, and where redo leads."""

    head: int
    tip: int


def read_refs(db: Path, connection: Connection) -> Refs:
    """Read head and tip.

    Raises:
        UserError: one is not there, or names no revision.
    """
    rows = connection.execute(select(schema.refs).where(schema.refs.c.name.in_(Refs._fields)))
    found = {row.name: row.revision for row in rows}
    for name in Refs._fields:
        revision = found.get(name)
        if not isinstance(revision, int) or not exists(connection, revision):
            raise damaged(db, f"{name} points to revision {revision!r:.40}, which does not exist")
    return Refs(found["head"], found["tip"])


def way(db: Path, connection: Connection, a: int, b: int) -> tuple[list[int], list[int]]:
    """The revisions to undo, newest first, and then to redo, oldest first, to come from a to b.

    Raises:
        UserError: there is no such revision.
    """
    for revision in (a, b):
        require(db, connection, revision)
    up: list[int] = []
    down: list[int] = []
    while a != b:
        if a > b:
            up.append(a)
            a = _parent(db, connection, a)
        else:
            down.append(b)
            b = _parent(db, connection, b)
    return up, down[::-1]


def diff(db: Path, connection: Connection, a: int, b: int) -> list[Change]:
    """The blocks that differ between two revisions, by cluster.

    Raises:
        UserError: there is no such revision, or a change does not start where the one before it ends.
    """
    at_a: dict[ClusterId, BlockState] = {}
    now: dict[ClusterId, BlockState] = {}

    def step(cluster: ClusterId, start: BlockState, end: BlockState) -> None:
        at_a.setdefault(cluster, start)
        if now.get(cluster, start) != start:
            raise _loose(db, cluster)
        now[cluster] = end

    up, down = way(db, connection, a, b)
    for revision in up:
        for change in read_changes(db, connection, revision):
            step(change.cluster, change.after, change.before)
    for revision in down:
        for change in read_changes(db, connection, revision):
            step(change.cluster, change.before, change.after)
    return [Change(cluster, at_a[cluster], now[cluster]) for cluster in sorted(now) if at_a[cluster] != now[cluster]]


def follow(db: Path, overlay: Overlay, changes: Iterable[Change]) -> Overlay:
    """The overlay after the changes; the one given stays as it is.

    Raises:
        UserError: a change does not start where the overlay stands.
    """
    after = dict(overlay)
    for change in changes:
        if after.get(change.cluster, BASE) != change.before:
            raise _loose(db, change.cluster)
        if change.after == BASE:
            after.pop(change.cluster, None)
        else:
            after[change.cluster] = change.after
    return after


def read_revision(db: Path, connection: Connection, revision: int, head: int) -> Revision:
    """One revision, as seen from a head.

    Raises:
        UserError: there is no such revision.
    """
    require(db, connection, revision)
    row = connection.execute(select(schema.revisions).where(schema.revisions.c.id == revision)).one()
    back, _ = way(db, connection, revision, head)
    return _value(db, row, read_changes(db, connection, revision), current=not back, head=head)


def read_log(db: Path, connection: Connection, head: int) -> list[Revision]:
    """All revisions, oldest first, as seen from a head."""
    changes = read_all_changes(db, connection)
    _, passed = way(db, connection, 0, head)
    on_the_way = {0, *passed}
    rows = connection.execute(select(schema.revisions).order_by(schema.revisions.c.id))
    return [_value(db, row, changes.get(row.id, ()), current=row.id in on_the_way, head=head) for row in rows]


def parent_of(db: Path, connection: Connection, revision: int) -> int | None:
    """The revision before; None for revision 0."""
    return None if revision == 0 else _parent(db, connection, revision)


def newest_descendant(connection: Connection, revision: int) -> int:
    """The latest revision that stands on this one, or this one itself."""
    query = text(
        "WITH RECURSIVE above(id) AS (VALUES(:start) UNION ALL "
        "SELECT child.id FROM revisions AS child JOIN above ON child.parent = above.id WHERE child.id > child.parent) "
        "SELECT max(id) FROM above"
    )
    return int(connection.execute(query, {"start": revision}).scalar_one())


def last_id(connection: Connection) -> int:
    """The number of the latest revision."""
    return int(connection.scalar(select(func.max(schema.revisions.c.id))) or 0)


def require(db: Path, connection: Connection, revision: int) -> int:
    """The revision's number, if there is one of it.

    Raises:
        UserError: there is none.
    """
    if not exists(connection, revision):
        raise UserError(f"revision {revision}: the study {db.parent} has revisions 0 to {last_id(connection)}")
    return revision


def exists(connection: Connection, revision: int) -> bool:
    """Whether there is a revision of that number."""
    if not 0 <= revision < 1 << 62:  # SQLite's integers end at 2^63
        return False
    return connection.scalar(select(schema.revisions.c.id).where(schema.revisions.c.id == revision)) is not None


def named_blobs(connection: Connection) -> set[str]:
    """The sha256 of every blob that some revision names."""
    table = schema.changes
    sources = connection.scalars(union(select(table.c.before_source), select(table.c.after_source)))
    return {str(source) for source in sources} - {"base", "pruned"}


def _value(db: Path, row: Row[Any], changes: Sequence[Change], *, current: bool, head: int) -> Revision:
    receipt = check_revision(db, row)
    return Revision(row.id, row.parent, row.verb, row.title, tuple(changes), receipt, row.time_s, current=current, head=row.id == head)


def _parent(db: Path, connection: Connection, revision: int) -> int:
    parent = connection.scalar(select(schema.revisions.c.parent).where(schema.revisions.c.id == revision))
    if not isinstance(parent, int) or not 0 <= parent < revision:
        raise damaged(db, f"revision {revision} has the parent {parent!r:.40}")
    return parent


def _loose(db: Path, cluster: ClusterId) -> UserError:
    return damaged(db, f"a change of block {cluster} does not start where the one before it ends")
