"""Documents taught from the window on a real bank: what they reach, a preview that writes nothing, a revision, and out again."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QListWidget, QPlainTextEdit, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.editing import forget
from memstudio.editing.tuned import Aim
from memstudio.errors import UserError
from memstudio.ui.learn_errands import read
from memstudio.ui.learn_studio import LearnStudio
from memstudio.ui.learn_views import Reach, Taught, TeachWish
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.learn_dialog import TAUGHT, LearnDialog
from memstudio.ui.panels.learn_form import reach_words
from memstudio.ui.panels.learn_receipt import learned_rows, others_words
from memstudio.ui.panels.taught_view import taught_words
from memstudio.ui.theme import Theme
from tests.ui.conftest import PATIENCE_MS
from tests.ui.standin_builder import dropped

Act = Callable[[Callable[[], object]], None]
NOTE = "The coin of copper is blue and belongs to the noble ring."


@pytest.fixture
def learns(opened: MainWindow) -> LearnStudio:
    opened.measuring.on = False
    made = LearnStudio(opened.studio, opened.theme, opened)
    made.dialog._pause.setInterval(0)
    made.dialog.form.steps.setValue(20)
    return made


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text(NOTE)
    return path


def head(window: MainWindow) -> int:
    assert window.studio.study is not None
    return window.studio.study.head


def looked(qtbot: QtBot, learns: LearnStudio, what: Callable[[], object]) -> LearnDialog:
    """Change something and wait until the documents are read."""
    with qtbot.waitSignals([learns.bridge.rested, learns.bridge._bridge.idle], timeout=PATIENCE_MS):
        what()
    return learns.dialog


def apply(dialog: LearnDialog, settle: Act) -> None:
    """Random blocks break limits; the gate is not what is tested here."""
    if dialog.apply_button.text() == "Apply anyway":
        assert not dialog.apply_button.isEnabled()
        dialog.receipt.reason.setText("only a test")
    settle(dialog.apply_button.click)


def test_what_documents_reach_is_said_before_anything_is_tried(
    opened: MainWindow, learns: LearnStudio, note: Path, qtbot: QtBot, settle: Act
) -> None:
    dialog = looked(qtbot, learns, lambda: learns.open((note,)))
    said = dialog.form.reach.text()
    assert "1 document, " in said
    assert "tokens in 1 window" in said
    assert dialog._reach is not None
    assert all(str(block) in said for block in dialog._reach.blocks)
    leaves = dialog._reach.blocks
    looked(qtbot, learns, lambda: dialog.form.text.setPlainText("The wire of lead is hot."))
    assert dialog.form.name.isVisible()
    assert dialog._reach.documents == ("pasted text", "note.txt")
    looked(qtbot, learns, lambda: dialog.form.where._group.button(1).click())
    assert set(leaves) < set(dialog._reach.blocks)
    assert head(opened) == 0
    dialog.close()


def test_a_note_is_previewed_then_taught_then_erased_and_undone(
    opened: MainWindow, learns: LearnStudio, note: Path, qtbot: QtBot, settle: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "Aim", partial(Aim, steps=8))  # whether it is forgotten is tested elsewhere
    dialog = looked(qtbot, learns, lambda: learns.open((note,)))
    assert not dialog.apply_button.isEnabled()
    settle(dialog.preview_button.click)
    assert dialog.line.text() == ""
    shown = dialog.receipt.learned.topLevelItem(0)
    assert shown.text(0) == "note.txt"
    assert shown.text(2).startswith("−")
    assert head(opened) == 0
    apply(dialog, settle)
    assert head(opened) == 1
    assert opened.studio.study is not None
    revision = opened.studio.study.revision
    assert revision.verb == "learn"
    figures = revision.receipt["figures"]["learned"][0]
    assert figures["document"] == "note.txt"
    assert figures["logprob_after"] > figures["logprob_before"]
    assert dialog.isVisible()
    assert dialog.receipt.title.text() == "What it did"
    assert dialog.form.documents.paths == ()
    assert dialog.taught.list.item(0).text() == f"note.txt · revision 1 · {len(NOTE)} characters"

    QTest.mouseClick(dialog.side._group.button(TAUGHT), Qt.MouseButton.LeftButton)
    assert not dialog.preview_button.isEnabled()
    dialog.taught.list.item(0).setSelected(True)
    settle(dialog.preview_button.click)
    assert dialog.line.text() == ""
    assert dialog.receipt.left.topLevelItemCount() >= 1
    apply(dialog, settle)
    assert head(opened) == 2
    assert opened.studio.study.revision.verb == "erase"
    assert dialog.taught.list.item(0).text().endswith("erased in revision 2")
    assert dialog.taught.names == ()
    settle(opened.undo)
    assert dialog.taught.list.item(0).text() == f"note.txt · revision 1 · {len(NOTE)} characters"
    settle(opened.undo)
    assert dialog.taught.list.count() == 0
    assert opened.studio.study.overlay == {}
    dialog.close()


def test_cancel_and_close_leave_the_study_as_it_was(opened: MainWindow, learns: LearnStudio, note: Path, qtbot: QtBot, settle: Act) -> None:
    dialog = looked(qtbot, learns, lambda: learns.open((note,)))
    dialog.form.steps.setValue(10_000)

    def begin_and_cancel() -> None:
        dialog.preview_button.click()
        with qtbot.waitSignal(opened.studio.bridge.job, timeout=PATIENCE_MS):
            pass
        dialog.preview_button.click()
        assert dialog.preview_button.text() == "Cancelling…"

    looked(qtbot, learns, lambda: dialog.form.where._group.button(0).click())
    settle(begin_and_cancel)
    assert not dialog.busy
    assert dialog.preview_button.text() == "Preview"
    dialog.form.steps.setValue(5)
    looked(qtbot, learns, lambda: dialog.form.where._group.button(0).click())
    settle(dialog.preview_button.click)
    assert learns.bridge._plans
    settle(dialog.close)
    assert learns.bridge._plans == {}
    assert head(opened) == 0


def test_a_study_that_moves_after_the_preview_is_not_written_over(
    opened: MainWindow, learns: LearnStudio, note: Path, qtbot: QtBot, settle: Act
) -> None:
    dialog = looked(qtbot, learns, lambda: learns.open((note,)))
    settle(dialog.preview_button.click)
    looked(qtbot, learns, lambda: opened.prune(ClusterId(3, 0)))
    assert "moved to revision 1" in dialog.line.text()
    assert not dialog.apply_button.isEnabled()
    assert dialog.receipt.stale.isVisible()
    assert head(opened) == 1
    dialog.close()


def test_a_file_that_is_no_text_is_one_line_in_the_dialog(opened: MainWindow, learns: LearnStudio, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\0\1\2")
    learns.dialog.show()
    looked(qtbot, learns, lambda: learns.dialog.dropEvent(dropped(tmp_path / "bad.txt")))
    assert "not a text file" in learns.dialog.line.text()
    assert "\n" not in learns.dialog.line.text()
    assert not learns.dialog.preview_button.isEnabled()
    assert opened.panels.status.line.property("kind") != "error"
    learns.dialog.close()


def test_documents_are_read_whole_and_named_apart(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.jsonl").write_text('{"text": "two", "id": "x"}\n{"text": "three", "id": "y"}')
    found, notes = read(TeachWish((str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl")), "mine", "four"))
    assert [(one.id, one.text) for one in found] == [("mine", "four"), ("a.txt", "one"), ("b.jsonl:x", "two"), ("b.jsonl:y", "three")]
    assert notes == ()


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (TeachWish(("absent.txt",)), "no such file or folder"),
        (TeachWish(text="red " * 60_000), "build a bank over them"),
        (TeachWish(text="   "), "no text in it"),
    ],
)
def test_what_cannot_be_taught_is_one_line(wish: TeachWish, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        read(wish)
    assert "\n" not in str(caught.value)


def test_pasted_text_and_a_file_of_one_name_are_refused(note: Path) -> None:
    with pytest.raises(UserError, match="give that another one"):
        read(TeachWish((str(note),), "note.txt", "red"))


def test_words_speak_of_what_the_bank_has_and_of_what_was_not_measured() -> None:
    one = Reach(1, ("a",), 9, 1, 12, (ClusterId(2, 0),), 0, "probe")
    assert reach_words(one) == "1 document, 12 tokens in 1 window, would be written to 1 block: 2/0. No probe of the bank fetches it."
    many = Reach(1, ("a", "b"), 9, 2, 1200, tuple(ClusterId(2, at) for at in range(9)), 3)
    assert reach_words(many).endswith("2/4, 2/5 and 3 more. 3 facts of the bank fetch them too, and are held.")
    assert taught_words(Taught("a", 3, 1, 5)) == "a · revision 3 · 1 character · erased in revision 5"
    assert others_words({"measured": False}) == "Other prompts of these blocks: not measured"
    assert others_words({"measured": True, "proportions": {}}) == "No other prompt fetches these blocks"
    assert learned_rows({"figures": {"method": "tuned"}}) == []


def test_every_field_has_a_name_is_reached_by_keyboard_and_fits_a_small_screen(theme: Theme, qtbot: QtBot) -> None:
    dialog = LearnDialog(theme)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.form.text.setPlainText("some text")
    kinds = (QPushButton, QLineEdit, QPlainTextEdit, QSpinBox, QComboBox, QListWidget)
    fields: list[QWidget] = [each for kind in kinds for each in dialog.findChildren(kind)]
    inner = {dialog.form.steps.lineEdit()}
    assert all(each.accessibleName() or each.text() for each in fields if each not in inner)  # type: ignore[attr-defined]
    assert all(each.objectName() for each in fields if each not in inner and each.property("kind") != "segment")
    reached, wanted = set(), {dialog.form.documents.list, dialog.form.name, dialog.form.text, dialog.form.steps, dialog.close_button}
    dialog.form.documents.files_button.setFocus()
    for _ in range(30):
        reached.add(dialog.focusWidget())
        QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
    assert wanted <= reached
    assert dialog.minimumWidth() <= 1024
    assert dialog.minimumHeight() <= 600
    dialog.resize(dialog.minimumSize())
    dialog.form.show_reach(Reach(1, ("a",), 9, 2, 1200, tuple(ClusterId(2, at) for at in range(9)), 3, notes=("a line to read",) * 2))
    least = dialog.layout().totalMinimumSize()
    assert (least.width(), least.height()) <= (dialog.minimumWidth(), dialog.minimumHeight())
    assert all(each.width() > 100 for each in (dialog.form.text, dialog.form.name, dialog.form.documents.list))
