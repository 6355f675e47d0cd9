"""Every command is a line of one table; a new one is tested by what stands here."""

from dataclasses import replace

import pytest
from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, ClusterId
from memstudio.paths import resources
from memstudio.ui.actions import ACTIONS, MENUS, action
from memstudio.ui.command import Action
from memstudio.ui.main_window import MainWindow
from memstudio.ui.menus import TOOLBAR_GROUPS
from memstudio.ui.reasons import why_not
from memstudio.ui.snapshots import Situation
from tests.ui.fabricated import revision

EMPTY = Situation()
BUSY = Situation(bank=True, ready=True, running=True, selected=ClusterId(1, 0), undo=True, redo=True, edited_midway=True, prompt=True)
CALM = replace(BUSY, running=False)
PAST = replace(CALM, revision=revision(1, 0), revisions=3)
each = pytest.mark.parametrize("one", ACTIONS, ids=lambda one: one.key)


class NotedDesk:
    """A desk that notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def selected(self) -> ClusterId:
        return ClusterId(1, 0)

    def __getattr__(self, name: str) -> object:
        return lambda *args: self.calls.append(name)


@each
def test_it_asks_the_desk_for_one_thing_that_a_window_can_do(one: Action) -> None:
    desk = NotedDesk()
    one.run(desk)  # type: ignore[arg-type]  # any method will do
    assert len(desk.calls) == 1
    assert callable(getattr(MainWindow, desk.calls[0]))


@each
def test_its_menu_its_drawing_and_its_shortcuts_exist(one: Action) -> None:
    assert one.menu in MENUS
    assert one.icon is None or (resources() / "icons" / f"{one.icon}.svg").is_file()
    assert all(not QKeySequence(text).isEmpty() for text in one.shortcuts)
    assert one.tip
    assert not one.tip.endswith(".")
    assert not one.shortcuts or one.shortcuts[0] in one.tooltip


@each
def test_it_is_offered_in_some_situation(one: Action) -> None:
    situations = (EMPTY, CALM, BUSY, replace(CALM, selected_state=PRUNED), replace(CALM, targets=3), PAST)
    assert any(one.enabled(now) for now in situations)


def test_keys_and_shortcuts_are_unique() -> None:
    keys = [one.key for one in ACTIONS]
    shortcuts = [QKeySequence(text).toString() for one in ACTIONS for text in one.shortcuts]
    assert len(set(keys)) == len(keys)
    assert len(set(shortcuts)) == len(shortcuts)


def test_the_toolbar_holds_what_the_table_wants_there() -> None:
    assert {key for group in TOOLBAR_GROUPS for key in group} == {one.key for one in ACTIONS if one.toolbar}


def test_without_a_bank_nothing_that_needs_one_is_offered() -> None:
    offered = {one.key for one in ACTIONS if one.enabled(EMPTY)}
    assert offered.isdisjoint({"run", "stop", "trace", "prune", "restore", "undo", "redo", "score", "find", "copy_python", "recompute"})


def test_pruning_is_offered_in_the_middle_of_a_run_and_not_twice() -> None:
    assert action("prune").enabled(BUSY)
    assert not action("prune").enabled(replace(BUSY, selected_state=PRUNED))
    assert action("restore").enabled(replace(BUSY, selected_state=PRUNED))


def test_of_the_bank_as_shipped_nothing_is_reverted_or_measured_and_the_head_is_not_gone_to() -> None:
    shipped, aside = replace(PAST, revision=revision(0, None)), replace(PAST, revision=revision(2, 1, current=False))
    assert not action("revert").enabled(shipped)
    assert not action("measure_revision").enabled(shipped)
    assert not action("revert").enabled(aside)
    assert action("measure_revision").enabled(aside)
    assert not action("checkout").enabled(replace(PAST, revision=revision(1, 0, head=True)))
    assert not action("purge").enabled(replace(PAST, revisions=1))


def test_escape_stops_an_answer_and_an_a_b() -> None:
    assert action("stop").enabled(BUSY)
    assert action("stop").enabled(replace(CALM, pairing=True))
    assert not action("stop").enabled(CALM)


def test_every_action_is_in_the_windows_menus_with_its_tooltip(window: MainWindow, qtbot: QtBot) -> None:
    shown = [made for name in MENUS for made in window.actions_.menus[name].actions()]
    for one in ACTIONS:
        made = window.actions_.by_key[one.key]
        assert made in shown
        assert made.toolTip() == "\n".join(filter(None, (one.tooltip, why_not(one, window.studio.situation))))
        assert [key.toString() for key in made.shortcuts()] == [QKeySequence(text).toString() for text in one.shortcuts]
        assert made.isEnabled() == one.enabled(window.studio.situation)
