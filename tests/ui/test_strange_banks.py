"""Banks that lack something or hold something odd: the window opens them and goes through a day's work, and says what is missing."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot
from safetensors.torch import load_file, save_file

from memstudio.bank.values import ClusterId
from memstudio.ui.main_window import MainWindow
from memstudio.ui.selection import Chosen
from memstudio.ui.snapshots import Wish
from tests.tiny import make_bank

Act = Callable[[Callable[[], object]], None]
ONE_LEVEL, SHALLOW = ((9, 4),), ((3, 4), (9, 4))
PROMPT = "The atomic number of gold is"


def without(folder: Path, *files: str) -> Path:
    """Take files out of a bank and its manifest."""
    manifest = json.loads((folder / "bank.json").read_text())
    for file in files:
        del manifest["files"][file]
        (folder / file).unlink()
    (folder / "bank.json").write_text(json.dumps(manifest))
    return folder


def unlabelled(folder: Path) -> Path:
    """Empty every label and term, in place."""
    with sqlite3.connect(folder / "clusters.sqlite") as db:
        db.execute("UPDATE clusters SET label = '', terms = '[]'")
    db.close()
    return folder


def undocumented(folder: Path) -> Path:
    """No document and no exemplar is told of, in place."""
    with sqlite3.connect(folder / "clusters.sqlite") as db:
        db.execute("DELETE FROM documents")
        db.execute("DELETE FROM exemplars")
    db.close()
    return folder


def poisoned(folder: Path, level: int = 3) -> Path:
    """Every number of a level's blocks is NaN, in place."""
    file = folder / f"blocks/level-{level}.safetensors"
    tensors = load_file(file)
    tensors["blocks"].fill_(float("nan"))
    save_file(tensors, file)
    return folder


def all_of(level: int, first: int, count: int) -> list[ClusterId]:
    return [ClusterId(level, index) for index in range(first, first + count)]


BANKS: dict[str, Callable[[Path], Path]] = {
    "no labels": lambda out: unlabelled(make_bank(out)),
    "no clusters file": lambda out: without(make_bank(out), "clusters.sqlite"),
    "no documents": lambda out: undocumented(make_bank(out)),
    "no facts": lambda out: without(make_bank(out), "facts.jsonl", "routes.safetensors"),
    "no routes of the facts": lambda out: without(make_bank(out), "routes.safetensors"),
    "one level": lambda out: make_bank(out, levels=ONE_LEVEL),
    "one cluster": lambda out: make_bank(out, levels=((1, 4),)),
    "one cluster a level": lambda out: make_bank(out, levels=((1, 4), (1, 4))),
    "a level of width 0": lambda out: make_bank(out, levels=((3, 4), (9, 0), (27, 6))),
    "no width at all": lambda out: make_bank(out, levels=((3, 0), (9, 0))),
    "no generic blocks": lambda out: make_bank(out, generic=False),
    "absent clusters": lambda out: make_bank(out, absent=[ClusterId(3, 4), ClusterId(2, 8), *all_of(3, 24, 3)]),
    "a level that is absent": lambda out: make_bank(out, absent=all_of(3, 0, 27)),
    "all children of one absent": lambda out: make_bank(out, absent=all_of(3, 0, 3)),
    "int8": lambda out: make_bank(out, dtype="int8"),
    "int4": lambda out: make_bank(out, dtype="int4"),
    "NaN in the blocks": lambda out: poisoned(make_bank(out)),
}
LIKE_ANOTHER = {"no documents", "one cluster a level", "no width at all", "a level that is absent", "int4"}
"""Each is much like a bank beside it, which is opened by default."""


@pytest.fixture
def said(window: MainWindow) -> Iterator[list[str]]:
    """All that the status bar was told; a bug fails the test."""
    lines: list[str] = []
    bugs: list[str] = []
    window.panels.status.said.connect(lambda line, _: lines.append(line))
    window.studio.crashed.connect(lambda crash: bugs.append(crash.traceback))
    yield lines
    assert not bugs, bugs[0]
    assert not [line for line in lines if "Traceback" in line or "Error" in line]


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in LIKE_ANOTHER)) for kind in BANKS])
def test_a_day_with_a_strange_bank(window: MainWindow, settle: Act, said: list[str], kind: str, tmp_path: Path) -> None:
    bank = BANKS[kind](tmp_path / "bank")
    settle(lambda: window.open_wish(Wish(str(bank), study=tmp_path / "study", device="cpu")))
    studio, panels = window.studio, window.panels
    assert studio.ready, said[-1]
    assert studio.bank is not None
    panels.prompt.max_tokens.setValue(4)
    for dock in window.docks.values():
        dock.show()
        dock.raise_()
    panels.prompt.write(PROMPT)
    settle(window.run_prompt)
    assert studio.run is not None, said[-1]
    settle(window.trace_prompt)
    window.scan.answer.setText("4")
    settle(window.scan_fact)
    for name in (*studio.overview.figures, "State"):
        studio.overview.colour_by(name)
        assert window.grab().width() > 0
    for level in studio.bank.bank.levels:
        for index in level.documents.nonzero()[0][:1]:
            cluster = ClusterId(level.level, int(index))
            if studio.selected != cluster:
                settle(partial(studio.pick, cluster))
            assert studio.selected == cluster
    if studio.bank.prompt:
        settle(window.score_facts)
    else:
        window.score_facts()
        assert "import a fact file first" in said[-1]
    settle(lambda: studio.bridge.find("gold"))
    everything = Chosen(tuple(level.documents > 0 for level in studio.bank.bank.levels))
    studio.overview.choose(everything)
    settle(lambda: studio.edit("prune", everything.tops()))
    if any(level.block_bytes for level in studio.bank.bank.levels):
        assert studio.study is not None
        assert studio.study.head == 1, said[-1]
        settle(window.undo)
    settle(lambda: window.views.save_table_to(str(tmp_path / "table.csv")))
    window.save_picture_to(tmp_path / "window.png")
    assert (tmp_path / "table.csv").read_text().count("\n") > 1


def test_what_is_not_a_number_is_said_and_drawn_as_such(window: MainWindow, settle: Act, said: list[str], tmp_path: Path) -> None:
    bank = poisoned(make_bank(tmp_path / "bank"))
    settle(lambda: window.open_wish(Wish(str(bank), study=tmp_path / "study", device="cpu")))
    window.panels.prompt.max_tokens.setValue(4)
    window.panels.prompt.write(PROMPT)
    settle(window.run_prompt)
    settle(window.trace_prompt)
    assert any("not a number" in line for line in said), said


def test_a_study_whose_bank_moved_says_where_it_was_and_is_opened_with_what_one_points_to(
    window: MainWindow, settle: Act, said: list[str], qtbot: QtBot, tmp_path: Path
) -> None:
    bank, moved = make_bank(tmp_path / "bank"), tmp_path / "elsewhere"
    wish = Wish(str(tmp_path / "study"), device="cpu")
    settle(lambda: window.open_wish(Wish(str(bank), study=tmp_path / "study", device="cpu")))
    settle(lambda: window.prune(ClusterId(3, 5)))
    shutil.move(bank, moved)
    settle(lambda: window.open_wish(wish))
    assert str(bank) in said[-1]
    before = len(said)
    settle(window.run_prompt)
    assert [line for line in said[before:] if "open the bank again" in line]
    assert not [line for line in said if "damaged" in line]
    box = window.findChild(QMessageBox, "bank_moved")
    assert isinstance(box, QMessageBox)
    qtbot.mouseClick(next(button for button in box.buttons() if button.text() == "Find the bank…"), Qt.MouseButton.LeftButton)
    dialog = window.findChild(QFileDialog)
    assert isinstance(dialog, QFileDialog)
    dialog.close()
    settle(lambda: dialog.fileSelected.emit(str(moved)))
    assert window.studio.study is not None
    assert window.studio.study.head == 1
    assert window.studio.bank is not None
    assert window.studio.bank.bank.folder == moved


def test_a_study_of_a_bank_that_changed_is_refused_in_one_line(window: MainWindow, settle: Act, said: list[str], tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    settle(lambda: window.open_wish(Wish(str(bank), study=tmp_path / "study", device="cpu")))
    settle(lambda: window.open_wish(Wish(str(make_bank(tmp_path / "other", seed=1)), study=tmp_path / "other-study", device="cpu")))
    shutil.rmtree(bank)
    make_bank(bank, seed=2)
    settle(lambda: window.open_wish(Wish(str(tmp_path / "study"), device="cpu")))
    assert "bank" in said[-1]
    assert str(bank) in said[-1] or str(tmp_path / "study") in said[-1], said[-1]
    assert window.studio.bank is not None
    assert window.studio.bank.bank.folder == tmp_path / "other", "what was open stays open"
