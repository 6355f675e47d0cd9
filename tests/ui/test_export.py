"""A smaller bank from the window: live figures, dropped blocks coloured, a cancel that leaves nothing, the result opened."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId
from memstudio.session.exported import Exported
from memstudio.ui.export_views import MEASURE, WHAT_BECOMES
from memstudio.ui.main_window import MainWindow
from memstudio.ui.overview import STATE
from memstudio.ui.panels.export_dialog import ExportDialog, done_words
from memstudio.ui.selection import choose
from memstudio.ui.snapshots import Wish
from tests.session.test_exporting import without_facts
from tests.tiny import make_bank
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
SIZES = (3, 9, 27)


@pytest.fixture
def dialog(opened: MainWindow, settle: Act, qtbot: QtBot, tmp_path: Path) -> ExportDialog:
    """The dialog on the tiny bank, its order worked out and shown in the views."""
    made = opened.exports.dialog
    made._pause.setInterval(0)
    with qtbot.waitSignal(made.looked_at, timeout=PATIENCE_MS, check_params_cb=lambda found: found is not None):
        settle(opened.export_bank)
    made.fields.out.setText(str(tmp_path / "smaller"))
    return made


def looked(qtbot: QtBot, dialog: ExportDialog, what: Callable[[], object]) -> None:
    """Do something and wait until the other panels are coloured by it."""
    with qtbot.waitSignal(dialog.looked_at, timeout=PATIENCE_MS):
        what()


def test_a_quarter_is_proposed_and_its_figures_stand_there(opened: MainWindow, dialog: ExportDialog) -> None:
    assert dialog.fields.percent.value() == 25.0
    assert dialog.fields.ranking == "use"
    assert dialog._kept is not None
    assert dialog._found is not None
    assert dialog._kept.bytes <= dialog._found.plan.bank_bytes / 4
    assert f"{dialog._kept.count} blocks kept, {39 - dialog._kept.count} dropped" in dialog.figures.folder.text()
    assert [cells[0].text() for cells in dialog.figures._cells] == ["1", "2", "3"]
    assert dialog.export_button.isEnabled()
    assert not dialog.isModal()
    dialog.close()


def test_the_slider_moves_the_figures_and_the_colours_of_every_view(opened: MainWindow, dialog: ExportDialog, qtbot: QtBot) -> None:
    overview = opened.studio.overview
    assert overview.colour == MEASURE
    counts = []
    for step in (300, 700, 1000):
        looked(qtbot, dialog, lambda step=step: dialog.fields.slider.setValue(step))
        assert dialog.fields.percent.value() == step / 10
        shades = overview.figures[MEASURE]
        assert dialog._kept is not None
        assert sum(int((each == WHAT_BECOMES.index("as stored")).sum()) for each in shades.values) == dialog._kept.count
        counts.append(dialog._kept.count)
    assert counts == sorted(counts)
    assert counts[-1] == 39
    dialog.close()
    assert MEASURE not in overview.figures
    assert overview.colour == STATE, "as it was before"


def test_a_share_below_one_route_is_said_and_cannot_be_exported(dialog: ExportDialog, qtbot: QtBot) -> None:
    looked(qtbot, dialog, lambda: dialog.fields.percent.setValue(1.0))
    assert "one route of 'tiny' takes" in dialog.figures.folder.text()
    assert not dialog.export_button.isEnabled()
    dialog.close()


def test_the_selection_is_kept_or_dropped(opened: MainWindow, dialog: ExportDialog, qtbot: QtBot) -> None:
    fields, overview = dialog.fields, opened.studio.overview
    overview.choose(choose(SIZES, [ClusterId(1, 0), ClusterId(2, 1), ClusterId(3, 26)]))
    looked(qtbot, dialog, fields.drop_button.click)
    assert fields.drop == (ClusterId(1, 0), ClusterId(3, 26)), "each subtree once"
    looked(qtbot, dialog, lambda: fields.percent.setValue(100.0))
    assert not overview.figures[MEASURE].values[0][0]
    assert not overview.figures[MEASURE].values[2][:9].any()
    assert overview.figures[MEASURE].values[2][9:26].all()
    overview.choose(choose(SIZES, [ClusterId(3, 26)]))
    looked(qtbot, dialog, fields.keep_button.click)
    assert (fields.keep, fields.drop) == ((ClusterId(3, 26),), (ClusterId(1, 0),)), "what was said last"
    assert fields.asked.text() == "kept: 3/26 · dropped: 1/0"
    looked(qtbot, dialog, fields.forget_button.click)
    assert overview.figures[MEASURE].values[2].all()
    overview.choose(choose(SIZES))
    assert not fields.keep_button.isEnabled()
    dialog.close()


def test_a_bank_is_exported_and_opened(opened: MainWindow, dialog: ExportDialog, settle: Act, qtbot: QtBot, tmp_path: Path) -> None:
    looked(qtbot, dialog, lambda: dialog.fields.percent.setValue(50.0))
    assert dialog._kept is not None
    wanted = dialog._kept.count
    settle(dialog.export_button.click)
    assert "after, of 16 prompts." in dialog.line.text()
    bank = open_bank(tmp_path / "smaller")
    assert sum(int(bank.held(level).sum()) for level in (1, 2, 3)) == wanted
    assert "session.export_bank(Path(" in opened.log.script
    assert dialog.open_button.isVisible()
    settle(dialog.open_button.click)
    assert opened.studio.bank is not None
    assert opened.studio.bank.bank.name == "smaller"
    assert not dialog.isVisible()
    assert opened.exports.dialog.fields.out.text().endswith("smaller-smaller")


def test_a_folder_with_files_in_it_is_refused_in_words(dialog: ExportDialog, settle: Act, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    dialog.fields.out.setText(str(tmp_path))
    settle(dialog.export_button.click)
    assert "holds files already" in dialog.line.text()
    assert dialog.line.property("kind") == "error"
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not dialog.open_button.isVisible()
    dialog.close()


@pytest.mark.parametrize("by", ["cancel", "close"])
def test_a_cancel_leaves_nothing_behind(opened: MainWindow, dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, by: str) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    with qtbot.waitSignal(opened.exports.bridge.rested, timeout=PATIENCE_MS):
        dialog.export_button.click()
        (dialog.export_button if by == "cancel" else dialog.close_button).click()
    qtbot.waitUntil(lambda: opened.studio.bridge.resting, timeout=PATIENCE_MS)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if by == "cancel":
        assert dialog.line.text() == "Cancelled; nothing was left behind."
        assert dialog.export_button.text() == "Export"
        dialog.close()


def test_an_edit_has_the_blocks_ranked_again(opened: MainWindow, dialog: ExportDialog, settle: Act, qtbot: QtBot) -> None:
    with qtbot.waitSignal(
        dialog.looked_at, timeout=PATIENCE_MS, check_params_cb=lambda found: found is not None and found[0].plan.revision == 1
    ):
        settle(lambda: opened.prune(ClusterId(1, 0)))
    assert dialog._found is not None
    assert dialog._found.plan.whole == (2, 6, 18)
    assert np.isnan(opened.studio.overview.figures[MEASURE].values[0][0]), "no block, no figure"
    dialog.close()


def test_every_ranking_of_the_box_can_be_chosen(opened: MainWindow, dialog: ExportDialog, qtbot: QtBot) -> None:
    box = dialog.fields.rank_by
    assert [box.itemText(at) for at in range(box.count())] == ["Use", "Effect", "Documents", "Norm", "Random"]
    for at in range(1, box.count()):
        box.setCurrentIndex(at)
        looked(qtbot, dialog, lambda at=at: box.activated.emit(at))
        assert dialog._found is not None
        assert dialog._found.plan.rank_by == box.itemData(at)
    dialog.close()


def test_a_bank_without_facts_ranks_by_documents_and_is_not_checked(window: MainWindow, settle: Act, tmp_path: Path) -> None:
    bare = without_facts(make_bank(tmp_path / "bare", generic=False))
    settle(lambda: window.open_wish(Wish(str(bare), temporary=True, device="cpu")))
    settle(window.export_bank)
    fields = window.exports.dialog.fields
    assert [fields.rank_by.itemText(at) for at in range(fields.rank_by.count())] == ["Documents", "Norm", "Random"]
    assert [fields.fallback.itemText(at) for at in range(fields.fallback.count())] == [
        "Nothing: its level adds nothing",
        "Its nearest sibling that is kept",
    ]
    assert not fields.check.isEnabled()
    fields.out.setText(str(tmp_path / "out"))
    settle(window.exports.dialog.export_button.click)
    assert window.exports.dialog.line.text().endswith("Recall was not measured.")
    window.exports.dialog.close()


def test_what_was_not_measured_is_not_said_as_a_figure() -> None:
    done = Exported(Path("a"), "", 0, "norm", "zero", 2_000_000, 4_000_000, 3, 4, ((3, 7),), None, None, 1.0)
    assert done_words(done) == "a: 3 blocks, 2.0 MB. Recall was not measured."


def test_its_parts_have_names_and_no_button_takes_return(dialog: ExportDialog) -> None:
    for button in dialog.findChildren(QPushButton):
        assert button.accessibleName()
        assert not button.autoDefault()
    dialog.close()
