"""How a study begins, or is taken up again by a writer: one transaction, so that a kill leaves a study or a blank file."""

import time
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Connection

from memstudio.errors import UserError
from memstudio.history import schema
from memstudio.history.binding import DATABASE, Binding, examine, format_of
from memstudio.history.connect import connect_writer, guarded
from memstudio.history.migrations import migrate
from memstudio.replacing import sync_folder


def begin(folder: Path, wanted: Binding) -> Connection:
    """Open the database for writing, under the writer lock; a new or blank one gets tables and revision 0, all in one transaction."""
    db = folder / DATABASE
    writer = connect_writer(db)
    try:
        with guarded(db), writer.begin():
            found = examine(db, writer)
            if found is None:
                migrate(writer, 0)
                _first_rows(writer, wanted)
            else:
                check_bank(folder, found, wanted)
                migrate(writer, format_of(writer))
                examine(db, writer)
                _remember_path(writer, wanted.bank_path)
        sync_folder(folder)
        sync_folder(folder.parent)
    except BaseException:
        writer.close()
        raise
    return writer


def check_bank(folder: Path, found: Binding, wanted: Binding) -> None:
    """Raise the UserError of a study that belongs to another bank."""
    if found.bank_digest != wanted.bank_digest:
        raise UserError(
            f"study {folder}: belongs to bank {found.bank_name!r:.80} ({found.bank_digest:.12}…), "
            f"not to {wanted.bank_name!r:.80} ({wanted.bank_digest:.12}…): open it with its own bank or choose another --study"
        )


def _first_rows(writer: Connection, binding: Binding) -> None:
    writer.execute(schema.meta.insert(), [{"key": key, "value": value} for key, value in asdict(binding).items()])
    writer.execute(
        schema.revisions.insert().values(id=0, parent=None, verb="start", title="the bank as shipped", receipt="{}", time_s=time.time())
    )
    writer.execute(schema.refs.insert(), [{"name": "head", "revision": 0}, {"name": "tip", "revision": 0}])


def _remember_path(writer: Connection, bank_path: str) -> None:
    meta = schema.meta.c
    writer.execute(schema.meta.update().where(meta.key == "bank_path", meta.value != bank_path).values(value=bank_path))
