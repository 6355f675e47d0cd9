"""The facts panel by itself: what it says of a list, what it asks for, and how it finds a fact among thousands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.ui.fact_views import FactRow, FactsScored, FactsView
from memstudio.ui.panels.facts_panel import FactsPanel
from memstudio.ui.snapshots import JobView
from memstudio.ui.theme import Theme
from tests.ui.fabricated import fact, fact_rows

OWN = "the bank's facts"


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Iterator[FactsPanel]:
    made = FactsPanel(theme)
    qtbot.addWidget(made)
    made.resize(640, 300)
    made.show()
    yield made
    made.close()


def test_without_facts_it_says_how_to_get_some(panel: FactsPanel, qtbot: QtBot) -> None:
    panel.show_facts(FactsView(OWN, ()))
    assert panel.empty.isVisibleTo(panel)
    panel.show_facts(FactsView(OWN, fact_rows(3)))
    assert not panel.empty.isVisibleTo(panel)
    assert panel.share.text() == "Not scored"


def test_what_a_file_left_out_is_counted_and_can_be_read(panel: FactsPanel, qtbot: QtBot) -> None:
    view = FactsView("a.jsonl", fact_rows(3), Path("a.jsonl"), ("line 4: not JSON",), 12)
    panel.show_facts(view)
    assert panel.skipped.text() == "12 records skipped"
    with qtbot.waitSignal(panel.skipped_wanted) as caught:
        panel.skipped.click()
    assert caught.args == [view]
    panel.show_facts(FactsView(OWN, fact_rows(3)))
    assert not panel.skipped.isVisibleTo(panel)
    assert not panel.own_button.isVisibleTo(panel)


def test_facts_with_a_target_can_be_changed_all_at_once(panel: FactsPanel, qtbot: QtBot) -> None:
    rows = (FactRow(fact("a", target="7")), FactRow(fact("b")), FactRow(fact("c", target="8")))
    panel.show_facts(FactsView("a.csv", rows, Path("a.csv")))
    assert panel.change_all_button.text() == "Change all (2)…"
    with qtbot.waitSignal(panel.change_all_wanted) as caught:
        panel.change_all_button.click()
    assert [one.id for one in caught.args[0]] == ["a", "c"]
    panel.show_facts(FactsView(OWN, fact_rows(3)))
    assert not panel.change_all_button.isVisibleTo(panel)


def test_a_score_is_shown_with_its_interval_and_says_when_the_study_moved(panel: FactsPanel) -> None:
    rows = fact_rows(3)
    panel.show_facts(FactsView(OWN, rows))
    scored = tuple(FactRow(row.fact, row.blocks, "7", row.fact.id == "f0") for row in rows)
    panel.show_scored(FactsScored(OWN, scored, "fetched", 0, "33.3 % right, 95% 6.1–79.2, n 3", "Facts at revision 0: …"))
    assert panel.share.text() == "33.3 % right, 95% 6.1–79.2, n 3"
    panel.show_study(2)
    assert panel.share.text().endswith("· at revision 0")
    panel.show_scored(FactsScored("other", scored[:1], "fetched", 0, "–", "–"))
    assert panel.model.rowCount() == 3


def test_scoring_shows_how_far_it_is_and_can_be_cancelled(panel: FactsPanel, qtbot: QtBot) -> None:
    panel.show_facts(FactsView(OWN, fact_rows(3)))
    panel.memory.setCurrentIndex(2)
    with qtbot.waitSignal(panel.score_wanted) as caught:
        panel.score_button.click()
    assert caught.args == ["none"]
    panel.show_job(JobView(1, "Scoring the facts", 40, 100))
    assert panel.progress.isVisibleTo(panel)
    assert panel.progress.value() == 40
    with qtbot.waitSignal(panel.stop_wanted):
        panel.score_button.click()
    panel.show_job(JobView(1, "Scoring the facts", ended=True))
    assert panel.score_button.text() == "Score"


def test_three_thousand_facts_are_filtered_as_one_types(panel: FactsPanel, qtbot: QtBot) -> None:
    panel.show_facts(FactsView(OWN, fact_rows(3090)))
    assert panel.count.text() == "3,090"
    QTest.keyClicks(panel.text, "prompt of f309")
    qtbot.waitUntil(lambda: panel.filter.rowCount() == 1)
    assert panel.count.text() == "1 of 3,090"
    panel.text.clear()
    qtbot.waitUntil(lambda: panel.filter.rowCount() == 3090)


def test_a_double_click_and_the_menu_give_the_fact_that_was_meant(panel: FactsPanel, qtbot: QtBot) -> None:
    panel.show_facts(FactsView(OWN, fact_rows(9)))
    spot = panel.table.visualRect(panel.filter.index(2, 1)).center()
    with qtbot.waitSignal(panel.picked) as caught:
        QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(spot))
        QTest.mouseDClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(spot))
    row = caught.args[0]
    assert row.fact.id == "f2"
    menu = panel.menu_of(row)
    for text, signal in (
        ("Change this fact…", panel.change_wanted),
        ("Erase this fact…", panel.erase_wanted),
        ("Run its prompt", panel.run_wanted),
    ):
        action = next(each for each in menu.actions() if each.text() == text)
        with qtbot.waitSignal(signal) as caught:
            action.trigger()
        assert caught.args == [row]
    menu.deleteLater()


def test_the_filters_offer_what_is_in_the_list(panel: FactsPanel) -> None:
    rows = (FactRow(fact("a", relation="number")), FactRow(fact("b", relation="symbol", kind="common")))
    panel.show_facts(FactsView(OWN, rows))
    assert [panel.relation.itemText(at) for at in range(panel.relation.count())] == ["All relations", "number", "symbol"]
    panel.relation.setCurrentIndex(2)
    assert panel.filter.rowCount() == 1
    panel.kind.setCurrentText("specific")
    assert panel.filter.rowCount() == 0
