"""Building in the window: a model folder opens the dialog, the estimate follows the fields, a build can be cancelled, resumed and opened.

Estimate and build are stand-ins here, run on the real worker; the model and the bank are real ones.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from memstudio.anchor.router import find_encoder
from memstudio.builder.keys import RETRIEVER
from memstudio.builder.recipe import Recipe
from memstudio.errors import UserError
from memstudio.ui.build_errands import is_model_folder
from memstudio.ui.build_views import BuildWish
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.build_dialog import BuildDialog
from tests.tiny import make_anchor
from tests.ui.conftest import PATIENCE_MS
from tests.ui.standin_builder import NOTE, Builder, bank_of, dropped, estimated, looked, texts

Act = Callable[[Callable[[], object]], None]


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch, tiny_bank: Path) -> Builder:
    made = Builder(tiny_bank)
    made.held.set()
    for name in ("estimate", "build"):
        module = ModuleType(f"memstudio.builder.{name}")
        setattr(module, name, getattr(made, name))
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_anchor(tmp_path / "small")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "one.txt").write_text("The atomic number of gold is 79.")
    return folder


@pytest.fixture
def dialog(window: MainWindow, builder: Builder) -> BuildDialog:
    window.builds.dialog._pause.setInterval(0)
    return window.builds.dialog


# Opening it


def test_opening_a_model_folder_opens_the_dialog_on_it(window: MainWindow, dialog: BuildDialog, model: Path, qtbot: QtBot) -> None:
    looked(qtbot, window, lambda: window.open_path(str(model)))
    assert dialog.isVisible()
    assert not dialog.isModal()
    assert dialog.form.model.text() == str(model)
    assert dialog.form.lines["model"].text().startswith("LlamaForCausalLM, hidden 32, 2 layers, ")
    assert "documents" in dialog.estimate.empty.hint.text()
    assert not dialog.build_button.isEnabled()
    assert window.studio.bank is None


def test_dropping_a_model_folder_on_the_window_opens_the_dialog(window: MainWindow, dialog: BuildDialog, model: Path, qtbot: QtBot) -> None:
    looked(qtbot, window, lambda: window.dropEvent(dropped(model)))
    assert dialog.isVisible()
    assert dialog.form.model.text() == str(model)


def test_a_bank_is_still_opened_as_a_bank(window: MainWindow, dialog: BuildDialog, settle: Act, tiny_bank: Path) -> None:
    assert not is_model_folder(tiny_bank)
    settle(lambda: window.open_path(str(tiny_bank)))
    assert window.studio.bank is not None
    assert not dialog.isVisible()


# The estimate


def test_the_estimate_follows_the_fields(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    estimated(qtbot, window, model, documents)
    shown = texts(dialog.estimate)
    for words in (
        "about 3 min",
        "2 in 8 windows",
        "2 · 8",
        "3, 4–8 neurons in layers 0–1",
        "1 : 10 (100 : 1 k parameters)",
        "Training",
        NOTE,
    ):
        assert words in shown
    assert dialog.build_button.isEnabled()
    assert dialog.form.more.branching.placeholderText() == "automatic: 2, 4"
    form = dialog.form
    looked(
        qtbot,
        window,
        lambda: (form.more.branching.setText("2 × 3"), form.more.layers.setCurrentIndex(2), form.more.layer_numbers.setText("1")),
    )
    assert builder.recipes[-1].tree.branching == [2, 3]
    assert builder.recipes[-1].memory.layers == [1]
    assert builder.recipes[-1].corpus == [str(documents)]
    assert builder.threads == {"memstudio-build"}


def test_counts_that_are_projected_say_about(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    builder.exact = False
    estimated(qtbot, window, model, documents)
    assert "about 2 in 8 windows" in texts(dialog.estimate)


def test_all_fields_reach_the_recipe(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    wish = BuildWish(window=64, branching=(2, 2), widths=(0, 3), layers="all", ramp=True, mode="cotrain", seed=7)
    estimated(qtbot, window, model, documents)
    assert builder.recipes[-1] == Recipe(anchor=str(model), corpus=[str(documents)])
    looked(qtbot, window, lambda: dialog.form.more.show_wish(wish))
    found = builder.recipes[-1]
    assert (found.window, found.tree.branching, found.tree.seed, found.training.seed) == (64, [2, 2], 7, 7)
    assert (found.memory.widths, found.memory.layers, found.memory.ramp) == ([0, 3], "all", True)
    assert found.training.mode == "cotrain"


def test_another_change_ends_the_estimate_under_way(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    builder.held.clear()
    window.build_bank()
    dialog.form.model.setText(str(model))
    dialog.form.documents.add((str(documents),))
    qtbot.waitUntil(builder.begun.is_set, timeout=PATIENCE_MS)
    first = window.builds.bridge._looking
    builder.held.set()
    looked(qtbot, window, lambda: dialog.form.more.seed.setValue(3))
    assert first is not None
    assert first.cancelled
    assert builder.recipes[-1].tree.seed == 3
    assert dialog.build_button.isEnabled()


def test_an_estimate_of_earlier_fields_is_not_shown(
    window: MainWindow, dialog: BuildDialog, model: Path, documents: Path, qtbot: QtBot
) -> None:
    estimated(qtbot, window, model, documents)
    seen = dialog._estimate
    assert seen is not None
    dialog._pause.setInterval(60_000)
    dialog.form.more.seed.setValue(5)
    dialog.show_estimate(seen)
    assert not dialog.build_button.isEnabled()
    assert dialog.estimate.state.text() == "estimating…"


def test_while_it_is_estimated_nothing_asks_for_what_is_there(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    looked(qtbot, window, lambda: (window.build_bank(), dialog.form.model.setText(str(model))))
    assert "Now add the documents" in dialog.estimate.empty.hint.text()
    builder.held.clear()
    dialog.form.documents.add((str(documents),))
    assert dialog.estimate.empty.title.text() == "Estimating…"
    assert "Now add" not in texts(dialog.estimate)
    assert "in some seconds" in texts(dialog.estimate)
    qtbot.waitUntil(lambda: "reading the documents" in texts(dialog.estimate), timeout=PATIENCE_MS)
    looked(qtbot, window, lambda: (builder.held.set(), dialog.form.more.seed.setValue(1)))


def test_many_changes_make_one_estimate_half_a_second_after_the_last(window: MainWindow, builder: Builder, qtbot: QtBot) -> None:
    dialog = window.builds.dialog
    window.build_bank()
    asked: list[BuildWish] = []
    dialog.looking.connect(lambda _, wish: asked.append(wish))
    QTest.keyClicks(dialog.form.model, "/models/small")
    assert asked == []
    assert dialog._pause.remainingTime() > 400
    qtbot.waitUntil(lambda: bool(asked), timeout=PATIENCE_MS)
    assert [wish.model for wish in asked] == ["/models/small"]


def test_a_refusal_stands_beside_the_field_that_it_is_about(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    builder.refuses = f"{documents}: no text in it: name files or folders with documents"
    estimated(qtbot, window, model, documents)
    assert dialog.form.lines["documents"].text() == builder.refuses
    assert not dialog.build_button.isEnabled()
    builder.refuses = ""
    looked(qtbot, window, lambda: dialog.form.documents.add((str(documents / "one.txt"),)))
    assert dialog.form.lines["documents"].text() == ""
    assert dialog.build_button.isEnabled()


def test_a_model_that_cannot_carry_memory_is_refused_with_the_reason_and_nothing_is_estimated(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    (model / "config.json").write_text('{"model_type": "gpt2"}')
    estimated(qtbot, window, model, documents)
    assert "a model of kind 'gpt2'" in dialog.form.lines["model"].text()
    assert builder.recipes == []
    assert not dialog.build_button.isEnabled()


def test_what_cannot_be_read_under_more_is_said_there_and_is_not_estimated(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    estimated(qtbot, window, model, documents)
    asked = len(builder.recipes)
    dialog.form.more.widths.setText("8, wide")
    assert dialog.form.lines["more"].text() == "Widths: wide is no number; write numbers with commas between them"
    assert dialog.form.more.isVisibleTo(dialog)
    assert not dialog._pause.isActive()
    assert len(builder.recipes) == asked
    assert not dialog.build_button.isEnabled()


def test_a_disk_without_room_is_said_and_nothing_is_built(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    builder.disk_bytes = 1 << 60
    estimated(qtbot, window, model, documents)
    assert "no room" in dialog.form.lines["place"].text()
    assert not dialog.build_button.isEnabled()


# The place


def test_the_banks_folder_is_proposed_beside_the_documents_until_one_is_given(
    window: MainWindow, dialog: BuildDialog, model: Path, documents: Path, tmp_path: Path
) -> None:
    form = dialog.form
    form.model.setText(str(model))
    assert form.place.text() == str(Path.home() / "small-bank")
    form.documents.add((str(documents),))
    assert form.place.text() == str(tmp_path / "small-bank")
    QTest.keyClicks(form.place, "2")
    form.documents.add((str(model / "config.json"),))
    assert form.place.text() == str(tmp_path / "small-bank2")
    form.place.clear()
    form.place.editingFinished.emit()
    assert form.place.text() == str(tmp_path / "small-bank")
    dialog._pause.stop()


def test_a_finished_bank_of_the_same_recipe_is_opened_or_built_over(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, tiny_bank: Path, qtbot: QtBot, settle: Act
) -> None:
    out = documents.parent / "small-bank"
    bank_of(Recipe(anchor=str(model), corpus=[str(documents)]), tiny_bank, out)
    estimated(qtbot, window, model, documents)
    assert dialog.form.lines["place"].text().startswith("This bank is there already")
    assert dialog.form.lines["place"].property("kind") == "notice"
    assert dialog.open_button.isVisible()
    assert dialog.build_button.isEnabled()
    with qtbot.waitSignal(window.builds.bridge.build_ended, timeout=PATIENCE_MS):
        dialog.build_button.click()
    assert builder.builds == [out]
    assert dialog.work.stage.text() == "The bank is built"
    looked(qtbot, window, lambda: dialog.form.more.seed.setValue(1))
    assert "holds another bank already" in dialog.form.lines["place"].text()
    assert not dialog.open_button.isVisible()
    assert not dialog.build_button.isEnabled()
    bank_of(Recipe(anchor=str(model), corpus=[str(documents)]), tiny_bank, documents.parent / "again")
    looked(qtbot, window, lambda: (dialog.form.more.seed.setValue(0), dialog.form._take_place(str(documents.parent / "again"))))
    settle(dialog.open_button.click)
    assert window.studio.bank is not None
    assert window.studio.bank.bank.folder == documents.parent / "again"


# Building


def test_a_build_shows_its_stages_and_opens_in_the_window(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot, settle: Act
) -> None:
    estimated(qtbot, window, model, documents)
    with qtbot.waitSignal(window.builds.bridge.build_ended, timeout=PATIENCE_MS):
        QTest.mouseClick(dialog.build_button, Qt.MouseButton.LeftButton)
        assert not dialog.form.isEnabled()
        assert dialog.build_button.text() == "Cancel"
    out = documents.parent / "small-bank"
    assert builder.builds == [out]
    assert dialog.work.stage.text() == "The bank is built"
    assert "4 · 16 clusters" in texts(dialog.work)
    log = dialog.work.log.toPlainText()
    assert "a line of the log" in log
    assert "training 1 of 2" in log
    assert dialog.open_button.isVisible()
    assert dialog.open_button.hasFocus()
    settle(dialog.open_button.click)
    assert not dialog.isVisible()
    assert window.studio.bank is not None
    assert window.studio.bank.bank.folder == out


def test_a_cancelled_build_is_kept_and_built_again(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    estimated(qtbot, window, model, documents)
    builder.held.clear()
    with qtbot.waitSignal(window.builds.bridge.staged, timeout=PATIENCE_MS):
        dialog.build_button.click()
    assert dialog.work.stage.text() == "Training 1 of 2"
    assert dialog.work.bar.value() > 0
    assert dialog.work.left.text().endswith(" left")
    with qtbot.waitSignal(window.builds.bridge.build_ended, timeout=PATIENCE_MS):
        dialog.build_button.click()
        assert dialog.build_button.text() == "Cancelling…"
    assert dialog.work.stage.text() == "Cancelled"
    assert "goes on with it" in dialog.form.lines["place"].text()
    assert dialog.form.isEnabled()
    builder.held.set()
    with qtbot.waitSignal(window.builds.bridge.built, timeout=PATIENCE_MS):
        dialog.build_button.click()
    assert len(builder.builds) == 2


def test_a_refused_build_says_why_beside_the_field(
    window: MainWindow, dialog: BuildDialog, model: Path, documents: Path, qtbot: QtBot
) -> None:
    estimated(qtbot, window, model, documents)
    out = documents.parent / "small-bank"
    out.mkdir()
    (out / "else.txt").write_text("in the way")
    with qtbot.waitSignal(window.builds.bridge.build_ended, timeout=PATIENCE_MS):
        dialog.build_button.click()
    assert dialog.form.lines["place"].text().startswith(f"{out}: holds something else")
    assert dialog.work.stage.text() == "Not built"
    assert dialog.form.isEnabled()


def test_the_open_bank_answers_while_another_is_built(
    opened: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot, settle: Act
) -> None:
    estimated(qtbot, opened, model, documents)
    builder.held.clear()
    with qtbot.waitSignal(opened.builds.bridge.staged, timeout=PATIENCE_MS):
        dialog.build_button.click()
    dialog.close()
    with qtbot.waitSignal(opened.studio.bridge.ended, timeout=PATIENCE_MS):
        opened.run_prompt()
    assert opened.studio.run is not None
    assert dialog.busy
    opened.build_bank()
    assert dialog.isVisible()
    assert dialog.busy


def test_closing_the_window_ends_a_build_and_its_thread(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    estimated(qtbot, window, model, documents)
    builder.held.clear()
    with qtbot.waitSignal(window.builds.bridge.staged, timeout=PATIENCE_MS):
        dialog.build_button.click()
    window.close()
    assert not dialog.isVisible()
    assert "memstudio-build" not in {thread.name for thread in threading.enumerate()}


def test_a_bank_is_built_and_opened_without_any_stand_in(
    window: MainWindow, model: Path, documents: Path, qtbot: QtBot, settle: Act
) -> None:
    try:
        find_encoder(RETRIEVER)
    except UserError as absent:
        pytest.skip(str(absent))
    (documents / "two.txt").write_text("The symbol of iron is Fe. " * 40)
    dialog = estimated(qtbot, window, model, documents)
    assert dialog.build_button.isEnabled()
    with qtbot.waitSignal(window.builds.bridge.build_ended, timeout=PATIENCE_MS):
        dialog.build_button.click()
    assert "perplexity" in dialog.work.log.toPlainText()
    settle(dialog.open_button.click)
    assert window.studio.bank is not None
    assert window.studio.bank.bank.folder == documents.parent / "small-bank"


# Looks and keys


def test_every_field_has_a_name_and_is_reached_by_the_keyboard(window: MainWindow, dialog: BuildDialog) -> None:
    window.build_bank()
    dialog.form.show_more(True)
    more = dialog.form.more
    named = [dialog.form.model, dialog.form.documents.list, dialog.form.place, more.branching, more.widths, more.layers, more.window_tokens]
    named += [more.seed, more.mode, dialog.work.log, dialog.work.bar]
    assert all(widget.accessibleName() for widget in named)
    assert all(button.text() or button.accessibleName() for button in dialog.findChildren(QPushButton))
    wanted = {dialog.form.model, dialog.form.documents.list, dialog.form.place, dialog.form.more_button, more.branching, more.seed}
    wanted.add(dialog.close_button)
    dialog.form.model.setFocus()
    reached = set()
    for _ in range(40):
        reached.add(dialog.focusWidget())
        QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
    assert wanted <= reached


def test_return_in_a_field_begins_nothing_and_escape_closes(
    window: MainWindow, dialog: BuildDialog, builder: Builder, model: Path, documents: Path, qtbot: QtBot
) -> None:
    estimated(qtbot, window, model, documents)
    QTest.keyClick(dialog.form.model, Qt.Key.Key_Return)
    assert not dialog.busy
    assert builder.builds == []
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_documents_are_added_once_dropped_and_removed(window: MainWindow, dialog: BuildDialog, documents: Path) -> None:
    view = dialog.form.documents
    dialog.dropEvent(dropped(documents))
    view.list.dropEvent(dropped(documents))
    assert view.paths == (str(documents),)
    view.list.selectAll()
    view.remove_button.click()
    assert view.paths == ()
    assert not view.remove_button.isEnabled()
    dialog._pause.stop()


def test_it_fits_a_small_screen(window: MainWindow, dialog: BuildDialog, model: Path, documents: Path, qtbot: QtBot) -> None:
    estimated(qtbot, window, model, documents)
    dialog.form.show_more(True)
    for name in ("model", "documents", "place", "more"):
        dialog.form.say(name, "a rather long line that says what is wrong here and what a person is to do about it now " * 2)
    least = dialog.layout().totalMinimumSize()
    assert least.width() <= 1366
    assert least.height() <= 720
    assert all(field.width() > 100 for field in dialog.form.findChildren(QLineEdit) if field.isVisible())
