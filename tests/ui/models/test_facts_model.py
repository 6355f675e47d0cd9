"""The list of facts: thousands of rows, their states, and a filter that leaves what was asked for."""

from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.ui.fact_views import FactRow
from memstudio.ui.models.facts_model import ALL, Column, FactsFilter, FactsModel, RowRole
from tests.ui.fabricated import fact, fact_rows

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


def shown(filtered: FactsFilter) -> list[str]:
    return [filtered.index(row, 0).data(RowRole).fact.id for row in range(filtered.rowCount())]


def test_model_and_filter_pass_qts_own_model_tester(qapp: QApplication) -> None:
    model = FactsModel()
    filtered = FactsFilter(model)
    testers = [QAbstractItemModelTester(model, FATAL), QAbstractItemModelTester(filtered, FATAL)]
    rows = fact_rows(20)
    model.show_rows(rows)
    filtered.choose("number 1", ALL, "", "")
    filtered.sort(Column.PROMPT)
    model.show_rows(tuple(FactRow(row.fact, row.blocks, "7", row.fact.id == "f3") for row in rows))
    filtered.choose("", "Wrong", "specific", "")
    model.show_rows(())
    for each in (*testers, filtered, model):
        each.deleteLater()


def test_a_scoring_of_the_same_facts_keeps_the_rows(qtbot: QtBot) -> None:
    model = FactsModel()
    rows = fact_rows(3)
    model.show_rows(rows)
    with qtbot.waitSignal(model.dataChanged), qtbot.assertNotEmitted(model.modelReset):
        model.show_rows(tuple(FactRow(row.fact, row.blocks, "7", True) for row in rows))
    assert model.index(1, Column.GOT).data() == "7"
    model.deleteLater()


def test_the_filter_goes_by_text_state_kind_and_relation_together(qapp: QApplication) -> None:
    model = FactsModel()
    filtered = FactsFilter(model)
    model.show_rows(
        (
            FactRow(fact("a", relation="number", expected="79"), right=True, got="79"),
            FactRow(fact("b", relation="number", expected="47"), right=False, got="79", changed=True),
            FactRow(fact("c", relation="symbol", kind="common"), right=False, got="x"),
            FactRow(fact("d", relation="symbol")),
        )
    )
    assert shown(filtered) == ["a", "b", "c", "d"]
    filtered.choose("79", ALL, "", "")
    assert shown(filtered) == ["a", "b"]
    filtered.choose("79", "Wrong", "", "")
    assert shown(filtered) == ["b"]
    filtered.choose("", "Right", "", "")
    assert shown(filtered) == ["a"]
    filtered.choose("", "Changed", "", "")
    assert shown(filtered) == ["b"]
    filtered.choose("", "Not scored", "", "")
    assert shown(filtered) == ["d"]
    filtered.choose("", "Wrong", "common", "")
    assert shown(filtered) == ["c"]
    filtered.choose("", ALL, "", "symbol")
    assert shown(filtered) == ["c", "d"]
    filtered.choose("PROMPT OF A", ALL, "", "")
    assert shown(filtered) == ["a"]
    filtered.deleteLater()
    model.deleteLater()


def test_a_tip_says_what_was_expected_and_a_fact_that_was_not_scored_says_so(qapp: QApplication) -> None:
    model = FactsModel()
    wrong = FactRow(fact("a", expected="79"), (ClusterId(3, 5), ClusterId(3, 7)), "47", False, 2, 4, True)
    model.show_rows((wrong, FactRow(fact("b"))))
    tip = model.data(model.index(0, Column.GOT), 3)
    assert "expected “79”" in str(tip)
    assert "got “47”: wrong, another answer" in str(tip)
    assert "2 of 4 other phrasings right" in str(tip)
    assert "not scored" in str(model.data(model.index(1, 0), 3))
    assert model.index(0, Column.BLOCKS).data() == "3/5, 3/7"
    model.deleteLater()
