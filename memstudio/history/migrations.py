"""How a study.db of any format becomes the present one: an ordered list, each entry frozen once it has shipped.

The format number is SQLite's user_version: how many entries of the list a file has been through.
"""

from sqlalchemy import Connection

APPLICATION_ID = 0x6D656D73  # "mems", SQLite's application_id: tells a study from any other SQLite file

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
        """CREATE TABLE revisions (
            id INTEGER NOT NULL PRIMARY KEY,
            parent INTEGER REFERENCES revisions (id),
            verb TEXT NOT NULL,
            title TEXT NOT NULL,
            receipt TEXT NOT NULL,
            time_s FLOAT NOT NULL)""",
        "CREATE INDEX revisions_parent ON revisions (parent)",
        """CREATE TABLE changes (
            revision INTEGER NOT NULL REFERENCES revisions (id),
            level INTEGER NOT NULL,
            idx INTEGER NOT NULL,
            before_source TEXT NOT NULL,
            before_scale FLOAT NOT NULL,
            after_source TEXT NOT NULL,
            after_scale FLOAT NOT NULL,
            PRIMARY KEY (revision, level, idx)) WITHOUT ROWID""",
        """CREATE TABLE refs (
            name TEXT NOT NULL PRIMARY KEY,
            revision INTEGER NOT NULL REFERENCES revisions (id))""",
    ),
    # From here on `refs` may also hold the names that a person gave, which a reader of format 1 takes for damage.
    ("CREATE TABLE purged (sha256 TEXT NOT NULL PRIMARY KEY, time_s FLOAT NOT NULL)",),
    (
        """CREATE TABLE prompt_sets (
            id INTEGER NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            digest TEXT NOT NULL,
            revision INTEGER NOT NULL REFERENCES revisions (id),
            total INTEGER NOT NULL,
            prompts INTEGER NOT NULL,
            measured INTEGER NOT NULL,
            time_s FLOAT NOT NULL)""",
        """CREATE TABLE uses (
            prompt_set INTEGER NOT NULL REFERENCES prompt_sets (id),
            level INTEGER NOT NULL,
            idx INTEGER NOT NULL,
            fetched INTEGER NOT NULL,
            effects INTEGER NOT NULL,
            effect_sum FLOAT NOT NULL,
            effect_max FLOAT NOT NULL,
            PRIMARY KEY (prompt_set, level, idx)) WITHOUT ROWID""",
    ),
)

TABLES_SINCE = {"purged": 2, "prompt_sets": 3, "uses": 3}
"""The format that a table came with; those not named here came with the first."""

FORMAT = len(MIGRATIONS)


def migrate(connection: Connection, have: int) -> None:
    """Bring a file of format `have` to FORMAT, inside the caller's transaction. At FORMAT nothing is written."""
    if have == FORMAT:
        return
    for statements in MIGRATIONS[have:]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {FORMAT}")
