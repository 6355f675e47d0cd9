"""A trace under way ends as soon as something else is wanted, or cancelled; edits land in it."""

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from memstudio.anchor import trace as instrument
from memstudio.anchor.attach import Attached
from memstudio.anchor.engine import logits
from memstudio.bank.values import ClusterId
from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import JobView
from tests.ui.conftest import PATIENCE_MS, Act

Begin = Callable[[Callable[[], object]], None]


@pytest.fixture
def endless(opened: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> Begin:
    """Begins what traces; that trace, and no later one, reads its prompt over and over until it is ended."""
    real, begun = instrument._logprobs, list[str]()

    def read(attached: Attached, ids: list[int], *given: object) -> object:
        begun.append("one")
        while len(begun) == 1:
            logits(attached, ids)
        return real(attached, ids, *given)  # type: ignore[arg-type]  # passes on what it is given

    def begin(what: Callable[[], object]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(instrument, "_logprobs", read)
            what()
            qtbot.waitUntil(lambda: bool(begun), timeout=PATIENCE_MS)

    return begin


def ends(window: MainWindow) -> list[tuple[str, str]]:
    """Hears how jobs end."""
    found: list[tuple[str, str]] = []

    def hear(view: JobView) -> None:
        if view.ended:
            found.append((view.title, view.end))

    window.studio.bridge.job.connect(hear)
    return found


def test_a_run_ends_the_trace_of_what_was_there_and_has_one_of_its_own(opened: MainWindow, settle: Act, endless: Begin) -> None:
    heard, told = ends(opened), list[object]()
    opened.studio.bridge.traced.connect(told.append)
    endless(opened.trace_prompt)
    settle(opened.run_prompt)
    assert heard == [("Tracing", "cancelled"), ("Tracing", "done")]
    assert len(told) == 1
    assert opened.studio.trace is not None


def test_the_later_of_two_traces_ends_the_earlier_one(opened: MainWindow, settle: Act, endless: Begin) -> None:
    heard = ends(opened)
    endless(opened.trace_prompt)
    settle(opened.trace_prompt)
    assert heard == [("Tracing", "cancelled"), ("Tracing", "done")]


def test_cancel_in_the_status_bar_ends_a_trace(opened: MainWindow, settle: Act, endless: Begin, qtbot: QtBot) -> None:
    heard = ends(opened)
    endless(opened.trace_prompt)
    qtbot.waitUntil(opened.panels.status.job_box.isVisible, timeout=PATIENCE_MS)
    settle(opened.panels.status.cancel.click)
    assert heard == [("Tracing", "cancelled")]
    assert opened.studio.trace is None


def test_a_run_ends_the_trace_of_a_token(opened: MainWindow, settle: Act, endless: Begin) -> None:
    settle(opened.run_prompt)
    heard = ends(opened)
    endless(lambda: opened.tokens.choose(opened.panels.prompt.now, 1))
    settle(opened.run_prompt)
    assert heard[0] == ("Explaining token 1", "cancelled")
    assert opened.studio.trace is not None
    assert opened.studio.trace.token is None


def test_an_edit_lands_in_a_trace_which_then_speaks_of_it(opened: MainWindow, settle: Act, endless: Begin) -> None:
    endless(opened.trace_prompt)
    settle(lambda: opened.prune(ClusterId(1, 0)))
    assert opened.studio.study is not None
    assert opened.studio.study.head == 1
    assert opened.studio.trace is not None
    assert opened.studio.trace.revision == 1


def test_closing_the_window_does_not_wait_for_a_trace(opened: MainWindow, endless: Begin) -> None:
    endless(opened.trace_prompt)
    opened.close()
