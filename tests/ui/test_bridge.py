"""What ends with the window: work that nobody would see the end of, threads, and the model."""

import gc
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytestqt.qtbot import QtBot

from memstudio.jobs import Cancelled, Job
from memstudio.ui import errands
from memstudio.ui.aside import Aside
from memstudio.ui.bridge import Bridge
from memstudio.ui.job_told import JobTold, Paced
from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import JobView, Noted, Opened, Wish
from tests.tiny import make_bank
from tests.ui.conftest import PATIENCE_MS, Act

if TYPE_CHECKING:
    from memstudio.facts.values import Fact
    from memstudio.session import Session


def test_long_work_that_no_bar_shows_ends_with_the_window(opened: MainWindow) -> None:
    begun = threading.Event()

    def for_ever(_: "Session", job: Job) -> None:
        begun.set()
        while True:
            job.breathe()

    job = opened.studio.bridge.errand("Going on and on", for_ever)
    assert begun.wait(PATIENCE_MS / 1000)
    opened.close()
    assert isinstance(job.future.exception(timeout=0), Cancelled)


def test_an_opening_that_is_cancelled_leaves_the_window_on_the_bank_that_is_open(
    opened: MainWindow, settle: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge, other = opened.studio.bridge, make_bank(tmp_path / "other", seed=1)
    told: list[Path] = []

    def cancel_first(wish: Wish) -> "Session":
        for number in tuple(bridge._jobs):
            bridge.cancel(number)
        return real(wish)

    def cancel_late(session: "Session", facts: "Sequence[Fact]") -> Opened:
        for number in tuple(bridge._jobs):
            bridge.cancel(number)
        return whole(session, facts)

    real, whole = errands.open_bank, errands.opened
    for name, cancel, now in (("open_bank", cancel_first, "tiny"), ("opened", cancel_late, "other")):
        with monkeypatch.context() as patch:
            patch.setattr(errands, name, cancel)
            settle(lambda: opened.open_wish(Wish(str(other), temporary=True, device="cpu")))
        settle(lambda: bridge.urgent("Noting", lambda session, _: told.append(session.bank.folder)))
        assert opened.studio.bank is not None
        assert told[-1].name == opened.studio.bank.bank.folder.name == now


def test_an_answer_does_not_wait_for_itself(opened: MainWindow, settle: Act) -> None:
    said: list[str] = []
    opened.panels.status.said.connect(lambda line, _: said.append(line))
    settle(opened.run_prompt)
    assert said
    assert not [line for line in said if line.startswith("Waits")]


def test_what_was_done_last_is_still_done_when_the_window_goes(opened: MainWindow) -> None:
    done: list[str] = []
    opened.studio.bridge.urgent("Edit", lambda _, __: done.append("edit"))
    opened.close()
    assert done == ["edit"]


def test_a_bank_that_is_let_go_takes_its_model_with_it(opened: MainWindow, settle: Act) -> None:
    running: list[weakref.ref[object]] = []

    def note(session: "Session", _: Job) -> None:
        running.append(weakref.ref(session.running))
        assert session.router is not None

    settle(lambda: opened.studio.bridge.urgent("Noting", note))
    opened.close()
    gc.collect()
    assert [ref() for ref in running] == [None]


def test_what_comes_after_the_close_begins_no_thread(qtbot: QtBot) -> None:
    bridge = Bridge()
    late, busy = Aside(bridge, "memstudio-late"), Aside(bridge, "memstudio-busy")
    with qtbot.waitSignal(bridge.noted, timeout=PATIENCE_MS):
        busy.submit("Soon", lambda _: Noted("done"))
    for aside in (late, busy):
        aside.close()
        assert aside.submit("Too late", lambda _: Noted("never")).future.cancelled()
    bridge.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("memstudio-late", "memstudio-busy")]


def test_every_stage_is_told_and_in_a_stage_no_more_than_can_be_read() -> None:
    told: list[tuple[str, int]] = []
    paced, job = Paced(lambda one: told.append((one.title, one.done))), Job("reading")
    for done in range(1000):
        job.done = done
        paced(job)
    job.title = "writing"
    paced(job)
    assert told[0] == ("reading", 0)
    assert told[-1] == ("writing", 999)
    assert len(told) < 1000


def test_a_job_is_told_by_its_stage_and_at_its_end_by_its_name() -> None:
    views: list[JobView] = []
    told, job = JobTold(views.append, 7, "Making the map"), Job("Making the map")
    told(job)
    job.title, job.done, job.total = "Map: laying out", 3, 200
    told(job)
    job.future.set_result(None)
    told.end(job)
    assert [(view.number, view.title, view.done, view.ended, view.end) for view in views] == [
        (7, "Making the map", 0, False, ""),
        (7, "Map: laying out", 3, False, ""),
        (7, "Making the map", 3, True, "done"),
    ]
