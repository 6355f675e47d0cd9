"""The A/B/C panel by itself: what it asks for, what it shows of what comes back."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from memstudio.anchor.values import Token
from memstudio.bank.values import ClusterId
from memstudio.events import Hidden
from memstudio.session.arm_wish import GENERIC, NO_MEMORY, SHIPPED, THIS, ArmWish
from memstudio.session.arms import Standing, Weighed
from memstudio.ui.arms_views import ArmsAsk, ArmsEnded, ArmsSaid, ArmsStand, ArmsWeighed
from memstudio.ui.models.arms_model import AnyIndex, ArmsModel
from memstudio.ui.panels.arms_panel import ArmsPanel
from memstudio.ui.scales import contrast
from memstudio.ui.selection import choose
from memstudio.ui.snapshots import StudyView
from memstudio.ui.theme import Theme
from tests.ui.fabricated import revision, tokens


def study(head: int = 2, count: int = 4) -> StudyView:
    log = tuple(revision(at, at - 1 if at else None, head=at == head, current=at <= head) for at in range(count))
    return StudyView(Path("one"), False, head, log, {}, None, None, {"named": 1})


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Iterator[ArmsPanel]:
    made = ArmsPanel(theme)
    made.show_bank(generic=True)
    made.show_study(study())
    made.follow("The number of gold is")
    made.resize(640, 320)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def begin(panel: ArmsPanel, *wishes: ArmWish, same: tuple[int, ...] = (), number: int = 1) -> None:
    panel.bar.choose(wishes)
    panel.start()
    panel.show_standing(ArmsStand(number, tuple(Standing(wish, 2, (), same[at] if same else at) for at, wish in enumerate(wishes))))


def say(panel: ArmsPanel, arm: int, token: Token, number: int = 1) -> None:
    panel.show_token(ArmsSaid(number, arm, token))


def lines(panel: ArmsPanel) -> list[str]:
    return [column.line.whole for column in panel.columns.columns]


# What is asked


def test_it_asks_with_the_prompt_the_arms_and_the_seed(panel: ArmsPanel, qtbot: QtBot) -> None:
    panel.temperature.setValue(0.7)
    panel.seed.setValue(11)
    panel.bar.chips[GENERIC].click()
    panel.bar.add(ArmWish(revision=1))
    with qtbot.waitSignal(panel.asked) as caught:
        panel.run_button.click()
    wishes = (THIS, SHIPPED, GENERIC, NO_MEMORY, ArmWish(revision=1))
    assert caught.args == [ArmsAsk(1, "The number of gold is", wishes, 48, 0.7, 11)]
    assert panel.running
    with qtbot.waitSignal(panel.stop_wanted):
        panel.run_button.click()


def test_the_prompt_and_its_key_follow_until_one_is_written_here(panel: ArmsPanel, qtbot: QtBot) -> None:
    asked: list[ArmsAsk] = []
    panel.asked.connect(asked.append)
    panel.follow("Another", "key")
    assert panel.text.text() == "Another"
    panel.start()
    panel.show_ended(ArmsEnded(1))
    panel.text.clear()
    qtbot.keyClicks(panel.text, "Mine")
    panel.follow("A third", "key")
    assert panel.text.text() == "Mine"
    panel.start()
    assert [ask.key for ask in asked] == ["key", None]


def test_greedy_answers_need_no_seed(panel: ArmsPanel) -> None:
    assert not panel.seed.isEnabled()
    panel.temperature.setValue(0.5)
    assert panel.seed.isEnabled()


def test_fewer_than_two_arms_cannot_answer_and_it_says_why(panel: ArmsPanel) -> None:
    for wish in (SHIPPED, NO_MEMORY):
        panel.bar.chips[wish].click()
    assert not panel.run_button.isEnabled()
    assert "at least two arms" in panel.run_button.toolTip()
    panel.start()
    assert not panel.running


def test_five_arms_are_the_most(panel: ArmsPanel) -> None:
    for number in (1, 3):
        panel.bar.add(ArmWish(revision=number))
    assert len(panel.bar.wishes) == 5
    assert not panel.bar.chips[GENERIC].isEnabled()
    panel.bar.chips[ArmWish(revision=1)].click()
    assert ArmWish(revision=1) not in panel.bar.chips
    assert panel.bar.chips[GENERIC].isEnabled()


def test_a_bank_without_generic_blocks_offers_none(panel: ArmsPanel) -> None:
    panel.show_bank(generic=False)
    chip = panel.bar.chips[GENERIC]
    assert not chip.isEnabled()
    assert chip.toolTip() == "This bank has no generic blocks"
    panel.bar.choose((THIS, GENERIC, SHIPPED))
    assert panel.bar.wishes == (THIS, SHIPPED)


def test_revisions_a_route_and_blocks_to_leave_out_are_added_from_the_menu(panel: ArmsPanel) -> None:
    panel.bar.show_chosen(choose((3, 9), [ClusterId(1, 2), ClusterId(2, 4)], ClusterId(2, 4)))
    panel.bar.more.aboutToShow.emit()
    offered = {action.text(): action for action in panel.bar.more.actions()}
    assert "Revision 1 · named · an edit" in offered or any(text.startswith("Revision 1 · named · ") for text in offered)
    offered["Route to 2/4"].trigger()
    assert ArmWish(route=(ClusterId(2, 4),)) in panel.bar.wishes
    panel.bar.more.aboutToShow.emit()
    {action.text(): action for action in panel.bar.more.actions()}["This revision without the 2 selected blocks"].trigger()
    assert panel.bar.wishes[-1] == ArmWish(without=(ClusterId(1, 2), ClusterId(2, 4)))


def test_an_arm_is_put_first_from_its_chip_s_menu(panel: ArmsPanel) -> None:
    panel.bar.chips[NO_MEMORY].actions()[0].trigger()
    assert panel.bar.wishes == (NO_MEMORY, THIS, SHIPPED)
    assert next(iter(panel.bar.chips)) == NO_MEMORY


def test_without_a_selection_the_menu_says_what_to_do(panel: ArmsPanel) -> None:
    panel.bar.more.aboutToShow.emit()
    first = panel.bar.more.actions()[0]
    assert first.text().startswith("Select a block")
    assert not first.isEnabled()


def test_what_is_tried_at_run_time_is_said(panel: ArmsPanel) -> None:
    assert not panel.tried.isVisible()
    panel.show_tried(Hidden(frozenset({ClusterId(1, 0)}), frozenset({ClusterId(2, 0), ClusterId(2, 1)}), pinned=(ClusterId(1, 1),)))
    assert panel.tried.text() == (
        "In every arm that fetches: 2 blocks muted; 1 subtree hidden; the route pinned to 1/1, save where an arm has its own."
    )
    assert panel.tried.isVisible()
    panel.show_tried(Hidden(frozenset(), frozenset()))
    assert not panel.tried.isVisible()


# What comes back


def test_tokens_stream_to_their_columns_and_the_parting_is_marked_in_both(panel: ArmsPanel) -> None:
    begin(panel, THIS, SHIPPED, NO_MEMORY)
    for one, other, third in zip(tokens(" it", " is", " a"), tokens(" it", " was", " a"), tokens(" we", " are", " a"), strict=True):
        for arm, token in enumerate((one, other, third)):
            say(panel, arm, token)
    views = [column.view for column in panel.columns.columns]
    assert [view.difference for view in views] == [0, 1, 0]
    assert lines(panel)[1:] == ["Parts at token 1: “was”", "Parts at token 0: “we”"]
    assert "A says “is” there" in panel.columns.columns[1].line.toolTip()
    panel.show_weighed(ArmsWeighed(1, Weighed(0, (" it", " is", " a"), np.zeros((3, 3), np.float32))))
    panel.show_ended(ArmsEnded(1))
    assert not panel.running
    assert panel.columns.columns[0].title.whole == "A · this revision (2)"
    assert lines(panel)[0] == "3 tokens"
    assert panel.copy.isEnabled()


def test_an_answer_that_ends_where_the_other_goes_on_parts_there_once_all_have_ended(panel: ArmsPanel) -> None:
    begin(panel, THIS, SHIPPED)
    for token in tokens(" it", " is"):
        say(panel, 0, token)
    say(panel, 1, tokens(" it")[0])
    assert lines(panel)[1] == "No difference so far"
    panel.show_ended(ArmsEnded(1))
    assert lines(panel)[1] == "Parts at token 1: the end"
    assert panel.columns.columns[0].view.difference == 1


def test_the_same_answer_and_the_same_blocks_are_said(panel: ArmsPanel) -> None:
    begin(panel, THIS, SHIPPED, NO_MEMORY, same=(0, 0, 2))
    for arm in range(3):
        say(panel, arm, tokens(" it")[0])
    panel.show_ended(ArmsEnded(1))
    assert lines(panel)[1:] == ["Same blocks as A", "The same answer as A"]


def test_answers_to_a_prompt_that_was_changed_since_are_said_to_be_so(panel: ArmsPanel) -> None:
    begin(panel, THIS, SHIPPED)
    for arm in range(2):
        say(panel, arm, tokens(" it")[0])
    panel.show_ended(ArmsEnded(1))
    asked, before = panel.text.text(), panel.verdict.whole
    panel.follow("another prompt")
    assert panel.verdict.whole == f"These answers are to “{asked}”."
    panel.follow(asked)
    assert panel.verdict.whole == before


def test_a_stopped_turn_says_so_and_claims_no_difference(panel: ArmsPanel) -> None:
    begin(panel, THIS, SHIPPED)
    for token in tokens(" it", " is"):
        say(panel, 0, token)
    say(panel, 1, tokens(" it")[0])
    panel.show_ended(ArmsEnded(1, stopped=True))
    assert panel.columns.columns[0].view.difference is None
    assert all(column.title.whole.endswith("stopped") for column in panel.columns.columns)


def test_tokens_of_an_earlier_turn_are_dropped(panel: ArmsPanel) -> None:
    begin(panel, THIS, SHIPPED)
    panel.show_ended(ArmsEnded(1))
    begin(panel, THIS, SHIPPED, number=2)
    say(panel, 0, tokens(" old")[0], number=1)
    assert panel.columns.columns[0].view.tokens == ()
    panel.show_ended(ArmsEnded(1))
    assert panel.running


def test_why_a_turn_was_refused_stands_in_the_panel(panel: ArmsPanel) -> None:
    panel.start()
    panel.show_ended(ArmsEnded(1, line="the prompt is too long"))
    panel.show_ended(ArmsEnded(1, stopped=True))
    assert panel.verdict.whole == "the prompt is too long"
    assert panel.verdict.property("kind") == "error"


def test_a_token_that_is_selected_is_told_and_seen(panel: ArmsPanel, qtbot: QtBot) -> None:
    begin(panel, THIS, SHIPPED)
    for at, token in enumerate(tokens(" it", " is", " so")):
        say(panel, 0, token)
        say(panel, 1, tokens(" it", " is", " so")[at])
    with qtbot.waitSignal(panel.token_selected) as caught:
        panel.table.select_token(2)
    assert caught.args == [2]


def test_a_part_of_an_answer_can_be_changed_from_its_menu(panel: ArmsPanel, qtbot: QtBot) -> None:
    begin(panel, THIS, SHIPPED)
    for token in tokens(" it", " is"):
        say(panel, 1, token)
    view = panel.columns.columns[1].view
    cursor = view.textCursor()
    cursor.setPosition(4)
    cursor.setPosition(6, cursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    with qtbot.waitSignal(panel.change_wanted) as caught:
        next(action for action in view.menu().actions() if action.text().startswith("Change")).trigger()
    assert caught.args == ["The number of gold is it"]


def test_three_arms_are_seen_whole_in_the_table_at_its_first_height(panel: ArmsPanel, qtbot: QtBot) -> None:
    begin(panel, THIS, SHIPPED, NO_MEMORY)
    for token in tokens(*[" word"] * 40):
        for arm in range(3):
            say(panel, arm, token)
    qtbot.waitUntil(lambda: panel.table.horizontalScrollBar().maximum() > 0)
    assert panel.table.viewport().height() >= 3 * panel.table.rowHeight(0)


def test_five_columns_scroll_sideways_and_together(panel: ArmsPanel, qtbot: QtBot) -> None:
    wishes = (THIS, SHIPPED, GENERIC, NO_MEMORY, ArmWish(revision=1))
    begin(panel, *wishes)
    for token in tokens(*[" word"] * 120):
        for arm in range(5):
            say(panel, arm, token)
    assert panel.columns.horizontalScrollBar().maximum() > 0
    bars = [column.view.verticalScrollBar() for column in panel.columns.columns]
    bars[0].setValue(0)
    bars[2].setValue(40)
    assert [bar.value() for bar in bars] == [40] * 5


def test_a_token_that_comes_late_costs_no_more_than_an_early_one(qtbot: QtBot, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    data = ArmsModel.data

    def counted(self: ArmsModel, index: AnyIndex, role: int = 0) -> object:
        asked.append(role)
        return data(self, index, role)

    monkeypatch.setattr(ArmsModel, "data", counted)
    panel = ArmsPanel(theme)
    qtbot.addWidget(panel)
    panel.show_bank(generic=True)
    panel.follow("The number of gold is")
    begin(panel, THIS, SHIPPED)
    for token in tokens(*[" word"] * 300):
        say(panel, 0, token)
    asked.clear()
    say(panel, 1, tokens(" word")[0])
    say(panel, 0, tokens(" late")[0])
    assert len(asked) < 100


@pytest.mark.parametrize("name", ["light", "dark"])
def test_figures_can_be_read_on_every_colour(panel: ArmsPanel, theme: Theme, name: str) -> None:
    theme.choose(name)  # type: ignore[arg-type]
    begin(panel, THIS, SHIPPED)
    for token in tokens(" it", " is"):
        say(panel, 0, token)
        say(panel, 1, token)
    panel.show_weighed(ArmsWeighed(1, Weighed(0, (" it", " is"), np.array([[-1, -1], [-9, 7]], np.float32))))
    for gap in np.linspace(-8, 8, 33):
        ground, ink = panel.table.colours(float(gap))
        parts = [(each.redF(), each.greenF(), each.blueF()) for each in (ground, ink)]
        assert contrast(*parts) >= 4.5, gap


def test_every_part_that_is_used_has_a_name(panel: ArmsPanel) -> None:
    assert panel.table.accessibleName()
    assert panel.text.accessibleName()
    assert all(button.text() or button.accessibleName() for button in panel.findChildren(QPushButton))
