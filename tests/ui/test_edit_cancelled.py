"""An edit that takes long is shown with cancel; cancelled it did nothing, and it is still done where the window goes."""

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.history.store import open_store
from memstudio.jobs import Job
from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import JobView, Wish
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
BLOCK = ClusterId(2, 4)


def test_a_long_edit_is_cancelled_in_the_status_bar(opened: MainWindow, settle: Act, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    heed, heard = Job.heed, list[JobView]()

    def slowly(job: Job, done: int, total: int | None = None) -> None:
        while not job.cancelled:
            job._tell(done, total)
        heed(job, done, total)

    opened.studio.bridge.job.connect(heard.append)
    with monkeypatch.context() as patch:
        patch.setattr(Job, "heed", slowly)
        opened.prune(BLOCK)
        qtbot.waitUntil(opened.panels.status.job_box.isVisible, timeout=PATIENCE_MS)
        assert opened.panels.status.job_text.text().startswith("Prune 0 / ")
        settle(opened.panels.status.cancel.click)
    assert heard[-1].end == "cancelled"
    assert not opened.panels.status.job_box.isVisible()
    assert opened.studio.study is not None
    assert (opened.studio.study.head, opened.studio.study.overlay) == (0, {})
    settle(lambda: opened.prune(BLOCK))
    assert opened.studio.study.head == 1


def test_a_cancel_that_comes_after_the_last_row_is_no_cancel(opened: MainWindow, settle: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, heed = list[JobView](), Job.heed

    def late(job: Job, done: int, total: int | None = None) -> None:
        heed(job, done, total)
        if done == total:
            job.cancel()

    opened.studio.bridge.job.connect(heard.append)
    monkeypatch.setattr(Job, "heed", late)
    settle(lambda: opened.prune(BLOCK))
    assert heard[-1].end == "done"
    assert opened.studio.study is not None
    assert opened.studio.study.head == 1


def test_an_edit_is_still_done_where_the_window_goes(opened: MainWindow, wish: Wish) -> None:
    assert opened.studio.bank is not None
    digest, name = opened.studio.bridge._session.bank.digest, opened.studio.bank.bank.name  # type: ignore[union-attr]  # it is open
    opened.prune(BLOCK)
    opened.close()
    assert wish.study is not None
    with open_store(wish.study, bank_digest=digest, bank_name=name, bank_path="", readonly=True) as store:
        assert store.head == 1
