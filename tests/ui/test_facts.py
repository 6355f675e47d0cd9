"""Facts in the window on a real bank: change one from its answer, undo it, score a list, import one. Real session, real worker."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.facts.score import total
from memstudio.facts.values import Fact, Scored
from memstudio.ui.fact_errands import OWN, rows_of, score_line
from memstudio.ui.fact_views import FactsView, noun_of
from memstudio.ui.main_window import MainWindow
from memstudio.ui.models.facts_model import Column
from memstudio.ui.panels.fact_dialog import FactDialog
from memstudio.ui.panels.facts_panel import FactsPanel
from memstudio.ui.theme import Theme
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
PROMPT = "The atomic number of gold is"


@pytest.fixture
def window_of_facts(opened: MainWindow, settle: Act) -> MainWindow:
    opened.measuring.on = False
    return opened


def head(window: MainWindow) -> int:
    assert window.studio.study is not None
    return window.studio.study.head


def open_dialog(window: MainWindow, settle: Act, target: str = "47") -> FactDialog:
    settle(window.change_fact)
    window.facts.dialog.target.setText(target)
    return window.facts.dialog


def apply_anyway(dialog: FactDialog, settle: Act) -> None:
    """Random blocks break limits; the gate is not what is tested here."""
    if dialog.apply_button.text() == "Apply anyway":
        dialog.preview.reason.setText("only a test")
    settle(dialog.apply_button.click)


def test_the_dialog_opens_from_a_selected_answer(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    settle(window.run_prompt)
    view = window.panels.prompt.now
    assert "Change this answer…" not in [each.text() for each in view.menu().actions()]
    start = len(PROMPT)
    cursor = view.textCursor()
    cursor.setPosition(start)
    cursor.movePosition(QTextCursor.MoveOperation.NextWord, QTextCursor.MoveMode.KeepAnchor)
    cursor.movePosition(QTextCursor.MoveOperation.EndOfWord, QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    change = next(each for each in view.menu().actions() if each.text() == "Change this answer…")
    settle(change.trigger)
    dialog = window.facts.dialog
    assert dialog.isVisible()
    assert dialog.prompt.text() == PROMPT
    assert dialog.phrasings.kept() == ("Element gold has the atomic number",)
    dialog.close()


def test_a_part_of_an_answer_is_asked_for_by_all_that_stands_before_it(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    settle(window.run_prompt)
    view = window.panels.prompt.now
    second = view._span(2)
    cursor = view.textCursor()
    cursor.setPosition(second[0])
    cursor.setPosition(second[1], QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    assert window.panels.prompt.to_change() == view.toPlainText()[: second[0]].rstrip()


def test_a_preview_writes_nothing_and_apply_commits_it_and_undo_brings_the_answer_back(
    window_of_facts: MainWindow, settle: Act, qtbot: QtBot
) -> None:
    window = window_of_facts
    settle(window.run_prompt)
    before = [token.id for token in window.panels.prompt.now.tokens]
    dialog = open_dialog(window, settle)
    settle(dialog.preview_button.click)
    assert dialog.line.text() == ""
    assert dialog.preview.answers.topLevelItem(0).text(2) == "47"
    assert dialog.preview.lines.text().startswith("reliability")
    assert head(window) == 0
    assert dialog.fresh
    apply_anyway(dialog, settle)
    assert not dialog.isVisible()
    assert head(window) == 1
    assert window.studio.study is not None
    assert window.studio.study.revision.verb == "update"
    assert window.studio.study.revision.receipt["measured"]
    settle(window.run_prompt)
    assert window.panels.prompt.now.toPlainText().startswith(f"{PROMPT} 47")
    settle(window.undo)
    settle(window.run_prompt)
    assert [token.id for token in window.panels.prompt.now.tokens] == before


def test_apply_without_a_preview_measures_first_and_the_gate_holds_it_back(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    dialog = open_dialog(window, settle)
    settle(dialog.apply_button.click)
    if dialog.isVisible():  # the gate said no
        assert head(window) == 0
        assert dialog.preview.gate.isVisibleTo(dialog)
        assert not dialog.apply_button.isEnabled()
        apply_anyway(dialog, settle)
        assert window.studio.study is not None
        assert window.studio.study.revision.receipt["gate"]["reason"] == "only a test"
    assert head(window) == 1


def test_cancel_and_close_leave_the_study_as_it_was(window_of_facts: MainWindow, settle: Act, qtbot: QtBot) -> None:
    window = window_of_facts
    dialog = open_dialog(window, settle)

    def begin_and_cancel() -> None:
        dialog.preview_button.click()
        with qtbot.waitSignal(window.studio.bridge.job, timeout=PATIENCE_MS):
            pass
        dialog.preview_button.click()

    settle(begin_and_cancel)
    assert not dialog.busy
    assert head(window) == 0
    settle(dialog.preview_button.click)
    settle(dialog.close)
    assert head(window) == 0
    assert window.facts.bridge._plans == {}


@pytest.mark.parametrize("target", ["", "   "])
def test_an_empty_target_is_one_line_in_the_dialog(window_of_facts: MainWindow, settle: Act, target: str) -> None:
    dialog = open_dialog(window_of_facts, settle, target)
    settle(dialog.preview_button.click)
    assert "the new answer is empty" in dialog.line.text()
    assert "\n" not in dialog.line.text()
    assert window_of_facts.panels.status.line.property("kind") != "error"
    dialog.close()


def test_a_study_that_moves_after_the_preview_is_not_written_over(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    dialog = open_dialog(window, settle)
    settle(dialog.preview_button.click)
    seen = dialog._preview
    assert seen is not None
    settle(lambda: window.prune(ClusterId(3, 0)))
    assert "moved to revision 1" in dialog.line.text()
    settle(lambda: window.facts.bridge.apply_previewed(seen.number, "anyway"))
    assert head(window) == 1
    dialog.close()


def test_a_prompt_that_no_fact_holds_gets_phrasings_drafted(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    window.panels.prompt.write("The symbol of gold is")
    dialog = open_dialog(window, settle)
    assert len(dialog.phrasings.kept()) >= 5
    assert all(each.route for each in dialog.phrasings.phrasings())
    dialog.close()


def test_erasing_a_fact_is_previewed_too(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    settle(window.erase_fact)
    dialog = window.facts.dialog
    assert dialog.windowTitle() == "Erase a fact"
    settle(dialog.preview_button.click)
    assert dialog.line.text() or dialog.preview.answers.topLevelItemCount()  # random blocks may hold nothing of it
    assert head(window) == 0
    dialog.close()


def test_the_banks_facts_are_listed_scored_and_lead_to_their_blocks(window_of_facts: MainWindow, settle: Act) -> None:
    window, panel = window_of_facts, window_of_facts.panels.facts
    assert panel.model.rowCount() == 12
    assert {row.state for row in panel.model.rows} == {"not scored"}
    settle(window.score_facts)
    assert {row.state for row in panel.model.rows} <= {"right", "wrong"}
    assert "% right, 95%" in panel.share.text()
    assert panel.share.text().endswith("n 22")
    row = next(row for row in panel.model.rows if row.fact.subject == "iron")
    settle(lambda: panel.picked.emit(row))
    assert window.selected() == row.blocks[0]
    assert window.panels.prompt.text.toPlainText() == "The atomic number of iron is"


def test_a_bank_of_probes_is_never_said_to_hold_facts(theme: Theme, qtbot: QtBot) -> None:
    panel = FactsPanel(theme)
    qtbot.addWidget(panel)
    assert panel.windowTitle() == "Facts"
    probe = Fact("d/1", "", "2/3", "The ring of gold is", "red", (), (), (), (), "probe")
    view = FactsView(OWN, rows_of([probe], {}))
    panel.show_facts(view)
    menu = panel.menu_of(view.rows[0])
    qtbot.addWidget(menu)
    said = [panel.windowTitle(), panel.memory.toolTip(), panel.change_all_button.toolTip(), panel.own_button.toolTip()]
    said += [panel.table.accessibleName(), panel.relation.itemText(0), *(each.text() for each in menu.actions())]
    assert [text for text in said if "fact" in text.casefold()] == []
    assert panel.windowTitle() == "Probes"
    assert "Erase this probe…" in said
    assert panel.table.isColumnHidden(Column.KIND)
    assert panel.table.isColumnHidden(Column.RELATION)
    panel.show_facts(FactsView(OWN, rows_of([replace(probe, kind="specific")], {})))
    assert panel.windowTitle() == "Facts"
    assert not panel.table.isColumnHidden(Column.KIND)


def test_a_score_of_probes_is_told_as_one_of_probes() -> None:
    probe = Fact("d/1", "", "2/3", "The ring of gold is", "red", (), (), (), (), "probe")
    row = Scored("d/1", "probe", "prompt", probe.prompt, "red", "red", True, (), True)
    scores = total([row], memory="fetched", revision=2, agreement={}, seconds=1.0)
    assert score_line(scores, "100 % right", noun_of([probe])) == "Probes at revision 2: 100 % right (probe 100.0 %; 1 probe in 1 s)"
    assert noun_of([]) == "fact"
    assert noun_of([probe, replace(probe, kind="common")]) == "fact"


def test_what_changed_since_the_last_scoring_is_marked(window_of_facts: MainWindow, settle: Act) -> None:
    window, panel = window_of_facts, window_of_facts.panels.facts
    settle(window.score_facts)
    assert not any(row.changed for row in panel.model.rows)
    before = {row.fact.id: row.got for row in panel.model.rows}
    settle(lambda: window.prune(ClusterId(1, 0)))
    settle(lambda: window.prune(ClusterId(1, 1)))
    settle(lambda: window.prune(ClusterId(1, 2)))
    settle(window.score_facts)
    changed = {row.fact.id for row in panel.model.rows if row.changed}
    assert changed == {row.fact.id for row in panel.model.rows if row.got != before[row.fact.id]}
    assert changed
    panel.state.setCurrentText("Changed")
    assert panel.filter.rowCount() == len(changed)


def test_a_fact_file_is_read_with_its_broken_records_listed_and_its_targets_changed_together(
    window_of_facts: MainWindow, settle: Act, tmp_path: Path
) -> None:
    window, panel = window_of_facts, window_of_facts.panels.facts
    known = (("gold", "79"), ("iron", "26"))
    records = [{"prompt": f"The atomic number of {name} is", "expected": number, "target": "50"} for name, number in known]
    file = tmp_path / "wanted.jsonl"
    file.write_text("\n".join([*map(json.dumps, records), "{broken", json.dumps({"prompt": 3})]), encoding="utf-8")
    settle(lambda: window.read_facts(file))
    assert panel.model.rowCount() == 2
    assert panel.skipped.text() == "2 records skipped"
    panel.skipped.click()
    assert "line 3" in window.facts._skipped.text.toPlainText()
    window.facts._skipped.close()
    assert window.actions_.by_key["change_all"].isEnabled()
    settle(window.change_all_facts)
    dialog = window.facts.dialog
    assert "2 facts" in dialog.windowTitle()
    settle(dialog.preview_button.click)
    assert dialog.line.text() == ""
    apply_anyway(dialog, settle)
    assert head(window) == 1
    assert window.studio.study is not None
    assert window.studio.study.revision.title == "update 2 facts"
    settle(panel.own_button.click)
    assert panel.model.rowCount() == 12
    assert not window.actions_.by_key["change_all"].isEnabled()


def test_a_file_without_facts_is_one_line_and_the_list_stays(window_of_facts: MainWindow, settle: Act, tmp_path: Path) -> None:
    file = tmp_path / "nothing.txt"
    file.write_bytes(b"\0\1\2")
    settle(lambda: window_of_facts.read_facts(file))
    assert str(file) in window_of_facts.panels.status.line.text()
    assert window_of_facts.panels.facts.model.rowCount() == 12


def test_ctrl_e_opens_the_dialog_and_escape_closes_it(window_of_facts: MainWindow, settle: Act) -> None:
    window_of_facts.activateWindow()
    settle(lambda: QTest.keySequence(window_of_facts, "Ctrl+E"))
    assert window_of_facts.facts.dialog.isVisible()
    QTest.keySequence(window_of_facts.facts.dialog, "Esc")
    assert not window_of_facts.facts.dialog.isVisible()


def test_blocks_are_scaled_and_swapped_from_the_window(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    one, other = ClusterId(3, 0), ClusterId(3, 1)
    window.studio.pick(one)
    window.scale_block()
    window._scale.factor.setValue(50)
    settle(lambda: window._scale._take())
    assert window.studio.study is not None
    assert window.studio.study.state(one).scale == 0.5
    window.swap_block()
    window._swap.source.setText(str(other))
    settle(lambda: window._swap._take())
    assert head(window) == 2
    assert window.studio.study.state(one).source not in ("base", "pruned")


def test_solo_and_pin_are_tried_without_a_revision(window_of_facts: MainWindow, settle: Act) -> None:
    window = window_of_facts
    settle(window.run_prompt)
    assert window.studio.run is not None
    assert window.studio.run.route is not None
    free = window.studio.run.route.clusters
    other = next(ClusterId(3, index) for index in range(27) if ClusterId(3, index) not in free)
    settle(lambda: window.studio.pick(other))
    settle(lambda: window.actions_.by_key["pin"].trigger())
    assert window.actions_.by_key["pin"].isChecked()
    settle(window.run_prompt)
    assert window.studio.run.route is not None
    assert window.studio.run.route.clusters[-1] == other
    settle(lambda: window.actions_.by_key["pin"].trigger())
    settle(lambda: window.toggle_solo(free[-1]))
    assert f"Only {free[-1]} is added" in window.panels.status.line.text()
    settle(lambda: window.toggle_solo(free[-1]))
    assert "added again" in window.panels.status.line.text()
    assert head(window) == 0
