"""Each edit of blocks gets its receipt once nothing else is to be done, and whatever the user wants goes first."""

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.history.values import Revision
from memstudio.session import Session
from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import JobView
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
ONE, OTHER = ClusterId(3, 0), ClusterId(3, 1)


def revision(window: MainWindow, number: int) -> Revision:
    assert window.studio.study is not None
    return next(each for each in window.studio.study.log if each.id == number)


def test_a_prune_is_committed_at_once_and_measured_afterwards(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    with qtbot.waitSignal(opened.measuring.measured, timeout=PATIENCE_MS) as caught:
        settle(lambda: opened.prune(ONE))
        assert not revision(opened, 1).receipt.get("measured")
    assert caught.args == [1]
    assert revision(opened, 1).receipt["measured"]
    assert revision(opened, 1).receipt["changed_count"] >= 0


def test_turned_off_nothing_is_measured(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    opened.toggle_measuring()
    assert not opened.actions_.by_key["measure_edits"].isChecked()
    settle(lambda: opened.prune(ONE))
    assert opened.measuring._waiting == []


def test_going_back_and_forth_measures_nothing_again(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    with qtbot.waitSignal(opened.measuring.measured, timeout=PATIENCE_MS):
        opened.prune(ONE)
    settle(opened.undo)
    settle(opened.redo)
    assert opened.measuring._waiting == []


def test_a_question_ends_the_measuring_which_begins_again_afterwards(
    opened: MainWindow, settle: Act, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, begun = Session.measure, []

    def slowly(self: Session, number: int | None = None, *, job: object = None) -> Revision:
        begun.append(number)
        while len(begun) == 1:
            job.breathe()  # type: ignore[attr-defined]  # until something else is wanted
        return measure(self, number)

    monkeypatch.setattr(Session, "measure", slowly)
    settle(lambda: opened.prune(ONE))
    qtbot.waitUntil(lambda: bool(begun), timeout=PATIENCE_MS)
    settle(opened.run_prompt)
    assert opened.studio.run is not None
    qtbot.waitUntil(lambda: len(begun) == 2, timeout=PATIENCE_MS)
    with qtbot.waitSignal(opened.measuring.measured, timeout=PATIENCE_MS):
        pass
    assert begun == [1, 1]
    assert revision(opened, 1).receipt["measured"]


def test_an_edit_is_made_in_the_middle_of_a_measuring_and_a_cancelled_one_is_not_begun_again(
    opened: MainWindow, settle: Act, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int | None] = []

    def forever(self: Session, number: int | None = None, *, job: object = None) -> Revision:
        begun.append(number)
        while True:
            job.breathe()  # type: ignore[attr-defined]

    monkeypatch.setattr(Session, "measure", forever)
    settle(lambda: opened.prune(ONE))
    qtbot.waitUntil(lambda: bool(begun), timeout=PATIENCE_MS)
    settle(lambda: opened.prune(OTHER))
    assert revision(opened, 2).head
    assert begun == [1]
    opened.toggle_measuring()
    with qtbot.waitSignal(opened.measuring.measured, timeout=PATIENCE_MS) as caught:
        qtbot.waitUntil(lambda: opened.panels.status.job_box.isVisible(), timeout=PATIENCE_MS)
        opened.panels.status.cancel.click()
    assert caught.args == [1]
    assert opened.measuring._waiting == [2]


def test_what_comes_in_while_the_window_closes_is_told_to_nobody(opened: MainWindow, qtbot: QtBot) -> None:
    told: list[object] = []
    bridge = opened.studio.bridge
    bridge.job.connect(told.append)
    bridge.post(JobView(999, "Late"))  # its delivery is on the way
    opened.close()
    qtbot.wait(50)
    assert told == []
