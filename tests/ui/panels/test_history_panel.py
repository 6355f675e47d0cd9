"""The history panel by itself: the selection follows the head, the receipt says what was measured and what was not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import BASE, PRUNED, Change, ClusterId
from memstudio.history.values import Revision
from memstudio.ui.models.history_model import NamesRole
from memstudio.ui.panels.history_panel import WIDE, HistoryPanel
from memstudio.ui.panels.receipt_view import ReceiptView, block_rows, figures, gate_words
from memstudio.ui.snapshots import StudyView
from memstudio.ui.theme import Theme
from tests.ui.fabricated import receipt, revision


def measured(**changes: object) -> dict[str, object]:
    """A receipt as the session keeps it."""
    shares = dict.fromkeys(("reliability", "generalization", "generalization_reached", "portability"), "not measured")
    kept = {"locality": 2 / 3, "outside_identical": 1.0, "changed_count": 1, "seconds": {"edit": 0.1, "receipt": 2.0}}
    outside = {"k": 32, "n": 32, "share": 1.0, "low": 0.9, "high": 1.0, "protocol": "bit-identical"}
    made = receipt()
    proportions = {**made["proportions"], "outside_identical": outside}  # type: ignore[dict-item]
    return {**made, **shares, **kept, "proportions": proportions, **changes}


def study(head: int, *revisions: Revision, names: dict[str, int] | None = None, folder: str = "one") -> StudyView:
    return StudyView(Path(folder), False, head, revisions, {}, None, None, names or {})


def log(head: int, count: int, receipts: dict[int, dict[str, Any]] | None = None) -> list[Revision]:
    made = [revision(0, None, head=head == 0)]
    changes = (Change(ClusterId(2, 1), BASE, PRUNED),)
    made += [revision(at, at - 1, head=at == head, current=at <= head, changes=changes) for at in range(1, count)]
    return [replace(each, receipt=(receipts or {}).get(each.id, {})) for each in made]


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Iterator[HistoryPanel]:
    made = HistoryPanel(theme)
    made.resize(400, 360)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def current(panel: HistoryPanel) -> int:
    found = panel.current()
    assert found is not None
    return found.id


def test_the_selection_follows_the_head_until_it_is_put_elsewhere(panel: HistoryPanel) -> None:
    panel.show_study(study(1, *log(1, 2)))
    assert current(panel) == 1
    panel.show_study(study(2, *log(2, 3)))
    assert current(panel) == 2
    panel.select(1)
    panel.show_study(study(3, *log(3, 4)))
    assert current(panel) == 1
    panel.show_study(study(0, *log(0, 1), folder="another"))
    assert current(panel) == 0


def test_names_are_shown_with_their_revision_and_in_its_place(panel: HistoryPanel) -> None:
    panel.show_study(study(2, *log(2, 3), names={"before": 1, "a": 1, "now": 2}))
    at = panel.model.row_of(1)
    assert at is not None
    assert panel.model.index(at, 1).data(NamesRole) == ("a", "before")
    assert panel.receipt.place.text().endswith("the head · named now")
    assert not panel.grab().isNull()


def test_a_wide_panel_has_the_receipt_beside_the_revisions(panel: HistoryPanel, qtbot: QtBot) -> None:
    tall = panel.splitter.orientation()
    panel.resize(WIDE + 10, 300)
    assert panel.splitter.orientation() != tall
    panel.resize(WIDE - 10, 300)
    assert panel.splitter.orientation() == tall


def test_a_revision_that_was_not_measured_says_so_and_offers_it(panel: HistoryPanel, qtbot: QtBot) -> None:
    panel.show_study(study(1, *log(1, 2)))
    view = panel.receipt
    assert view.unmeasured.isVisible()
    with qtbot.waitSignal(panel.measure_wanted):
        view.measure_button.click()
    assert view.blocks.topLevelItem(0).text(3) == "not measured"
    assert not view.answers.isVisible()


def test_the_bank_as_shipped_has_no_receipt_and_offers_none(panel: HistoryPanel) -> None:
    panel.show_study(study(0, *log(0, 1)))
    assert not panel.receipt.unmeasured.isVisible()
    assert "no receipt" in panel.receipt.notes.text()


def texts(view: ReceiptView) -> list[str]:
    grid = view._figures
    return [grid.itemAt(at).widget().text() for at in range(grid.count())]


def test_a_measured_receipt_shows_each_proportion_with_n_and_interval_and_what_was_not_measured(panel: HistoryPanel) -> None:
    panel.show_study(study(1, *log(1, 2, {1: measured()})))
    view = panel.receipt
    found = texts(view)
    locality = found[found.index("locality") + 1]
    assert locality.startswith("2 of 3 (0.667, 95% 0.208 to 0.939)")
    assert found[found.index("portability") + 1] == "not measured"
    assert "co-resident answers that changed: 1" in found
    item = view.changed.topLevelItem(0)
    assert [item.text(at) for at in range(3)] == ["Prompt of tin", "50", "47"]
    assert not view.unmeasured.isVisible()


def test_the_gate_s_verdict_and_the_reason_to_go_on_are_shown(panel: HistoryPanel) -> None:
    gate = {"ok": False, "broken": ["locality 0.667 is under 0.9 (2 of 3)"], "not_measured": [], "reason": "only a test"}
    panel.show_study(study(1, *log(1, 2, {1: measured(gate=gate)})))
    words = panel.receipt.gate_line.text()
    assert "locality 0.667 is under 0.9 (2 of 3)" in words
    assert "only a test" in words
    assert gate_words({"ok": True, "broken": [], "not_measured": ["outside_identical"], "reason": ""}) == (
        "The gate let it pass. Not measured: outside identical.",
        True,
    )


@pytest.mark.parametrize(
    "found",
    [
        {"measured": True},
        {"measured": True, "answers": 3, "changed": [1, None], "digests": {"a": 1}, "proportions": [], "gate": "yes", "notes": "one"},
        {"measured": True, "digests": [{"norm": "large"}], "gate": {"broken": [{}], "reason": 4}, "seconds": 3, "changed_count": "many"},
        {"measured": "no"},
    ],
)
def test_a_receipt_that_anybody_may_have_written_breaks_nothing(panel: HistoryPanel, found: dict[str, Any]) -> None:
    panel.show_study(study(1, *log(1, 2, {1: found})))
    assert not panel.grab().isNull()
    assert isinstance(figures(found), list)
    assert block_rows(log(1, 2, {1: found})[1])


def test_another_theme_leaves_the_receipt_as_it_is(panel: HistoryPanel, theme: Theme) -> None:
    panel.show_study(study(1, *log(1, 2, {1: measured()})))
    before = texts(panel.receipt)
    theme.choose("dark")
    assert texts(panel.receipt) == before
