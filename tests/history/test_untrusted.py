"""A study may come from anybody: whatever is wrong with it is one line, and nothing is changed."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history.store import Store, read_binding
from memstudio.history.values import Count
from tests.history.conftest import OpenStudy

GOLD = ClusterId(3, 4)
SET = "INSERT INTO prompt_sets"


@pytest.fixture
def made(open_study: OpenStudy, folder: Path) -> Path:
    """A closed study: 0 → 1 (prune) → 2 (scale)."""
    store = open_study()
    with store.commit("prune", "gold", [Change(GOLD, BASE, PRUNED)]):
        pass
    with store.commit("scale", "gold", [Change(GOLD, PRUNED, BlockState("base", 0.5))]):
        pass
    store.close()
    return folder


def spoil(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "study.db")) as connection, connection:
        for statement in ("PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON", *statements):
            connection.execute(statement)


def read_everything(store: Store) -> None:
    for revision in store.log():
        store.overlay(revision.id)
        store.revision(revision.id)
        store.diff(0, revision.id)
    store.undo_target()
    store.names()
    store.purged()
    store.uses()


def one_line(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 600
    return line


ROWS = {
    "a parent that comes later": "UPDATE revisions SET parent = 2 WHERE id = 1",
    "no parent": "UPDATE revisions SET parent = NULL WHERE id = 2",
    "a parent that is text": "UPDATE revisions SET parent = 'root' WHERE id = 2",
    "a parent that is absent": "DELETE FROM revisions WHERE id = 1",
    "a title that is a blob": "UPDATE revisions SET title = x'00ff' WHERE id = 1",
    "a title that moves the cursor": "UPDATE revisions SET title = char(27) || '[2J' WHERE id = 1",
    "an endless title": "UPDATE revisions SET title = hex(zeroblob(100000)) WHERE id = 1",
    "text that is not UTF-8": "UPDATE revisions SET verb = CAST(x'fffe' AS TEXT) WHERE id = 1",
    "a time that is text": "UPDATE revisions SET time_s = 'now' WHERE id = 1",
    "a time without end": "UPDATE revisions SET time_s = 9e999 WHERE id = 1",
    "a receipt that is no JSON": "UPDATE revisions SET receipt = '{' WHERE id = 1",
    "a receipt that is a list": "UPDATE revisions SET receipt = '[]' WHERE id = 1",
    "a receipt nested too deep": "UPDATE revisions SET receipt = replace(hex(zeroblob(100000)), '0', '[') WHERE id = 1",
    "a source that is a path": "UPDATE changes SET after_source = '../../x' WHERE revision = 2",
    "a scale that is text": "UPDATE changes SET after_scale = 'big' WHERE revision = 2",
    "an infinite scale": "UPDATE changes SET after_scale = 9e999 WHERE revision = 2",
    "a negative cluster": "UPDATE changes SET idx = -1 WHERE revision = 2",
    "a level that is text": "UPDATE changes SET level = 'leaf' WHERE revision = 2",
    "a change that starts elsewhere": "UPDATE changes SET before_source = 'base' WHERE revision = 2",
    "a head nowhere": "UPDATE refs SET revision = 7 WHERE name = 'head'",
    "a head that is text": "UPDATE refs SET revision = 'x' WHERE name = 'head'",
    "no tip": "DELETE FROM refs WHERE name = 'tip'",
    "a name that no one can give": "INSERT INTO refs VALUES ('a b', 0)",
    "a name for a number": "INSERT INTO refs VALUES ('2', 0)",
    "a name that points nowhere": "INSERT INTO refs VALUES ('other', 7)",
    "a purge of no blob": "INSERT INTO purged VALUES ('x', 0.0)",
    "a purge without a time": "INSERT INTO purged VALUES (lower(hex(zeroblob(32))), 'now')",
    "a set without a name": f"{SET} VALUES (1, '', '', 0, 1, 1, 0, 1.0)",
    "a set whose name moves the cursor": f"{SET} VALUES (1, char(27) || '[2J', '', 0, 1, 1, 0, 1.0)",
    "a set without a digest": f"{SET} VALUES (1, 'facts', 'x', 0, 1, 1, 0, 1.0)",
    "a set of less than nothing": f"{SET} VALUES (1, 'facts', '', 0, 1, -1, 0, 1.0)",
    "a set at a revision that is text": f"{SET} VALUES (1, 'facts', '', 'x', 1, 1, 0, 1.0)",
    "a set without a time": f"{SET} VALUES (1, 'facts', '', 0, 1, 1, 0, 9e999)",
    "a use of no set": "INSERT INTO uses VALUES (7, 1, 0, 1, 0, 0.0, 0.0)",
    "a use of no cluster": f"{SET} VALUES (1, 'facts', '', 0, 1, 1, 0, 1.0); INSERT INTO uses VALUES (1, 0, -1, 1, 0, 0.0, 0.0)",
    "a use that is text": f"{SET} VALUES (1, 'facts', '', 0, 1, 1, 0, 1.0); INSERT INTO uses VALUES (1, 1, 0, 'x', 0, 0.0, 0.0)",
    "an endless effect": f"{SET} VALUES (1, 'facts', '', 0, 1, 1, 0, 1.0); INSERT INTO uses VALUES (1, 1, 0, 1, 1, 9e999, 0.0)",
    "no bank": "DELETE FROM meta",
    "a digest that is none": "UPDATE meta SET value = 'x' WHERE key = 'bank_digest'",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON revisions BEGIN DELETE FROM changes; END",
    "a view for a table": "ALTER TABLE changes RENAME TO kept; CREATE VIEW changes AS SELECT * FROM kept",
    "a column more": "ALTER TABLE changes ADD COLUMN more TEXT",
    "a computed column": "ALTER TABLE meta ADD COLUMN more TEXT AS (hex(zeroblob(1000000)))",
    "a table less": "DROP TABLE changes",
}


@pytest.mark.parametrize("statements", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("readonly", [True, False], ids=["reader", "writer"])
def test_a_bad_row_is_one_line(open_study: OpenStudy, made: Path, statements: str, readonly: bool) -> None:
    spoil(made, *statements.split("; ") if "TRIGGER" not in statements else [statements])
    line = one_line(lambda: read_everything(open_study(readonly=readonly)))
    assert str(made) in line


@pytest.mark.parametrize(
    "statement",
    ["UPDATE uses SET fetched = 'many'", "UPDATE uses SET effect_sum = 9e999", "UPDATE prompt_sets SET prompts = 'x'"],
)
def test_a_run_is_not_added_to_a_count_that_is_none(open_study: OpenStudy, made: Path, statement: str) -> None:
    with closing(open_study()) as store:
        store.add_to_runs({GOLD: Count(1)}, prompts=1)
    spoil(made, statement)
    line = one_line(lambda: open_study().add_to_runs({GOLD: Count(1)}, prompts=1))
    assert str(made) in line


def test_a_tip_that_does_not_stand_on_the_head_is_refused_by_the_writer(open_study: OpenStudy, made: Path) -> None:
    spoil(made, "UPDATE refs SET revision = 0 WHERE name = 'tip'")
    assert "redo leads from revision 2 to 0" in one_line(open_study)


def test_a_newer_format_asks_for_an_update(open_study: OpenStudy, made: Path) -> None:
    spoil(made, "PRAGMA user_version = 99")
    before = (made / "study.db").read_bytes()
    for act in (open_study, lambda: open_study(readonly=True), lambda: read_binding(made)):
        assert "has format 99" in one_line(act)
    assert (made / "study.db").read_bytes() == before


@pytest.mark.parametrize("garbage", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 500, b"SQLite format 3\0"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(open_study: OpenStudy, folder: Path, garbage: bytes) -> None:
    folder.mkdir()
    (folder / "study.db").write_bytes(garbage)
    for act in (open_study, lambda: open_study(readonly=True), lambda: read_binding(folder)):
        assert "study.db" in one_line(act)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("study.db", garbage)]


def test_another_programs_database_is_refused_and_left_alone(open_study: OpenStudy, folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "study.db")) as connection:
        connection.execute("CREATE TABLE mail (subject)")
    before = (folder / "study.db").read_bytes()
    assert "another program's SQLite file" in one_line(open_study)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("study.db", before)]


def test_a_cut_off_database_is_one_line(open_study: OpenStudy, made: Path) -> None:
    whole = (made / "study.db").read_bytes()
    (made / "study.db").write_bytes(whole[: len(whole) // 2])
    one_line(lambda: read_everything(open_study(readonly=True)))


def test_a_folder_of_other_things_does_not_become_a_study(open_study: OpenStudy, folder: Path) -> None:
    folder.mkdir()
    (folder / "bank.json").write_text("{}")
    assert "'bank.json' is there" in one_line(open_study)
    assert [path.name for path in folder.iterdir()] == ["bank.json"]


def test_what_is_no_folder_is_no_study(open_study: OpenStudy, folder: Path, tmp_path: Path) -> None:
    assert "is not a study" in one_line(lambda: read_binding(folder))
    folder.write_text("a file")
    assert "is a file" in one_line(open_study)


@pytest.mark.parametrize("name", ["study.db", "blobs", "lock"])
def test_a_link_out_of_the_study_is_not_followed(open_study: OpenStudy, made: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    if (made / name).exists():
        (made / name).rename(target)
    else:
        target.mkdir()
    (made / name).symlink_to(target)
    assert name in one_line(open_study)
