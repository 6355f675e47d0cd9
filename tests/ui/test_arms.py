"""The A/B/C in a window on a real bank: real session, real worker, waiting on signals."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.session.arm_wish import GENERIC, NO_MEMORY, SHIPPED, THIS, ArmWish
from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import Situation
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
PROMPT = "The atomic number of gold is"


@pytest.fixture
def edited(opened: MainWindow, settle: Act) -> MainWindow:
    """Revision 1 prunes the whole route of the first prompt."""
    opened.measuring.on = False
    settle(opened.run_prompt)
    assert opened.studio.run is not None
    assert opened.studio.run.route is not None
    top = opened.studio.run.route.clusters[0]
    settle(lambda: opened.prune(top))
    opened.abreast.max_tokens.setValue(12)
    return opened


def situation(window: MainWindow) -> Situation:
    return window.arms.situation(window.studio.situation)


def shown(window: MainWindow) -> list[list[int]]:
    return [[token.id for token in column.view.tokens] for column in window.abreast.columns.columns]


def lines(window: MainWindow) -> list[str]:
    return [column.line.whole for column in window.abreast.columns.columns]


def test_arms_answer_side_by_side_as_a_run_of_each_does(edited: MainWindow, settle: Act) -> None:
    panel = edited.abreast
    edited.show_arms()
    assert panel.isVisible()
    assert panel.text.text() == PROMPT
    panel.bar.choose((SHIPPED, ArmWish(revision=1), NO_MEMORY, GENERIC))
    settle(panel.run_button.click)
    wanted = []
    for number in (0, 1):
        settle(lambda number=number: edited.studio.checkout(number))  # type: ignore[misc]
        settle(edited.run_prompt)
        wanted.append([token.id for token in edited.panels.prompt.now.tokens])
    assert shown(edited)[:2] == wanted
    at = next(at for at, (a, b) in enumerate(zip(*wanted, strict=False)) if a != b)
    assert panel.columns.columns[1].view.difference == at
    assert lines(edited)[1].startswith(f"Parts at token {at}:")
    assert lines(edited)[2] == "Same blocks as B"  # the pruned route fetches nothing
    assert {token.revision for token in panel.columns.columns[1].view.tokens} == {1}
    assert not panel.running


def test_every_token_of_a_has_a_figure_under_every_arm_as_the_session_gives_it(edited: MainWindow, settle: Act) -> None:
    panel = edited.abreast
    edited.show_arms()
    panel.bar.choose((THIS, SHIPPED, GENERIC))
    settle(panel.run_button.click)
    found = []

    def work(session: object, _: object) -> None:
        arms = session.arms(PROMPT, panel.bar.wishes)  # type: ignore[attr-defined]
        arms.answers[0] = panel.columns.columns[0].view.tokens
        found.append(arms.weigh())

    settle(lambda: edited.studio.bridge.errand("oracle", work))  # type: ignore[arg-type]
    assert panel.model.columnCount() == len(shown(edited)[0])
    for arm in range(3):
        own = [panel.model.logprob(arm, at) for at in range(panel.model.columnCount())]
        assert own == pytest.approx(found[0].logprobs[arm].tolist(), abs=1e-5)
    panel.copy.click()
    assert QGuiApplication.clipboard().text().count("\n") == panel.model.columnCount() + 1


def test_the_table_is_written_as_csv(edited: MainWindow, settle: Act, tmp_path: Path) -> None:
    edited.show_arms()
    settle(edited.abreast.start)
    settle(lambda: edited.arms.save_table_to(str(tmp_path / "arms.csv")))
    assert len((tmp_path / "arms.csv").read_text().splitlines()) == edited.abreast.model.columnCount() + 1
    assert "written" in edited.panels.status.line.text()


def test_arms_are_stopped_by_the_button_and_by_escape(edited: MainWindow, settle: Act, qtbot: QtBot) -> None:
    panel = edited.abreast
    edited.show_arms()
    panel.max_tokens.setValue(250)
    for stop in (panel.run_button.click, lambda: QTest.keyClick(edited, Qt.Key.Key_Escape)):
        with qtbot.waitSignal(edited.arms.bridge.said, timeout=PATIENCE_MS):
            panel.run_button.click()
        assert situation(edited).pairing
        assert edited.actions_.by_key["stop"].isEnabled()
        settle(stop)
        assert not panel.running
        assert not situation(edited).pairing
        assert panel.columns.columns[0].title.whole.endswith("stopped")


def test_arms_disturb_neither_the_earlier_answer_nor_the_run_that_is_shown(edited: MainWindow, settle: Act) -> None:
    before = edited.panels.prompt.now.tokens
    edited.show_arms()
    settle(edited.abreast.start)
    assert edited.panels.prompt.now.tokens == before
    assert edited.studio.run is not None


def test_an_over_long_prompt_is_refused_in_the_panel(edited: MainWindow, settle: Act) -> None:
    edited.show_arms()
    edited.abreast.text.setText("gold " * 400)
    settle(edited.abreast.start)
    assert edited.abreast.verdict.property("kind") == "error"
    assert not edited.abreast.running


def test_the_selected_blocks_are_compared_with_themselves_muted(edited: MainWindow, settle: Act) -> None:
    settle(edited.undo)
    assert edited.studio.run is not None
    assert edited.studio.run.route is not None
    route = edited.studio.run.route.clusters
    edited.studio.pick(route[-1])
    QTest.keyClicks(edited.abreast.text, "mine")
    action = edited.actions_.by_key["compare_muted"]
    assert action.isEnabled()
    settle(action.trigger)
    panel = edited.abreast
    assert panel.isVisible()
    assert panel.text.text() == PROMPT
    assert panel.bar.wishes == (THIS, ArmWish(without=(route[-1],)))
    settle(lambda: edited.studio.toggle_mute((route[-1],)))
    settle(edited.run_prompt)
    assert [token.id for token in edited.panels.prompt.now.tokens] == shown(edited)[1]
    assert "1 block muted" in panel.tried.text()


def test_another_bank_forgets_answers_and_arms(edited: MainWindow, settle: Act) -> None:
    edited.show_arms()
    edited.abreast.bar.add(ArmWish(route=(ClusterId(3, 1),)))
    settle(edited.abreast.start)
    assert edited.abreast.model.columnCount()
    wish = edited.wish
    assert wish is not None
    settle(lambda: edited.open_wish(wish))
    assert shown(edited) == [[], [], []]
    assert edited.abreast.bar.wishes == (THIS, SHIPPED, NO_MEMORY)
    assert not edited.abreast.table.isVisible()
