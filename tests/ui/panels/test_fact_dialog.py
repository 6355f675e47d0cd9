"""The fact dialog by itself: what it asks for, what it shows of what comes back, and what it lets through."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.ui.fact_views import Applied, BatchView, FactAsk, FactWish, Preview, Refusal, Rested
from memstudio.ui.panels.fact_dialog import FactDialog
from memstudio.ui.panels.preview_view import changed_words
from memstudio.ui.theme import Theme
from tests.ui.fabricated import fact, receipt, request_view

LEAVES = (ClusterId(2, 0), ClusterId(2, 1))


class Log:
    """What the dialog asked for."""

    def __init__(self, dialog: FactDialog) -> None:
        self.asks: list[FactAsk] = []
        self.previews: list[tuple[int, FactWish]] = []
        self.applied: list[tuple[object, ...]] = []
        self.forgotten: list[int] = []
        self.cancelled: list[int] = []
        dialog.asked.connect(self.asks.append)
        dialog.previewing.connect(lambda number, wish: self.previews.append((number, wish)))
        dialog.applying.connect(lambda *said: self.applied.append(said))
        dialog.applying_previewed.connect(lambda *said: self.applied.append(said))
        dialog.forgotten.connect(self.forgotten.append)
        dialog.cancelling.connect(self.cancelled.append)


@pytest.fixture
def dialog(qtbot: QtBot, theme: Theme) -> Iterator[FactDialog]:
    made = FactDialog(theme)
    qtbot.addWidget(made)
    yield made
    made.close()


@pytest.fixture
def log(dialog: FactDialog) -> Log:
    return Log(dialog)


def begin(dialog: FactDialog, log: Log, target: str = "47") -> None:
    dialog.open_on("Prompt of gold")
    dialog.show_request(request_view(log.asks[-1].number))
    dialog.target.setText(target)


def preview(dialog: FactDialog, log: Log, *, base: int = 0, broken: tuple[str, ...] = ()) -> Preview:
    dialog.preview_button.click()
    number, wish = log.previews[-1]
    view = Preview(number, wish, base, receipt(), ("reliability 6 of 6",), broken)
    dialog.show_preview(view)
    dialog.show_rested(Rested(number))
    return view


def test_it_opens_on_a_prompt_and_nothing_can_be_applied_before_its_routes_are_read(dialog: FactDialog, log: Log) -> None:
    dialog.open_on("Prompt of gold")
    assert log.asks[-1] == FactAsk(log.asks[-1].number, "Prompt of gold")
    assert not dialog.apply_button.isEnabled()
    assert not dialog.preview_button.isEnabled()
    dialog.show_request(request_view(log.asks[-1].number))
    assert dialog.answer.text() == "79"
    assert dialog.apply_button.isEnabled()
    assert dialog.phrasings.kept() == ("Again gold",)
    assert dialog.phrasings.tree.topLevelItem(1).text(2) == "1/0 › 2/0"
    assert "3 other facts fetch them too" in dialog.where.summary.text()


def test_a_reply_to_another_turn_is_dropped(dialog: FactDialog, log: Log) -> None:
    dialog.open_on("Prompt of gold")
    dialog.show_request(request_view(log.asks[-1].number + 7))
    assert dialog.wish is None
    dialog.show_refusal(Refusal(99, "stale"))
    assert dialog.line.text() == ""


def test_the_leaves_that_will_be_written_are_marked(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    assert dialog.where.written == set(LEAVES)
    dialog.where.choose("shared")
    assert dialog.where.written == {ClusterId(1, 0)}
    assert dialog.wish is not None
    assert (dialog.wish.where, dialog.wish.blocks) == ("shared", ())
    dialog.where.choose("choose")
    dialog.where.chips[LEAVES[0]].click()
    assert dialog.wish.blocks == (LEAVES[1],)
    dialog.where.chips[LEAVES[1]].click()
    assert not dialog.preview_button.isEnabled()
    assert "Choose at least one block" in dialog.where.summary.text()


def test_a_phrasing_that_is_added_unchecked_or_removed_asks_for_the_routes_again(dialog: FactDialog, log: Log, qtbot: QtBot) -> None:
    begin(dialog, log)
    view, asked = dialog.phrasings, len(log.asks)
    with qtbot.waitSignal(view.changed):
        view.add_button.click()
        editor = view.tree.focusWidget() or QApplication.focusWidget()
        view.tree.topLevelItem(2).setText(0, "Say gold")
        if editor is not None:
            QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert [each.text for each in log.asks[-1].phrasings or ()] == ["Again gold", "Say gold"]
    with qtbot.waitSignal(view.changed):
        view.tree.topLevelItem(1).setCheckState(0, Qt.CheckState.Unchecked)
    assert view.kept() == ("Say gold",)
    with qtbot.waitSignal(view.changed):
        view.tree.setCurrentItem(view.tree.topLevelItem(1))
        view.remove_button.click()
    assert [each.text for each in log.asks[-1].phrasings or ()] == ["Say gold"]
    assert len(log.asks) >= asked + 3


def test_the_prompt_itself_can_be_neither_unchecked_nor_removed(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    tree = dialog.phrasings.tree
    tree.setCurrentItem(tree.topLevelItem(0))
    assert not dialog.phrasings.remove_button.isEnabled()
    assert not tree.topLevelItem(0).flags() & Qt.ItemFlag.ItemIsUserCheckable


def test_a_preview_shows_the_answers_and_the_facts_that_change(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    preview(dialog, log)
    assert log.previews[-1][1].facts[0].target == "47"
    assert dialog.preview.answers.topLevelItem(0).text(2) == "47"
    assert dialog.preview.changed_title.text() == "1 of 3 other prompts changed"
    assert dialog.preview.changed.topLevelItem(0).text(1) == "50"
    assert dialog.preview.lines.text() == "reliability 6 of 6"
    assert not dialog.preview.gate.isVisibleTo(dialog)


def test_none_changed_is_a_result_and_not_measured_is_not_none() -> None:
    assert changed_words(receipt(changed=[])) == "None of 3 other prompts changed"
    assert changed_words({"changed": []}) == "Other answers of these blocks: not measured"


def test_apply_commits_the_very_preview_and_without_one_it_measures_first(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    dialog.apply_button.click()
    number, wish, reason = log.applied[-1]
    assert isinstance(wish, FactWish)
    assert reason == ""
    dialog.show_rested(Rested(int(str(number))))
    seen = preview(dialog, log)
    dialog.apply_button.click()
    assert log.applied[-1] == (seen.number, "")
    dialog.show_applied(Applied(seen.number, 1))
    assert not dialog.isVisible()
    assert seen.number not in log.forgotten


def test_a_change_of_the_request_makes_the_preview_stale(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    preview(dialog, log)
    assert dialog.fresh
    dialog.target.setText("50")
    assert not dialog.fresh
    dialog.apply_button.click()
    assert isinstance(log.applied[-1][1], FactWish)


def test_a_study_that_moved_says_so_and_offers_to_preview_again(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    preview(dialog, log)
    dialog.show_head(4)
    assert "moved to revision 4" in dialog.line.text()
    assert dialog.preview_button.text() == "Preview again"
    assert not dialog.fresh


def test_a_broken_limit_needs_a_reason(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    seen = preview(dialog, log, broken=("locality 0.5 is under 0.9 (1 of 2)",))
    assert dialog.preview.gate.isVisibleTo(dialog)
    assert dialog.apply_button.text() == "Apply anyway"
    assert not dialog.apply_button.isEnabled()
    dialog.preview.reason.setText("known and wanted")
    dialog.apply_button.click()
    assert log.applied[-1] == (seen.number, "known and wanted")


def test_an_error_stands_in_the_dialog_and_the_fields_stay(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log, target="")
    dialog.preview_button.click()
    number = log.previews[-1][0]
    dialog.show_refusal(Refusal(number, "the new answer is empty; write one"))
    dialog.show_rested(Rested(number))
    assert dialog.line.text() == "the new answer is empty; write one"
    assert dialog.preview_button.text() == "Preview"
    assert not dialog.busy
    assert dialog.isVisible()


def test_cancel_while_it_is_measured_and_close_forget_the_plan(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    dialog.preview_button.click()
    assert dialog.preview_button.text() == "Cancel"
    dialog.preview_button.click()
    number = log.previews[-1][0]
    assert log.cancelled[-1] == number
    dialog.show_rested(Rested(number))
    assert not dialog.busy
    seen = preview(dialog, log)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert log.forgotten[-1] == seen.number


def test_return_in_a_field_commits_nothing(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    QTest.keyClick(dialog.target, Qt.Key.Key_Return)
    assert len(log.previews) == 1
    assert not log.applied


def test_erasing_asks_for_no_new_answer_and_writes_to_all_blocks_on_the_routes(dialog: FactDialog, log: Log) -> None:
    dialog.open_on("Prompt of gold", verb="erase")
    dialog.show_request(request_view(log.asks[-1].number))
    assert not dialog.target.isVisibleTo(dialog)
    assert dialog.wish is not None
    assert (dialog.wish.verb, dialog.wish.where) == ("erase", "path")
    assert dialog.where.written == {ClusterId(1, 0), *LEAVES}


def test_many_facts_are_one_wish(dialog: FactDialog, log: Log, qtbot: QtBot) -> None:
    facts = tuple(fact(name, target="9") for name in ("a", "b"))
    with qtbot.waitSignal(dialog.gathering) as caught:
        dialog.open_batch(facts)
    dialog.show_batch(BatchView(int(str(caught.args[0])), facts, 4, LEAVES, 5))
    assert "2 facts with 4 prompts reach 2 blocks" in dialog.where.summary.text()
    assert dialog.requests.model.rowCount() == 2
    assert dialog.wish is not None
    assert dialog.wish.facts == facts


def test_opened_again_on_the_same_prompt_it_keeps_what_was_written(dialog: FactDialog, log: Log) -> None:
    begin(dialog, log)
    asked = len(log.asks)
    dialog.open_on("Prompt of gold")
    assert dialog.target.text() == "47"
    assert len(log.asks) == asked
    dialog.open_on("Prompt of tin")
    assert dialog.target.text() == ""
    assert len(log.asks) == asked + 1


def test_without_a_prompt_it_waits_for_one(dialog: FactDialog, log: Log) -> None:
    dialog.open_on("")
    assert log.asks == []
    assert dialog.line.text() == ""
    QTest.keyClicks(dialog.prompt, "Prompt of gold")
    QTest.keyClick(dialog.prompt, Qt.Key.Key_Return)
    assert log.asks[-1].prompt == "Prompt of gold"
    assert len(log.asks) == 1


def test_an_erasure_shows_what_is_left_by_probability(dialog: FactDialog, log: Log) -> None:
    dialog.open_on("Prompt of gold", verb="erase")
    dialog.show_request(request_view(log.asks[-1].number))
    dialog.preview_button.click()
    probe = {"prompt": "Prompt of gold", "before": 0.98, "after": 0.004, "limit": 0.02, "within": True, "other_paths": {"worst": 0.3}}
    report = {"probes": [probe, probe | {"after": 0.5, "within": False, "other_paths": "not measured"}], "within": 1, "count": 2}
    number, wish = log.previews[-1]
    dialog.show_preview(Preview(number, wish, 0, receipt(takedown=report)))
    assert dialog.preview.left_title.text() == "Probability of the answers: 1 of 2 within the limit"
    shown = [[dialog.preview.left.topLevelItem(row).text(column) for column in range(1, 5)] for row in range(2)]
    assert shown == [["0.980", "0.004", "0.020", "0.300"], ["0.980", "0.500", "0.020", "–"]]
    assert dialog.preview.answers.isColumnHidden(3)
