"""Comparison and the dialogs about revisions, by themselves: what they ask for, what they show of what comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from memstudio.bank.values import BASE, PRUNED, ClusterId
from memstudio.facts.statistics import Paired
from memstudio.session.comparing import BlockDifference, Comparison, Parting, Turned
from memstudio.ui.panels.compare_panel import ComparePanel
from memstudio.ui.panels.patch_dialogs import ExportDialog
from memstudio.ui.panels.revision_boxes import RevisionPair
from memstudio.ui.panels.revision_dialogs import NameDialog, PurgeDialog, RevertDialog
from memstudio.ui.revision_views import Compared, Pieces, RevertView
from memstudio.ui.snapshots import JobView, StudyView
from memstudio.ui.theme import Theme
from tests.ui.fabricated import revision


def study(head: int = 2, count: int = 4, folder: str = "one") -> StudyView:
    log = tuple(revision(at, at - 1 if at else None, head=at == head, current=at <= head) for at in range(count))
    return StudyView(Path(folder), False, head, log, {}, None, None, {"named": 1})


def turned(turn: str, before: str, after: str, prompt: str = "The number of gold is", parting: int = 0) -> Pieces:
    one, other = (tuple(text.split()) for text in (before, after))
    where = Parting(parting, one[parting] if parting < len(one) else "", other[parting] if parting < len(other) else "")
    found = Turned(turn, "gold", "specific", "prompt", prompt, "79", before, after, where)  # type: ignore[arg-type]
    return Pieces(found, tuple(f" {piece}" for piece in one), tuple(f" {piece}" for piece in other))


def compared(a: int = 1, b: int = 2) -> Compared:
    rows = (turned("lost", "79 it is", "47 it is"), turned("gained", "1 x", "79 x"), turned("changed", "3 a b", "3 a c", "Tin is", 2))
    block = BlockDifference(ClusterId(2, 1), BASE, PRUNED, 1.25)
    comparison = Comparison(a, b, Paired(1, 1, 7, 3), {}, tuple(each.turned for each in rows), blocks=(block,), same=5, seconds=0.5)
    return Compared(comparison, rows)


def shown(widget: QWidget) -> Iterator[None]:
    widget.resize(640, 300)
    widget.show()
    yield
    widget.close()
    widget.deleteLater()


@pytest.fixture
def compare(qtbot: QtBot, theme: Theme) -> Iterator[ComparePanel]:
    made = ComparePanel(theme)
    made.show_study(study())
    for _ in shown(made):
        yield made


# The choosers


def test_the_pair_is_the_head_and_its_parent_until_another_is_chosen(qtbot: QtBot, compare: ComparePanel) -> None:
    boxes = compare.pair
    assert boxes.values == (1, 2)
    boxes.show_study(study(head=3))
    assert boxes.values == (2, 3)
    boxes.choose(0, 3)
    boxes.show_study(study(head=2))
    assert boxes.values == (0, 3)
    boxes.show_study(study(head=1, count=2, folder="another"))
    assert boxes.values == (0, 1)
    boxes.show_study(study(head=0, count=1, folder="third"))
    assert boxes.values == (0, 0)


def test_a_chooser_names_its_revisions(compare: ComparePanel) -> None:
    one = compare.pair.boxes[0]
    assert [one.itemText(at) for at in range(one.count())] == ["3 · prune 3", "2 · prune 2", "1 · named · prune 1", "0 · as shipped"]
    assert isinstance(compare.pair, RevisionPair)


# The comparison


def test_a_comparison_lists_its_prompts_and_blocks_and_counts_each_turn(compare: ComparePanel) -> None:
    compare.show_compared(compared())
    assert compare.model.rowCount() == 3
    assert [compare.turn.itemText(at) for at in range(4)] == ["All (3)", "Gained (1)", "Lost (1)", "Changed (1)"]
    said = "Revision 1 → 2: 1 block differs; of 12 facts there 1 gained, 1 lost, 1 changed. 66.7 % → 66.7 % right, p = 1."
    assert compare.line.text() == said
    block = compare.blocks.topLevelItem(0)
    assert [block.text(at) for at in range(4)] == ["2/1", "as shipped", "pruned", "1.25"]
    compare.turn.setCurrentIndex(2)
    assert [each.turned.turn for each in compare.model.rows] == ["lost"]
    assert compare.count.text() == "1 of 3 prompts"


def test_a_filter_by_text_goes_over_prompts_and_answers(compare: ComparePanel, qtbot: QtBot) -> None:
    compare.show_compared(compared())
    compare.text.setText("tin")
    qtbot.waitUntil(lambda: compare.model.rowCount() == 1)
    compare.text.setText("nothing has this")
    qtbot.waitUntil(lambda: compare.model.rowCount() == 0)
    assert not compare.answers.verdict.isVisible()


def test_both_answers_stand_with_the_token_at_which_they_part(compare: ComparePanel) -> None:
    compare.show_compared(compared())
    compare.table.selectRow(2)
    one, other = compare.answers.views
    assert one.toPlainText() == "Tin is 3 a b"
    assert other.toPlainText() == "Tin is 3 a c"
    assert one.difference == other.difference == 2
    assert compare.answers.verdict.text() == "They part at token 2: “b” → “c”"


def test_a_comparison_of_other_revisions_than_the_chosen_ones_says_so(compare: ComparePanel) -> None:
    compare.show_compared(compared())
    assert not compare.stale
    compare.pair.choose(0, 3)
    assert compare.stale
    assert compare.line.text() == "Below are revisions 1 and 2. Compare again for 0 and 3."
    compare.pair.choose(1, 2)
    assert compare.line.text().startswith("Revision 1 → 2")


def test_the_button_compares_and_while_at_work_cancels(compare: ComparePanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(compare.compare_wanted) as caught:
        compare.compare_button.click()
    assert caught.args == [1, 2]
    compare.show_job(JobView(1, "Comparing", 3, 10))
    with qtbot.waitSignal(compare.stop_wanted):
        compare.compare_button.click()
    compare.show_job(JobView(1, "Comparing", ended=True))
    assert compare.compare_button.text() == "Compare"


def test_a_bank_without_facts_is_compared_by_its_blocks(compare: ComparePanel) -> None:
    comparison = Comparison(0, 1, Paired(0, 0, 0, 0), {}, (), blocks=(BlockDifference(ClusterId(1, 0), BASE, PRUNED, 2.0),))
    compare.show_compared(Compared(comparison, ()))
    assert "brings neither facts" in compare.line.text()
    assert "p =" not in compare.line.text()


# Dialogs


def test_a_name_that_another_revision_has_moves_here_and_says_so(qtbot: QtBot, theme: Theme) -> None:
    dialog = NameDialog()
    given: list[tuple[object, ...]] = []
    dialog.wanted.connect(lambda *said: given.append(said))
    dialog.open_on(3, "prune 3", {"old": 1})
    assert not dialog.give.isEnabled()
    dialog.name.setText("old")
    assert "Revision 1 has this name" in dialog.line.text()
    dialog.give.click()
    assert given == [(3, "old")]
    dialog.show_refusal("no such name")
    assert dialog.line.property("kind") == "error"
    dialog.close()
    dialog.deleteLater()


def test_a_name_that_it_has_can_be_taken_away(qtbot: QtBot, theme: Theme) -> None:
    dialog = NameDialog()
    dialog.open_on(1, "prune 1", {"old": 1})
    assert dialog.name.text() == "old"
    assert not dialog.give.isEnabled()
    with qtbot.waitSignal(dialog.unwanted) as caught:
        dialog.remove.click()
    assert caught.args == ["old"]
    dialog.close()
    dialog.deleteLater()


def test_a_revert_that_nothing_stands_on_is_one_button(qtbot: QtBot, theme: Theme) -> None:
    dialog = RevertDialog()
    dialog.open_on(RevertView(2, "prune 3/1", 1, ()))
    assert dialog.plain.isVisible()
    assert not dialog.along.isVisible()
    with qtbot.waitSignal(dialog.wanted) as caught:
        dialog.plain.click()
    assert caught.args == [2, False, False]
    assert not dialog.isVisible()
    dialog.deleteLater()


@pytest.mark.parametrize(("button", "wanted"), [("along", [2, True, False]), ("again", [2, False, True])])
def test_later_edits_that_stand_on_it_are_listed_with_both_ways_on(
    qtbot: QtBot, theme: Theme, button: str, wanted: list[object]
) -> None:
    dialog = RevertDialog()
    dialog.open_on(RevertView(2, "prune 3/1", 3, tuple((at, f"scale {at}") for at in range(3, 14))))
    assert "11 later revisions stand" in dialog.words.text()
    assert dialog.later.text().startswith("3 · scale 3\n4 · scale 4")
    assert dialog.later.text().endswith("and 3 more")
    assert not dialog.plain.isVisible()
    with qtbot.waitSignal(dialog.wanted) as caught:
        getattr(dialog, button).click()
    assert caught.args == wanted
    dialog.deleteLater()


def test_a_purge_asks_first(qtbot: QtBot, theme: Theme) -> None:
    dialog = PurgeDialog()
    dialog.ask()
    assert not dialog.purge.isEnabled()
    dialog.sure.setChecked(True)
    with qtbot.waitSignal(dialog.wanted):
        dialog.purge.click()
    dialog.ask()
    assert not dialog.sure.isChecked()
    dialog.close()
    dialog.deleteLater()


def test_a_patch_holds_all_revisions_or_the_selected_one_and_goes_where_nothing_is(qtbot: QtBot, theme: Theme, tmp_path: Path) -> None:
    dialog = ExportDialog()
    view = study(head=2)
    given: list[tuple[object, object]] = []
    dialog.wanted.connect(lambda path, revisions: given.append((path, revisions)))
    dialog.open_on(view, view.log[1])
    assert dialog.all.text() == "2 revisions that lead to the head"
    dialog.path.setText(str(tmp_path))
    buttons = dialog.findChildren(type(dialog.one))
    assert len(buttons) == 2
    dialog._take()
    assert "is there already" in dialog.line.text()
    dialog.path.setText(str(tmp_path / "out"))
    dialog.one.setChecked(True)
    dialog._take()
    assert given == [(tmp_path / "out", (1,))]
    dialog.open_on(view, view.log[3])  # aside
    assert not dialog.one.isEnabled()
    dialog.close()
    dialog.deleteLater()
