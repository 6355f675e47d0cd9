"""The prompt and its answers: streaming, comparing, marking revisions."""

import pytest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.ui.panels.answer_view import AnswerView
from memstudio.ui.panels.breadcrumb import Breadcrumb, measured
from memstudio.ui.panels.prompt_panel import PromptPanel
from memstudio.ui.snapshots import Ask
from memstudio.ui.theme import Theme
from tests.ui.fabricated import ROUTE, run, tokens

PROMPT = "The number is"


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> PromptPanel:
    made = PromptPanel(theme)
    qtbot.addWidget(made)
    return made


def answer(panel: PromptPanel, number: int, *texts: str, revision: int = 0) -> None:
    said = tokens(*texts, revision=revision)
    panel.begin(Ask(number, PROMPT))
    panel.add(said[:1])
    panel.add(said[1:])
    panel.finish(run(PROMPT, said, revision))


def test_tokens_stream_behind_the_prompt_and_copying_gives_plain_text(panel: PromptPanel) -> None:
    answer(panel, 1, " 79", ".")
    assert panel.now.toPlainText() == "The number is 79."
    panel.now.selectAll()
    assert panel.now.createMimeDataFromSelection().text() == "The number is 79."
    assert not panel.earlier.isVisibleTo(panel)
    assert panel.verdict == ""


def test_the_same_prompt_again_stands_beside_its_earlier_answer_with_the_first_difference_marked(panel: PromptPanel) -> None:
    answer(panel, 1, " it", " is", " 79", ".")
    answer(panel, 2, " it", " is", " 47", ".", revision=1)
    assert panel.earlier.isVisibleTo(panel)
    assert panel.earlier.toPlainText().endswith(" it is 79.")
    assert panel.now.difference == panel.earlier.difference == 2
    assert panel.verdict == "First difference at token 2: “79” → “47”"


def test_answers_that_agree_say_so_and_one_that_ends_early_differs_at_its_end(panel: PromptPanel) -> None:
    answer(panel, 1, " 79", ".")
    answer(panel, 2, " 79", ".")
    assert panel.verdict == "Both answers are the same."
    answer(panel, 3, " 79")
    assert panel.verdict == "First difference at token 1: “.” → “end”"


def test_another_prompt_stands_alone(panel: PromptPanel) -> None:
    answer(panel, 1, " 79")
    panel.begin(Ask(2, "Something else"))
    assert not panel.earlier.isVisibleTo(panel)


def test_tokens_that_a_recomputed_run_keeps_stay(panel: PromptPanel) -> None:
    answer(panel, 1, " it", " is", " 79")
    kept = panel.now.tokens[:2]
    panel.begin(Ask(2, PROMPT, kept=tuple(token.id for token in kept)))
    assert panel.now.tokens == kept
    panel.add(tokens(" 47", revision=1, start=2))
    assert panel.now.toPlainText() == "The number is it is 47"
    assert panel.now.boundaries() == [(2, 1)]


def test_a_bar_offers_the_choice_after_an_edit_in_the_middle(panel: PromptPanel) -> None:
    panel.begin(Ask(1, PROMPT))
    panel.show_bar(3, 1)
    assert panel.bar.isVisibleTo(panel)
    assert "1 token before it was read" in panel.bar_text.text()
    panel.begin(Ask(2, PROMPT))
    assert not panel.bar.isVisibleTo(panel)


def test_a_later_revision_is_marked_from_its_first_token_to_the_end(qtbot: QtBot, theme: Theme) -> None:
    view = AnswerView(theme)
    qtbot.addWidget(view)
    view.resize(400, 200)
    view.show_answer("Say", tokens(" a", " b") + tokens(" c", " d", revision=1, start=2))
    assert view.boundaries() == [(2, 1)]
    (mark,) = view.extraSelections()
    assert mark.cursor.selectedText() == "c d"
    assert not view.grab().isNull()


def test_a_change_of_theme_keeps_the_answer(qtbot: QtBot, theme: Theme) -> None:
    view = AnswerView(theme)
    qtbot.addWidget(view)
    view.show_answer("Say", tokens(" a", " b"))
    view.mark_difference(1)
    theme.choose("dark")
    assert view.toPlainText() == "Say a b"
    assert view.difference == 1
    theme.choose("light")


def test_each_step_of_the_route_says_distance_and_margin_and_selects_its_block(qtbot: QtBot) -> None:
    crumb = Breadcrumb()
    qtbot.addWidget(crumb)
    crumb.show_route(ROUTE)
    crumb.show_labels({ClusterId(1, 0): "metals"})
    assert crumb.chips[ClusterId(1, 0)].text() == "1/0  metals\n0.800 · margin 0.200"
    assert measured(ROUTE, 1) == "0.500 · no sibling"
    with qtbot.waitSignal(crumb.selected) as caught:
        crumb.chips[ClusterId(2, 1)].click()
    assert caught.args == [ClusterId(2, 1)]
