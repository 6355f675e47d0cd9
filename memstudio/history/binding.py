"""Which bank a study belongs to, and whether a folder is a study at all: asked before anything in it is touched."""

import stat
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from memstudio.errors import UserError
from memstudio.history import schema
from memstudio.history.connect import read_once
from memstudio.history.migrations import APPLICATION_ID, FORMAT, TABLES_SINCE
from memstudio.history.rows import damaged, is_digest
from memstudio.history.walk import read_refs

DATABASE = "study.db"
BLOBS = "blobs"
LOCK = "lock"

_OURS = {BLOBS, LOCK, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"}


@dataclass(frozen=True, slots=True)
class Binding:
    """The bank a study belongs to. `bank_path` is where it was last seen: a hint, never trusted without the digest."""

    bank_digest: str
    bank_name: str
    bank_path: str


def read_binding(folder: Path) -> Binding:
    """Read what bank a study belongs to, without a lock.

    Raises:
        UserError: the folder is no study, or one of a newer format.
    """
    binding = look(folder)
    if binding is None:
        raise UserError(f"{folder}: is not a study (no {DATABASE} with revisions in it): name a study folder")
    return binding


def look(folder: Path) -> Binding | None:
    """The binding of the study in `folder`; None where a new study can begin (nothing there, or a beginning cut short).

    Raises:
        UserError: the folder holds other things, or a study that cannot be read.
    """
    folder = folder.absolute()
    db = folder / DATABASE
    try:
        if not _holds_database(folder):
            return None
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}): name a folder that you may read") from error
    return read_once(db, lambda connection: examine(db, connection))


def examine(db: Path, connection: Connection) -> Binding | None:
    """Check that an open database is a study and give its binding; None for a blank one.

    One of an older format is read as it is; a writer brings it up to date.

    Raises:
        UserError: it is another program's file, of a newer format, or its tables or refs are not a study's.
    """
    application = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    objects = connection.exec_driver_sql("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'").all()
    if not objects and application == 0 and version == 0:
        return None
    if application != APPLICATION_ID:
        raise UserError(f"{db}: is another program's SQLite file, not a study: name a study folder")
    if version > FORMAT:
        raise UserError(f"{db}: has format {version}, this memstudio reads up to {FORMAT}: update memstudio")
    _check_tables(db, connection, {(kind, name) for kind, name in objects}, version)
    read_refs(db, connection)
    return _binding(db, connection)


def format_of(connection: Connection) -> int:
    """How many migrations an open study has been through."""
    return _pragma(connection, "user_version")


def _holds_database(folder: Path) -> bool:
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a study folder: name a folder")
    db = folder / DATABASE
    if not db.exists() and not db.is_symlink():
        others = sorted(path.name for path in folder.iterdir() if path.name not in _OURS)
        if others:
            raise UserError(f"{folder}: is not a study ({others[0]!r:.80} is there, no {DATABASE}): name a study, or a new or empty folder")
        return False
    _check_plain(folder)
    return True


def _check_plain(folder: Path) -> None:
    for name in (DATABASE, BLOBS):
        path = folder / name
        if path.is_symlink():
            raise UserError(f"{path}: is a link that may lead out of the study: put the thing itself there")
    if not stat.S_ISREG((folder / DATABASE).stat().st_mode):
        raise UserError(f"{folder / DATABASE}: is not a file: name a study folder")


def _check_tables(db: Path, connection: Connection, objects: set[tuple[str, str]], version: int) -> None:
    tables = [table for table in schema.metadata.sorted_tables if TABLES_SINCE.get(table.name, 1) <= version]
    wanted = {("table", table.name) for table in tables}
    wanted |= {("index", str(index.name)) for table in tables for index in table.indexes}
    if objects != wanted:
        odd = sorted(objects ^ wanted)[0]
        raise damaged(db, f"the {odd[0]} {odd[1]!r:.80} is {'missing' if odd in wanted else 'none of a study'}")
    for table in tables:
        columns = [(row.name, row.hidden) for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({table.name})")]
        if columns != [(column.name, 0) for column in table.columns]:
            raise damaged(db, f"the table {table.name!r} has other columns than a study's")


def _binding(db: Path, connection: Connection) -> Binding:
    rows = {row.key: row.value for row in connection.execute(select(schema.meta))}
    values = [rows.get(key) for key in ("bank_digest", "bank_name", "bank_path")]
    digest, name, path = (value if isinstance(value, str) and len(value) <= 4096 else None for value in values)
    if digest is None or name is None or path is None or not is_digest(digest):
        raise damaged(db, "it does not say which bank it belongs to")
    return Binding(digest, name, path)


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
