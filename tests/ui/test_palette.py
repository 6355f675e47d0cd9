"""The palette finds every command by a few letters, runs it, and says why one cannot be run."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.ui.actions import ACTIONS, action
from memstudio.ui.command import Action
from memstudio.ui.fuzzy import score
from memstudio.ui.main_window import MainWindow
from memstudio.ui.reasons import why_not
from memstudio.ui.snapshots import Situation

Act = Callable[[Callable[[], object]], None]


def names(window: MainWindow) -> list[str]:
    listed = window.palette_.list
    return [listed.item(row).text() for row in range(listed.count())]


@pytest.mark.parametrize("one", ACTIONS, ids=lambda one: one.key)
@pytest.mark.parametrize("now", [Situation(), Situation(bank=True, ready=True), Situation(bank=True, prompt=True, running=True)])
def test_a_command_is_enabled_or_says_why_not(one: Action, now: Situation) -> None:
    reason = why_not(one, now)
    assert bool(reason) != one.enabled(now)
    assert reason != "Not possible just now"


def test_the_reason_is_what_is_missing() -> None:
    ready = Situation(bank=True, ready=True, prompt=True)
    assert why_not(action("prune"), ready) == "Select a block first"
    assert why_not(action("run"), Situation()) == "Open a bank first; write a prompt first"
    assert why_not(action("run"), replace(ready, running=True)) == "Wait for the answer, or stop it"
    assert why_not(action("undo"), ready) == "There is nothing to undo"
    assert why_not(action("restore"), replace(ready, selected=ClusterId(1, 0))) == "The block is as shipped"


def test_letters_that_begin_words_count_most() -> None:
    best = max(("Copy cluster id", "Compare with its parent", "Recompute"), key=lambda name: score("cp", name) or -99)
    assert best == "Compare with its parent"
    assert (score("prune", "Prune block") or 0) > (score("prune", "Apply run to one") or -99)
    assert (score("prun", "Prune block Edit") or 0) > (score("prun", "Edit prompt Run") or 0), "the word as it stands comes first"
    assert score("xyz", "Prune block") is None
    assert score("", "Prune block") == 0
    assert score("BLOCK p", "Prune block") is None


@given(name=some.text("abc -", min_size=1, max_size=12), typed=some.text("abc", max_size=5))
def test_a_name_is_found_exactly_where_it_holds_the_letters_in_order(name: str, typed: str) -> None:
    rest = iter(name)
    assert (score(typed, name) is not None) == all(letter in rest for letter in typed)


def test_a_command_is_typed_and_run_by_keys_alone(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    QTest.keyClick(opened, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert opened.palette_.isVisible()
    QTest.keyClicks(opened.palette_.search, "dark")
    assert names(opened)[0] == "Theme: dark"
    QTest.keyClick(opened.palette_.search, Qt.Key.Key_Return)
    assert not opened.palette_.isVisible()
    assert opened.theme.tone.dark
    opened.choose_theme("light")


def test_what_was_used_lately_comes_first(opened: MainWindow) -> None:
    opened.show_palette()
    QTest.keyClicks(opened.palette_.search, "reset layout")
    QTest.keyClick(opened.palette_.search, Qt.Key.Key_Return)
    opened.show_palette()
    assert names(opened)[0] == "Reset layout"
    opened.palette_.close()


def test_what_cannot_be_used_says_why_and_stays_open(opened: MainWindow) -> None:
    opened.studio.overview.pick(None)
    opened.show_palette()
    QTest.keyClicks(opened.palette_.search, "prune")
    assert names(opened)[0] == "Prune block"
    assert opened.palette_.note.text() == "Select a block first"
    QTest.keyClick(opened.palette_.search, Qt.Key.Key_Return)
    assert opened.palette_.isVisible()
    QTest.keyClick(opened.palette_.search, Qt.Key.Key_Escape)
    opened.palette_.close()


def test_nothing_that_matches_is_said(opened: MainWindow) -> None:
    opened.show_palette()
    QTest.keyClicks(opened.palette_.search, "zzzz")
    assert names(opened) == []
    assert opened.palette_.note.text() == "No command of this name."
    QTest.keyClick(opened.palette_.search, Qt.Key.Key_Return)
    opened.palette_.close()
