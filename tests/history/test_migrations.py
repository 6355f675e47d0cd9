"""A file that went through all migrations has the tables that schema.py speaks of."""

from sqlalchemy import create_engine, inspect

from memstudio.history.migrations import FORMAT, migrate
from memstudio.history.schema import metadata


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
