"""The history and the comparison in a window on a real bank: real session, real worker, waiting on signals."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.history.values import Revision
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.receipt_view import ReceiptView
from memstudio.ui.snapshots import StudyView
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
ONE, OTHER = ClusterId(3, 0), ClusterId(3, 1)


@pytest.fixture
def edited(opened: MainWindow, settle: Act) -> MainWindow:
    """Revision 1 prunes the whole route of the first prompt, 2 another leaf, 3 scales that leaf after it was brought back."""
    opened.measuring.on = False
    settle(opened.run_prompt)
    assert opened.studio.run is not None
    assert opened.studio.run.route is not None
    top = opened.studio.run.route.clusters[0]
    settle(lambda: opened.prune(top))
    leaf = next(leaf for leaf in (ClusterId(3, at) for at in range(0, 27, 9)) if leaf.index // 9 != top.index)
    settle(lambda: opened.studio.scale(leaf, 0.5, False))
    settle(lambda: opened.studio.scale(leaf, 1.5, False))
    return opened


def study(window: MainWindow) -> StudyView:
    assert window.studio.study is not None
    return window.studio.study


def revision(window: MainWindow, number: int) -> Revision:
    return next(each for each in study(window).log if each.id == number)


def choose(window: MainWindow, number: int) -> None:
    window.panels.history.select(number)


def said(window: MainWindow) -> str:
    return window.panels.status.line.text()


def test_the_history_selects_the_head_and_the_actions_follow_the_selection(edited: MainWindow) -> None:
    actions = edited.actions_.by_key
    assert edited.panels.history.current() == revision(edited, 3)
    assert not actions["checkout"].isEnabled()
    assert actions["revert"].isEnabled()
    choose(edited, 0)
    assert actions["checkout"].isEnabled()
    assert not actions["revert"].isEnabled()
    assert not actions["measure_revision"].isEnabled()
    assert edited.panels.history.receipt.title.text() == "Revision 0 · the bank as shipped"


def test_measure_now_keeps_a_receipt_that_the_history_shows(edited: MainWindow, settle: Act) -> None:
    view: ReceiptView = edited.panels.history.receipt
    choose(edited, 1)
    assert view.unmeasured.isVisible()
    settle(edited.actions_.by_key["measure_revision"].trigger)
    assert revision(edited, 1).receipt["measured"]
    assert not view.unmeasured.isVisible()
    assert view.blocks.topLevelItem(0).text(3) != "not measured"
    assert edited.panels.history.current() == revision(edited, 1)


def test_a_name_is_given_moved_and_taken_away(edited: MainWindow, settle: Act) -> None:
    naming = edited.revisions.naming
    choose(edited, 1)
    edited.actions_.by_key["name_revision"].trigger()
    naming.name.setText("not a name")
    settle(naming.give.click)
    assert naming.isVisible()
    assert "write 1 to 64 letters" in naming.line.text()
    naming.name.setText("before")
    settle(naming.give.click)
    assert not naming.isVisible()
    assert study(edited).names == {"before": 1}
    assert "named before" in edited.panels.history.receipt.place.text()
    choose(edited, 2)
    edited.history("name")
    naming.name.setText("before")
    settle(naming.give.click)
    assert study(edited).names == {"before": 2}
    edited.history("name")
    settle(naming.remove.click)
    assert study(edited).names == {}


def test_a_revision_that_nothing_stands_on_is_reverted_by_a_new_one(edited: MainWindow, settle: Act) -> None:
    choose(edited, 1)
    settle(lambda: edited.history("revert"))
    reverting = edited.revisions.reverting
    assert "No later edit touched" in reverting.words.text()
    settle(reverting.plain.click)
    assert study(edited).head == 4
    assert revision(edited, 4).verb == "revert"
    assert all(not state.pruned for state in study(edited).overlay.values())
    settle(edited.undo)
    assert study(edited).head == 3


@pytest.mark.parametrize(("button", "head", "verbs"), [("along", 4, ["revert"]), ("again", 5, ["revert", "scale"])])
def test_later_edits_that_stand_on_it_are_reverted_along_or_made_again(
    edited: MainWindow, settle: Act, button: str, head: int, verbs: list[str]
) -> None:
    choose(edited, 2)
    settle(lambda: edited.history("revert"))
    reverting = edited.revisions.reverting
    assert reverting.later.text() == f"3 · {revision(edited, 3).title}"
    settle(getattr(reverting, button).click)
    assert study(edited).head == head
    assert [revision(edited, number).verb for number in range(4, head + 1)] == verbs


def test_a_revert_that_is_cancelled_writes_nothing(edited: MainWindow, settle: Act) -> None:
    choose(edited, 2)
    settle(lambda: edited.history("revert"))
    QTest.keyClick(edited.revisions.reverting, Qt.Key.Key_Escape)
    assert not edited.revisions.reverting.isVisible()
    assert study(edited).head == 3


def test_a_revision_is_compared_with_its_parent(edited: MainWindow, settle: Act) -> None:
    choose(edited, 1)
    settle(lambda: edited.history("compare_parent"))
    compare = edited.compare
    assert compare.isVisible()
    assert compare.pair.values == (0, 1)
    assert compare.line.text().startswith("Revision 0 → 1: 13 blocks differ")
    assert compare.blocks.topLevelItemCount() == 13
    assert compare.model.rowCount() > 0
    compare.table.selectRow(0)
    one, other = compare.answers.views
    at = compare.model.rows[0].turned.parting
    assert at is not None
    assert one.difference == other.difference == at.index
    pieces = [each.tokens[at.index].text.strip() if at.index < len(each.tokens) else "" for each in (one, other)]
    assert pieces == [at.before.strip(), at.after.strip()]


def test_every_answer_that_is_shown_token_by_token_is_the_whole_answer(edited: MainWindow, settle: Act) -> None:
    choose(edited, 0)
    settle(lambda: edited.history("compare_head"))
    for found in edited.compare.model.rows:
        assert "".join(found.before).strip() == found.turned.before.strip()
        assert "".join(found.after).strip() == found.turned.after.strip()


def test_a_comparison_can_be_cancelled(edited: MainWindow, settle: Act, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    from memstudio.session import Session

    def forever(self: Session, a: int, b: int, *, job: object = None) -> None:
        while True:
            job.progress(1, 10)  # type: ignore[attr-defined]

    monkeypatch.setattr(Session, "compare", forever)
    button = edited.compare.compare_button
    edited.history("compare")
    button.click()
    qtbot.waitUntil(lambda: button.text() == "Cancel", timeout=PATIENCE_MS)
    settle(button.click)
    assert button.text() == "Compare"
    assert edited.compare.model.rowCount() == 0


def test_a_patch_is_written_and_applied_elsewhere_after_it_was_seen(edited: MainWindow, settle: Act, tmp_path: Path) -> None:
    out = tmp_path / "edit.patch"
    choose(edited, 1)
    edited.history("export")
    exporting = edited.revisions.exporting
    exporting.one.setChecked(True)
    exporting.path.setText(str(out))
    settle(exporting._take)
    assert said(edited).startswith(f"Wrote the patch {out}: 13 blocks")
    settle(lambda: edited.studio.checkout(0))
    patching = edited.revisions.patching
    settle(lambda: patching.open_on(out))
    assert patching.line.text() == ""
    assert "13 blocks" in patching.head.text()
    assert study(edited).head == 0
    assert patching.apply_button.isEnabled()
    settle(patching.apply_button.click)
    assert not patching.isVisible()
    assert study(edited).head == 4
    assert revision(edited, 4).verb == "apply"
    assert revision(edited, 4).receipt["measured"]


def test_a_patch_that_does_not_fit_says_so_in_its_dialog(edited: MainWindow, settle: Act, tmp_path: Path) -> None:
    patching = edited.revisions.patching
    settle(lambda: patching.open_on(tmp_path))
    assert str(tmp_path) in patching.line.text()
    assert not patching.apply_button.isEnabled()
    patching.close()


def test_a_purge_says_what_went_and_an_undo_that_needs_it_says_why_not(edited: MainWindow, settle: Act, tmp_path: Path) -> None:
    leaf = ONE
    row = edited.studio.bridge
    from memstudio.editing.rewrite import Rewrite

    settle(lambda: row.edit("rewrite", lambda session: Rewrite(leaf, session.desk().row(OTHER) * 0.5)))
    settle(lambda: row.edit("rewrite", lambda session: Rewrite(leaf, session.desk().row(OTHER) * 0.25)))
    edited.history("purge")
    purging = edited.revisions.purging
    purging.sure.setChecked(True)
    settle(purging.purge.click)
    assert said(edited).startswith("Purged 1 block")
    settle(edited.undo)
    assert "purged" in said(edited)
    assert study(edited).head == 5


def test_another_bank_forgets_the_comparison(edited: MainWindow, settle: Act) -> None:
    choose(edited, 1)
    settle(lambda: edited.history("compare_parent"))
    assert edited.wish is not None
    wish = edited.wish
    settle(lambda: edited.open_wish(wish))
    assert edited.compare._found is None
