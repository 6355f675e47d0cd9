"""A file that went through all migrations has the tables that schema.py speaks of, and one of an older format opens."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, inspect

from memstudio.bank.values import BASE, PRUNED, Change, ClusterId
from memstudio.history.migrations import APPLICATION_ID, FORMAT, MIGRATIONS, migrate
from memstudio.history.schema import metadata
from memstudio.history.store import read_binding
from memstudio.history.values import Count
from tests.history.conftest import BANK, OpenStudy

GOLD = ClusterId(3, 4)
FIRST = (
    *((f"INSERT INTO meta VALUES ('{key}', '{value}')") for key, value in BANK.items()),
    "INSERT INTO revisions VALUES (0, NULL, 'start', 'the bank as shipped', '{}', 1.0)",
    "INSERT INTO revisions VALUES (1, 0, 'prune', 'gold', '{}', 2.0)",
    "INSERT INTO changes VALUES (1, 3, 4, 'base', 1.0, 'pruned', 1.0)",
    "INSERT INTO refs VALUES ('head', 1), ('tip', 1)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    "PRAGMA user_version = 1",
)
"""The rows of a study as the first format had them."""


def format_of(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "study.db")) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def write_first_format(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "study.db")) as connection, connection:
        for statement in (*MIGRATIONS[0], *FIRST):
            connection.execute(statement)


def test_a_study_of_the_first_format_is_read_as_it_is_and_brought_up_to_date_by_a_writer(open_study: OpenStudy, folder: Path) -> None:
    write_first_format(folder)
    before = (folder / "study.db").read_bytes()
    reader = open_study(readonly=True)
    assert (reader.head, reader.overlay(), reader.names(), reader.purged(), reader.uses()) == (1, {GOLD: PRUNED}, {}, {}, ())
    assert [revision.title for revision in reader.log()] == ["the bank as shipped", "gold"]
    assert read_binding(folder).bank_name == "tiny"
    assert (folder / "study.db").read_bytes() == before
    writer = open_study()
    writer.name(1, "first")
    writer.add_to_runs({GOLD: Count(1)}, prompts=1)
    with writer.commit("restore", "gold", [Change(GOLD, PRUNED, BASE)]):
        pass
    assert (reader.head, reader.names()) == (2, {"first": 1})
    assert [(use.revision, use.counts) for use in reader.uses()] == [(1, {GOLD: Count(1)})]
    writer.close()
    assert format_of(folder) == FORMAT > 1


def test_the_migrations_end_at_the_schema() -> None:
    engine, direct = create_engine("sqlite://"), create_engine("sqlite://")
    metadata.create_all(direct)
    with engine.begin() as connection:
        migrate(connection, 0)
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == FORMAT
    migrated, wanted = inspect(engine), inspect(direct)
    assert migrated.get_table_names() == wanted.get_table_names()
    for table in wanted.get_table_names():
        assert [(c["name"], str(c["type"]), c["nullable"]) for c in migrated.get_columns(table)] == [
            (c["name"], str(c["type"]), c["nullable"]) for c in wanted.get_columns(table)
        ]
        assert migrated.get_pk_constraint(table)["constrained_columns"] == wanted.get_pk_constraint(table)["constrained_columns"]
        assert [i["column_names"] for i in migrated.get_indexes(table)] == [i["column_names"] for i in wanted.get_indexes(table)]
        assert [k["referred_table"] for k in migrated.get_foreign_keys(table)] == [
            k["referred_table"] for k in wanted.get_foreign_keys(table)
        ]
    engine.dispose()
    direct.dispose()


def test_a_study_of_the_second_format_keeps_counts_once_a_writer_was_there(open_study: OpenStudy, folder: Path) -> None:
    write_first_format(folder)
    with closing(sqlite3.connect(folder / "study.db")) as connection, connection:
        for statement in (*MIGRATIONS[1], "PRAGMA user_version = 2"):
            connection.execute(statement)
    assert open_study(readonly=True).uses() == ()
    open_study().close()
    assert format_of(folder) == FORMAT == 3
    assert open_study(readonly=True).head == 1
