"""Names that a person gives to revisions: rows of `refs` beside head and tip, which move by themselves."""

import re
from pathlib import Path

from sqlalchemy import Connection, select

from memstudio.errors import UserError
from memstudio.history import schema, walk
from memstudio.history.rows import damaged

_NAME = re.compile(r"(?!-)[A-Za-z0-9._/-]{1,64}")
_OWN = ("head", "tip")


def check_name(name: str) -> str:
    """A name that a revision may have: 1 to 64 letters, digits, ".", "_", "-" and "/"; not a number, not head or tip.

    Raises:
        UserError: it is none.
    """
    fault = _fault(name)
    if fault is not None:
        raise UserError(f"name {name!r:.80}: {fault}")
    return name


def read_names(db: Path, connection: Connection) -> dict[str, int]:
    """All names and their revisions, sorted.

    Raises:
        UserError: one could not have been given, or names no revision.
    """
    found: dict[str, int] = {}
    for name, revision in connection.execute(select(schema.refs).where(schema.refs.c.name.not_in(_OWN))):
        if not isinstance(name, str) or _fault(name) is not None:
            raise damaged(db, f"a revision has the name {name!r:.80}")
        if not isinstance(revision, int) or not walk.exists(connection, revision):
            raise damaged(db, f"{name} points to revision {revision!r:.40}, which does not exist")
        found[name] = revision
    return dict(sorted(found.items()))


def write_name(db: Path, connection: Connection, name: str, revision: int, *, force: bool) -> None:
    """Give a revision a name; `force` takes it from another one.

    Raises:
        UserError: no such revision, no such name possible, or another revision has it.
    """
    refs = schema.refs
    walk.require(db, connection, revision)
    have = read_names(db, connection).get(check_name(name))
    if have is None:
        connection.execute(refs.insert().values(name=name, revision=revision))
    elif have != revision and not force:
        raise UserError(f"name {name}: is revision {have} already; choose another, or move it by force")
    else:
        connection.execute(refs.update().where(refs.c.name == name).values(revision=revision))


def remove_name(db: Path, connection: Connection, name: str) -> int:
    """Take a name away; gives the revision that had it.

    Raises:
        UserError: no revision has it.
    """
    revision = read_names(db, connection).get(check_name(name))
    if revision is None:
        raise UserError(f"name {name}: no revision has it; {_known(db, connection)}")
    connection.execute(schema.refs.delete().where(schema.refs.c.name == name))
    return revision


def find(db: Path, connection: Connection, text: str, refs: walk.Refs) -> int:
    """The revision that a number, a name, "head" or "tip" stands for.

    Raises:
        UserError: none.
    """
    word = text.strip()
    if word.isascii() and word.isdigit():
        return walk.require(db, connection, int(word[:40]))
    revision = {"head": refs.head, "tip": refs.tip}.get(word)
    if revision is None:
        revision = read_names(db, connection).get(word)
    if revision is None:
        raise UserError(f"revision {word!r:.80}: is neither a number nor a name here; {_known(db, connection)}")
    return revision


def _fault(name: str) -> str | None:
    if _NAME.fullmatch(name) is None:
        return 'write 1 to 64 letters, digits, ".", "_", "-" or "/", not "-" first'
    if name.isdigit():
        return "is a number, and those are the revisions' own; add a letter"
    if name.lower() in _OWN:
        return "moves by itself; choose another"
    return None


def _known(db: Path, connection: Connection) -> str:
    names = list(read_names(db, connection))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    numbers = f"revisions are 0 to {walk.last_id(connection)}"
    return f"{numbers}, names {', '.join(names[:8])}{more}" if names else f"{numbers}, no names yet"
