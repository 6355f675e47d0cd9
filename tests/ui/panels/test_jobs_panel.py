"""The jobs: progress, the time that is left, cancel, and how each one ended."""

import threading
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.jobs_panel import BRIEF_S, KEPT, JobsPanel
from memstudio.ui.snapshots import JobView
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


class Clock:
    """Steady seconds that a test moves on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def panel(qtbot: QtBot, clock: Clock) -> Iterator[JobsPanel]:
    made = JobsPanel(clock)
    made.resize(380, 320)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def test_the_time_that_is_left_goes_by_the_pace_so_far(panel: JobsPanel, clock: Clock) -> None:
    panel.show_job(JobView(1, "Scoring the facts", 0, 4000))
    card = panel.cards[1]
    assert "left" not in card.times.text()
    clock.now += 10
    panel.show_job(JobView(1, "Scoring the facts", 1000, 4000))
    assert card.times.text() == "1,000 of 4,000 · 10 s so far · about 30 s left"
    assert card.bar.value() * 4 == card.bar.maximum()
    assert card.state.text() == "running"


def test_an_estimate_stands_before_the_pace(panel: JobsPanel, clock: Clock) -> None:
    panel.show_job(JobView(1, "Building b: train", 1, 2, left_s=7200.0))
    assert panel.cards[1].times.text().endswith("about 2.0 h left")


def test_the_clock_goes_on_while_nothing_is_reported(panel: JobsPanel, clock: Clock, qtbot: QtBot) -> None:
    panel.show_job(JobView(1, "Loading the model"))
    clock.now += 5
    panel._timer.timeout.emit()
    assert panel.cards[1].times.text() == "5 s so far"
    assert panel.cards[1].bar.maximum() == 0  # busy


@pytest.mark.parametrize(
    ("view", "state", "words"),
    [
        (JobView(1, "Scan", 9, 9, ended=True, end="done"), "done", "After 3 s"),
        (JobView(1, "Scan", 2, 9, ended=True, end="cancelled"), "cancelled", "After 3 s"),
        (JobView(1, "Scan", 2, 9, ended=True, end="failed", line="no encoder: name one"), "failed", "After 3 s: no encoder: name one"),
    ],
)
def test_how_it_ended_stays_until_it_is_cleared(panel: JobsPanel, clock: Clock, view: JobView, state: str, words: str) -> None:
    panel.show_job(JobView(1, "Scan", 1, 9))
    clock.now += 3
    panel.show_job(view)
    card = panel.cards[1]
    assert (card.state.text(), card.times.text()) == (state, words)
    assert not card.cancel.isVisible()
    assert not card.bar.isVisible()
    panel.show_job(JobView(2, "Map"))
    panel.clear_button.click()
    assert list(panel.cards) == [2]
    assert not panel.clear_button.isEnabled()


def test_what_was_done_in_a_moment_is_not_listed_unless_it_failed(panel: JobsPanel, clock: Clock) -> None:
    panel.show_job(JobView(1, "Trace"))
    clock.now += BRIEF_S / 2
    panel.show_job(JobView(1, "Trace", ended=True, end="done"))
    panel.show_job(JobView(2, "Open", ended=True, end="failed", line="no such folder"))
    assert list(panel.cards) == [2]


def test_what_waits_is_listed_and_its_time_counts_from_when_it_begins(panel: JobsPanel, clock: Clock) -> None:
    panel.show_job(JobView(1, "Scan", 0, 10))
    panel.show_job(JobView(2, "Export", waiting=True))
    card = panel.cards[2]
    assert card.state.text() == "waiting"
    assert not card.bar.isVisibleTo(card)
    assert card.cancel.isVisibleTo(card)
    assert panel._count.text() == "1 running, 1 waiting"
    clock.now += 60
    panel.show_job(JobView(1, "Scan", ended=True, end="done"))
    panel.show_job(JobView(2, "Export", 1, 10))
    clock.now += 2
    panel.show_job(JobView(2, "Export", ended=True, end="done"))
    assert card.times.text() == "After 2 s"


def test_only_the_last_ones_that_ended_are_kept(panel: JobsPanel, clock: Clock) -> None:
    for number in range(KEPT + 5):
        panel.show_job(JobView(number, "Scan"))
        clock.now += 1
        panel.show_job(JobView(number, "Scan", ended=True, end="done"))
    assert len(panel.cards) == KEPT
    assert min(panel.cards) == 5


def test_cancel_names_the_job_once(panel: JobsPanel, qtbot: QtBot) -> None:
    panel.show_job(JobView(7, "Scan"))
    with qtbot.waitSignal(panel.cancel_wanted) as caught:
        qtbot.mouseClick(panel.cards[7].cancel, Qt.MouseButton.LeftButton)
    assert caught.args == [7]
    assert panel.cards[7].state.text() == "cancelling…"
    assert not panel.cards[7].cancel.isEnabled()


def test_a_job_of_the_window_is_listed_cancelled_and_said_to_be(window: MainWindow, settle: Act, qtbot: QtBot) -> None:
    def forever(job: Job) -> None:
        while True:
            job.progress(1, 10)
            threading.Event().wait(0.01)

    window.studio.bridge._submit("Going on", forever, shown=True)
    status = window.panels.status
    qtbot.waitUntil(lambda: status.job_box.isVisibleTo(window), timeout=PATIENCE_MS)
    qtbot.mouseClick(status.job_text, Qt.MouseButton.LeftButton)
    assert not window.docks["jobs"].visibleRegion().isEmpty()
    (card,) = window.jobs.cards.values()
    settle(lambda: qtbot.mouseClick(card.cancel, Qt.MouseButton.LeftButton))
    assert card.state.text() == "cancelled"
    assert not status.job_box.isVisibleTo(window)


def test_a_job_that_failed_says_why_and_a_bug_that_it_is_one(window: MainWindow, settle: Act) -> None:
    def refuse(_: Job) -> None:
        raise UserError("no encoder: name one")

    def stumble(_: Job) -> None:
        raise ZeroDivisionError("made for the test")

    settle(lambda: window.studio.bridge._submit("Refused", refuse, shown=True))
    settle(lambda: window.studio.bridge._submit("Stumbled", stumble, shown=True))
    refused, stumbled = window.jobs.cards.values()
    assert refused.state.text() == stumbled.state.text() == "failed"
    assert refused.times.text().endswith(": no encoder: name one")
    assert "a bug, see the log: ZeroDivisionError" in stumbled.times.text()


def test_work_that_is_queued_is_listed_and_can_be_cancelled_before_it_begins(window: MainWindow, settle: Act, qtbot: QtBot) -> None:
    free, begun = threading.Event(), list[str]()

    def first(_: Job) -> None:
        free.wait(PATIENCE_MS / 1000)

    def second(_: Job) -> None:
        begun.append("second")

    def states() -> dict[str, str]:
        return {card.title.text(): card.state.text() for card in window.jobs.cards.values()}

    def both() -> None:
        window.studio.bridge._submit("First", first, shown=True)
        window.studio.bridge._submit("Second", second, shown=True)
        qtbot.waitUntil(lambda: states() == {"First": "running", "Second": "waiting"}, timeout=PATIENCE_MS)
        next(card for card in window.jobs.cards.values() if card.title.text() == "Second").cancel.click()
        free.set()

    settle(both)
    assert not begun
    assert states()["Second"] == "cancelled"
