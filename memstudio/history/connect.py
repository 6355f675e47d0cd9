"""How study.db is opened: one writer with WAL and full syncing, and readers that neither lock nor create anything.

SQLite makes -wal and -shm files when even a read-only connection opens a WAL database that has none. So a reader looks first:
beside a writer those files exist and it joins them; without them nobody writes, and the file is read as immutable, then looked
at again: if a writer came meanwhile the read is repeated. Each read has its own short connection, so it sees the latest commit.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from memstudio.errors import UserError

T = TypeVar("T")

_LONGEST_VALUE_BYTES = 64 << 20
_ATTEMPTS = 50


def connect_writer(db: Path) -> Connection:
    """The writer's one connection, made under the writer lock; every transaction on it starts at once (BEGIN IMMEDIATE)."""
    engine = _engine(db, "mode=rwc", "IMMEDIATE")
    with guarded(db):
        connection = engine.connect()
        raw = connection.connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            raw.execute(f"PRAGMA {pragma}")
        raw.close()
    return connection


def read_once(db: Path, query: Callable[[Connection], T]) -> T:
    """Run `query` in one snapshot of the database, beside a writer or without one.

    Raises:
        UserError: the file is missing or is damaged.
    """
    for _ in range(_ATTEMPTS):
        before = _signature(db)
        joined = _wal(db).exists()
        engine = _reading_engine(db, joined)
        try:
            with guarded(db), engine.connect() as connection, connection.begin():
                result = query(connection)
        except UserError:
            if joined or _signature(db) == before:
                raise
            continue
        if joined or (_signature(db) == before and not _wal(db).exists()):
            return result
    raise UserError(f"{db}: is being written too often to be read: try again")


@contextmanager
def guarded(db: Path) -> Iterator[None]:
    """Turn what SQLite reports (damage, a full disk, no permission) into one line for the user. A broken constraint stays a bug."""
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise
    except DBAPIError as error:
        raise UserError(_line(db, error.orig or error)) from error
    except sqlite3.DatabaseError as error:  # from the raw connection, before SQLAlchemy has it
        raise UserError(_line(db, error)) from error


def _line(db: Path, error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{db}: SQLite says {said!r}: check the disk and the folder's permissions, or take the study from a copy"


@lru_cache(maxsize=8)
def _reading_engine(db: Path, joined: bool) -> Engine:
    """An engine holds no connection (NullPool), and making one takes longer than a read."""
    return _engine(db, "mode=ro" if joined else "mode=ro&immutable=1", "DEFERRED")


def _engine(db: Path, mode: str, begin: str) -> Engine:
    uri = f"{db.as_uri()}?{mode}"

    def connect() -> sqlite3.Connection:
        # No implicit transactions (isolation_level None): BEGIN stands below. The session opens on one thread and works on another.
        raw = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE_BYTES)
        raw.execute("PRAGMA trusted_schema = OFF")
        raw.execute("PRAGMA cell_size_check = ON")
        return raw

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f"BEGIN {begin}"))
    return engine


def _wal(db: Path) -> Path:
    return db.with_name(db.name + "-wal")


def _signature(db: Path) -> tuple[int, int, int]:
    try:
        stat = db.stat()
    except OSError as error:
        raise UserError(f"{db}: cannot be read ({error.strerror}): name a study folder") from error
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
