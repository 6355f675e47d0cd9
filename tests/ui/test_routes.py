"""A key is routed as it is typed: on the real window, while the session's own thread is busy, the newest question winning."""

import csv
import threading
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId, Route
from memstudio.errors import UserError
from memstudio.session.router import Router
from memstudio.session.running import Running
from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import Wish
from memstudio.ui.typing_figures import keystrokes_ms
from tests.tiny import key_of
from tests.ui.conftest import PATIENCE_MS, Act


def type_in(window: MainWindow, qtbot: QtBot, text: str) -> None:
    """Write a prompt and wait until its own route is shown."""
    with qtbot.waitSignal(window.routes.shown, timeout=PATIENCE_MS, check_params_cb=lambda number: number == window.routes.newest):
        window.panels.prompt.write(text)


def routed(window: MainWindow, text: str) -> Route:
    """Where the bank's retriever sends a text."""
    assert window.studio.bank is not None
    return open_bank(window.studio.bank.bank.folder).tree.descend(key_of(text))


def rows(window: MainWindow) -> list[str]:
    return window.route.as_text().splitlines()


def chosen(window: MainWindow) -> list[str]:
    return [line.split()[1] for line in rows(window) if line.startswith("▸")]


def names(route: Route) -> list[str]:
    return [str(cluster) for cluster in route.clusters]


def test_a_prompt_is_routed_as_it_is_typed_before_any_run(opened: MainWindow, qtbot: QtBot) -> None:
    opened.panels.prompt.text.clear()
    for letter in "gold":
        with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
            QTest.keyClicks(opened.panels.prompt.text, letter)
        text = opened.panels.prompt.text.toPlainText()
        assert chosen(opened) == names(routed(opened, text))
        assert list(map(str, opened.panels.prompt.breadcrumb.chips)) == chosen(opened)
    assert opened.studio.run is None
    assert rows(opened)[1] == "gold"


def test_the_key_field_goes_before_the_prompt(opened: MainWindow, qtbot: QtBot) -> None:
    type_in(opened, qtbot, "Tell me about gold")
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        opened.panels.prompt.key.setText("tin")
    assert rows(opened)[:2] == ["Key field, 3 word pieces", "tin"]
    assert chosen(opened) == names(routed(opened, "tin"))
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        opened.panels.prompt.key.clear()
    assert rows(opened)[:2] == ["Prompt, 6 word pieces", "Tell me about gold"]


def test_it_is_routed_while_the_sessions_own_thread_is_at_work(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    hold, began = threading.Event(), threading.Event()

    def work(*_: object) -> None:
        began.set()
        assert hold.wait(PATIENCE_MS / 1000)

    def type_meanwhile() -> None:
        opened.studio.bridge.errand("Hold", work)
        try:
            assert began.wait(PATIENCE_MS / 1000)
            type_in(opened, qtbot, "Its symbol is")
            assert chosen(opened) == names(routed(opened, "Its symbol is"))
            assert not opened.studio.bridge.resting
        finally:
            hold.set()

    settle(type_meanwhile)


def test_of_questions_that_come_faster_than_they_are_answered_the_newest_wins(
    opened: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, began, asked = threading.Event(), threading.Event(), list[str]()
    real = Router.route

    def slow(self: Router, key: str, *rest: object) -> object:
        asked.append(key)
        began.set()
        assert hold.wait(PATIENCE_MS / 1000)
        return real(self, key, *rest)  # type: ignore[arg-type]  # passes on what it is given

    type_in(opened, qtbot, "a")
    monkeypatch.setattr(Router, "route", slow)
    shown: list[int] = []
    opened.routes.shown.connect(shown.append)
    for text in ("one", "two", "three", "four"):
        opened.panels.prompt.write(text)
        assert began.wait(PATIENCE_MS / 1000)
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        hold.set()
    assert asked == ["one", "four"]
    assert shown == [opened.routes.newest]
    assert chosen(opened) == names(routed(opened, "four"))


def test_a_row_is_the_shared_selection_and_the_other_way_round(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    type_in(opened, qtbot, "gold")
    row = list(opened.route.rows())[1]
    settle(lambda: opened.route.list.setCurrentItem(row))
    assert str(opened.studio.selected) == row.text(0).split()[0]
    other = next(item for item in opened.route.rows() if item is not row)
    cluster = ClusterId(*other.data(0, 0x100))
    settle(lambda: opened.studio.pick(cluster))
    assert opened.route.current() == cluster
    opened.studio.overview.pick(None)
    assert opened.route.current() is None
    assert not opened.route.run.isEnabled()


def test_a_runner_up_is_run_on_and_both_routes_stand_beside_each_other(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    type_in(opened, qtbot, "The atomic number of gold is")
    own = chosen(opened)
    runner = [item for item in opened.route.rows() if item.text(0).startswith("3/")][-1]
    settle(lambda: opened.route.list.setCurrentItem(runner))
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        settle(opened.route.run.click)
    assert opened.studio.situation.pinned
    assert opened.studio.run is not None
    assert opened.studio.run.route is not None
    pinned = [line.split()[1] for line in rows(opened) if line.startswith("◆") and "/" in line.split()[1]]
    assert pinned == names(opened.studio.run.route)
    assert pinned[:2] == own[:2]
    assert pinned[2] != own[2]
    assert chosen(opened) == own
    assert list(map(str, opened.panels.prompt.breadcrumb.chips)) == pinned
    assert opened.route.pin.text() == "Unpin"
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        settle(opened.route.pin.click)
    assert not opened.studio.situation.pinned
    assert not any(line.startswith("◆") for line in rows(opened))


def test_hiding_the_chosen_cluster_takes_the_runner_up_and_says_so(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    type_in(opened, qtbot, "gold")
    first, second = (ClusterId(*item.data(0, 0x100)) for item in list(opened.route.rows())[:2])
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        settle(lambda: opened.studio.toggle_hide([first]))
    assert chosen(opened)[0] == str(second)
    assert rows(opened)[3].startswith(f"{first} (hidden)")


def test_edits_and_mutes_stand_at_the_rows(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    type_in(opened, qtbot, "gold")
    leaf = ClusterId(*next(item for item in opened.route.rows() if item.text(0).startswith("▸ 3/")).data(0, 0x100))
    settle(lambda: opened.studio.edit("prune", [leaf]))
    settle(lambda: opened.studio.toggle_mute([leaf]))
    assert any(line.startswith(f"▸ {leaf} (muted, pruned)") for line in rows(opened))


def test_without_memory_no_route_is_outlined(opened: MainWindow, qtbot: QtBot) -> None:
    type_in(opened, qtbot, "gold")
    opened.panels.prompt.memory.setCurrentIndex(2)
    assert not opened.panels.prompt.breadcrumb.chips
    opened.panels.prompt.memory.setCurrentIndex(0)
    assert list(map(str, opened.panels.prompt.breadcrumb.chips)) == chosen(opened)


def test_nothing_written_and_no_encoder_are_said(opened: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(opened, qtbot, "gold")
    opened.panels.prompt.text.clear()
    assert opened.route.why_not.startswith("No route yet: Write a prompt")

    def refuse(*_: object) -> None:
        raise UserError("the bank's encoder is not on this machine: give its folder with --encoder DIR")

    monkeypatch.setattr(Router, "route", refuse)
    type_in(opened, qtbot, "tin")
    assert opened.route.why_not.startswith("No route: the bank's encoder is not on this machine")
    assert not opened.panels.prompt.breadcrumb.chips


def test_a_bug_is_shown_as_one_and_the_next_key_is_routed(opened: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("a bug of this test")

    with monkeypatch.context() as patched, qtbot.waitSignal(opened.studio.crashed, timeout=PATIENCE_MS):
        patched.setattr(Router, "route", break_down)
        opened.panels.prompt.write("tin")
    opened.log.close()
    type_in(opened, qtbot, "gold")
    assert chosen(opened) == names(routed(opened, "gold"))


def test_another_bank_routes_the_prompt_anew(opened: MainWindow, settle: Act, qtbot: QtBot, wish: Wish) -> None:
    type_in(opened, qtbot, "gold")
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        settle(lambda: opened.open_wish(wish))
    assert rows(opened)[1] == opened.panels.prompt.text.toPlainText()


def test_the_route_is_written_as_a_table_with_all_digits(opened: MainWindow, settle: Act, qtbot: QtBot, tmp_path: Path) -> None:
    type_in(opened, qtbot, "gold")
    with qtbot.waitSignal(opened.studio.bridge.noted, timeout=PATIENCE_MS):
        opened.saves.save_table_to(opened.route.list, tmp_path / "route.csv")
    with (tmp_path / "route.csv").open(newline="", encoding="utf-8-sig") as stream:
        lines = list(csv.reader(stream))
    assert lines[0] == ["Cluster", "Docs", "Distance", "Margin"]
    distances = [float(line[2]) for line in lines if line[0].startswith("▸")]
    assert distances == list(routed(opened, "gold").distances)


def test_a_key_that_comes_again_is_not_encoded_again(
    opened: MainWindow, settle: Act, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(opened, qtbot, "gold")
    read: list[list[str]] = []
    real = Running.key_vectors
    monkeypatch.setattr(Running, "key_vectors", lambda self, texts: (read.append(texts), real(self, texts))[1])
    with qtbot.waitSignal(opened.routes.shown, timeout=PATIENCE_MS):
        settle(lambda: opened.studio.toggle_hide([ClusterId(*next(opened.route.rows()).data(0, 0x100))]))
    assert read == []
    type_in(opened, qtbot, "tin")
    assert read == [["tin"]]


def test_keystrokes_are_timed(opened: MainWindow) -> None:
    took = keystrokes_ms(opened, 5)
    assert len(took) == 5
    assert all(0 < each < 10_000 for each in took)
    assert rows(opened)[1] == "The a"


def test_keystrokes_of_no_bank_are_refused(window: MainWindow) -> None:
    with pytest.raises(UserError, match="no bank is open"):
        keystrokes_ms(window)
