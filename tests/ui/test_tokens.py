"""Tokens in the window: each is measured while it is written, and the one that is clicked is what the other panels speak of."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.ui.main_window import MainWindow
from memstudio.ui.measures import EFFECT
from memstudio.ui.panels.parts import label
from memstudio.ui.panels.token_view import TokenView
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


def click(view: TokenView, place: int) -> None:
    box = view.box(place)
    assert box is not None
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, box.center().toPoint())


def test_each_token_of_a_run_is_measured_and_the_line_below_says_what_the_memory_decided(opened: MainWindow, settle: Act) -> None:
    prompt = opened.panels.prompt
    settle(opened.run_prompt)
    tokens = prompt.now.tokens
    assert all(token.gain is not None for token in tokens)
    gains = [abs(token.gain or 0.0) for token in tokens]
    assert prompt.now.bound >= max(gains)
    decided = sum(bool(token.decided) for token in tokens)
    assert prompt.foot.caption.text().startswith(f"The memory decided {decided or 'none'}")
    assert prompt.foot.isVisibleTo(opened)


def test_measuring_is_turned_off_by_its_action_and_then_nothing_is_shown_as_zero(opened: MainWindow, settle: Act) -> None:
    action = opened.actions_.by_key["measure_tokens"]
    assert action.isChecked()
    action.trigger()
    assert not action.isChecked()
    settle(opened.run_prompt)
    assert {token.gain for token in opened.panels.prompt.now.tokens} == {None}
    assert "not measured" in opened.panels.prompt.foot.caption.text()
    assert "not measured" in opened.panels.prompt.now.tip(opened.panels.prompt.now.tokens[0])


def test_a_clicked_token_is_what_heat_map_block_and_colours_speak_of_until_escape(opened: MainWindow, settle: Act) -> None:
    panels, studio = opened.panels, opened.studio
    settle(opened.run_prompt)
    whole, run = studio.trace, studio.run
    assert whole is not None
    assert run is not None
    assert run.route is not None
    settle(lambda: click(panels.prompt.now, 2))
    trace = studio.trace
    assert trace is not None
    assert (trace.token, trace.route.clusters) == (2, run.route.clusters)
    assert trace.answer.fetched == pytest.approx(run.tokens[2].logprob, abs=1e-4)
    assert panels.heat.sheet is not None
    assert len(panels.heat.sheet.tokens) == len(whole.tokens) + 2
    assert panels.heat.of.text().startswith("Token 2 “")
    assert panels.heat.of.isVisibleTo(panels.heat)
    assert any(shown.text() == panels.heat.of.text() for shown in panels.block.findChildren(type(label())))
    effect = studio.overview.figures[EFFECT]
    assert {cluster: effect.values[cluster.level - 1][cluster.index] for cluster in trace.effect} == pytest.approx(trace.effect)
    assert "token 2" in panels.prompt.foot.caption.text()
    assert panels.prompt.now.chosen == 2
    QTest.keyClick(panels.prompt.now, Qt.Key.Key_Escape)
    assert studio.trace is whole
    assert panels.heat.sheet.tokens == whole.tokens
    assert not panels.heat.of.isVisibleTo(panels.heat)
    assert panels.prompt.now.chosen is None
    assert "decided" in panels.prompt.foot.caption.text()


def test_the_latest_of_several_clicks_wins_and_the_keys_do_as_the_mouse(opened: MainWindow, settle: Act) -> None:
    view = opened.panels.prompt.now
    settle(opened.run_prompt)
    told: list[int | None] = []
    opened.studio.bridge.traced.connect(lambda event: told.append(event.trace.token))

    def many() -> None:
        for place in (1, 2, 3):
            opened.tokens.choose(view, place)

    settle(many)
    assert told[-1] == view.chosen == 3
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert opened.studio.trace is not None
    assert opened.studio.trace.token == 3
    settle(lambda: QTest.keyClick(view, Qt.Key.Key_Return))
    assert opened.studio.trace.token == view.chosen == 4


def test_a_token_that_is_clicked_while_the_answer_is_written_is_not_overtaken_by_the_trace_after_it(
    opened: MainWindow, settle: Act, qtbot: QtBot
) -> None:
    view = opened.panels.prompt.now
    opened.panels.prompt.pace.setCurrentIndex(1)

    def once(*_: object) -> None:
        opened.studio.bridge.generated.disconnect(once)
        opened.tokens.choose(view, 0)

    opened.studio.bridge.generated.connect(once)
    with qtbot.waitSignal(opened.studio.bridge.idle, timeout=PATIENCE_MS):
        opened.run_prompt()
    assert opened.studio.trace is not None
    assert opened.studio.trace.token == 0
    assert opened.panels.heat.of.text().startswith("Token 0")
    settle(opened.trace_prompt)
    assert opened.studio.trace.token is None


def test_the_earlier_answer_s_tokens_are_explained_on_its_own_route_and_a_new_run_goes_back_to_the_prompt(
    opened: MainWindow, settle: Act
) -> None:
    settle(opened.run_prompt)
    first = opened.studio.run
    assert first is not None
    assert first.route is not None
    opened.panels.prompt.key.setText("tin is a metal")
    settle(opened.run_prompt)
    second = opened.studio.run
    assert second is not None
    assert second.route is not None
    assert second.route.clusters != first.route.clusters
    earlier = opened.panels.prompt.earlier
    settle(lambda: opened.tokens.choose(earlier, 1))
    assert opened.studio.trace is not None
    assert opened.studio.trace.route.clusters == first.route.clusters
    assert (earlier.chosen, opened.panels.prompt.now.chosen) == (1, None)
    assert "token 1 “" in opened.panels.prompt.foot.caption.text()
    QTest.keyClick(opened.panels.prompt.now, Qt.Key.Key_Right)
    assert (earlier.cursor_at, opened.panels.prompt.now.cursor_at) == (None, 0)
    assert "token 0 “" in opened.panels.prompt.foot.caption.text()
    settle(opened.run_prompt)
    assert opened.studio.trace.token is None
    assert earlier.chosen is None


def test_a_token_of_a_run_without_fetched_blocks_has_nothing_to_explain_it(opened: MainWindow, settle: Act) -> None:
    opened.panels.prompt.memory.setCurrentIndex(2)
    settle(opened.run_prompt)
    assert "no memory" in opened.panels.prompt.foot.caption.text()
    opened.tokens.choose(opened.panels.prompt.now, 0)
    assert "nothing explains token 0" in opened.panels.status.line.text()
    assert opened.studio.trace is None
