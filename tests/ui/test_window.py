"""The window on a real bank: run, see, prune in the middle, take it back. Real session, real worker, waiting on signals."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.bank.values import PRUNED, ClusterId
from memstudio.errors import UserError
from memstudio.ui.app import run_demo, run_window
from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import Ask, Wish
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


def ids(window: MainWindow) -> list[int]:
    return [token.id for token in window.panels.prompt.now.tokens]


def fetched(window: MainWindow) -> tuple[ClusterId, ...]:
    route = window.studio.run.route if window.studio.run else None
    assert route is not None
    return route.clusters


def until(gate: threading.Event) -> None:
    gate.wait(PATIENCE_MS / 1000)


def test_a_run_is_streamed_routed_and_traced_and_its_blocks_are_shown(opened: MainWindow, settle: Act) -> None:
    panels = opened.panels
    assert panels.prompt.text.toPlainText() == "The atomic number of gold is"
    assert "tiny · study “study” · revision 0 as shipped" in opened.windowTitle()
    settle(opened.run_prompt)
    run, trace = opened.studio.run, opened.studio.trace
    assert run is not None
    assert trace is not None
    assert panels.prompt.now.tokens == run.tokens
    assert tuple(panels.prompt.breadcrumb.chips) == trace.route.clusters == fetched(opened)
    assert opened.selected() == max(trace.effect, key=lambda cluster: trace.effect[cluster])
    assert panels.block.cluster == opened.selected()
    assert trace.answer.text.strip() == "79"
    assert panels.heat.sheet is not None
    assert panels.heat.sheet.tokens == trace.tokens
    assert "tokens/s" in panels.status.speed.text()
    assert "cpu" in panels.status.model.text()


def test_del_in_the_middle_of_a_run_prunes_softly_and_undo_brings_it_back(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    prompt, studio = opened.panels.prompt, opened.studio
    prompt.write("Tell me about gold.")
    settle(opened.run_prompt)
    apart = ids(opened)
    top = fetched(opened)[0]
    prompt.pace.setCurrentIndex(1)
    pressed: list[int] = []

    def prune_after_the_third(_: int, __: tuple[object, ...]) -> None:
        if len(prompt.now.tokens) >= 3 and not pressed:
            pressed.append(len(prompt.now.tokens))
            studio.pick(top)
            opened.panels.tree.view.setFocus()
            opened.activateWindow()
            QTest.keyClick(opened, Qt.Key.Key_Delete)

    studio.bridge.generated.connect(prune_after_the_third)
    with qtbot.waitSignal(studio.bridge.committed, timeout=PATIENCE_MS):
        opened.run_prompt()
    assert prompt.bar.isVisibleTo(opened)
    assert opened.panels.status.undo.isVisibleTo(opened)
    with qtbot.waitSignal(studio.bridge.idle, timeout=PATIENCE_MS):
        pass
    studio.bridge.generated.disconnect(prune_after_the_third)
    said = prompt.now.tokens
    ((boundary, revision),) = prompt.now.boundaries()
    assert revision == 1
    assert boundary >= pressed[0] >= 3
    assert [token.id for token in said[:boundary]] == apart[:boundary]
    assert [token.id for token in said] != apart
    assert prompt.now.difference is not None
    assert prompt.now.difference >= boundary
    study = studio.study
    assert study is not None
    assert study.state(top) == PRUNED
    assert sum(state == PRUNED for state in study.overlay.values()) == 1 + 3 + 9

    settle(opened.recompute_run)
    again = prompt.now.tokens
    assert [token.id for token in again[:boundary]] == apart[:boundary]
    assert {token.revision for token in again[boundary:]} == {1}
    assert not prompt.bar.isVisibleTo(opened)

    settle(lambda: QTest.keySequence(opened, "Ctrl+Z"))
    assert studio.study is not None
    assert studio.study.overlay == {}
    prompt.pace.setCurrentIndex(0)
    settle(opened.run_prompt)
    assert ids(opened) == apart


def test_a_prompt_run_again_stands_beside_its_earlier_answer(opened: MainWindow, settle: Act) -> None:
    prompt = opened.panels.prompt
    settle(opened.run_prompt)
    first, top = ids(opened), fetched(opened)[0]
    settle(lambda: opened.prune(top))
    assert "revision 1 “prune" in opened.windowTitle()
    assert opened.panels.tree.model.state_word(top) == "pruned"
    settle(opened.run_prompt)
    assert [token.id for token in prompt.earlier.tokens] == first
    at = next(at for at, (one, other) in enumerate(zip(first, ids(opened), strict=False)) if one != other)
    assert prompt.now.difference == prompt.earlier.difference == at
    settle(lambda: opened.panels.history.checkout_wanted.emit(0))
    assert opened.studio.study is not None
    assert opened.studio.study.head == 0
    settle(opened.redo)
    assert opened.studio.study.head == 1


def test_hidden_muted_and_restored_are_shown_in_the_tree(opened: MainWindow, settle: Act) -> None:
    settle(opened.run_prompt)
    top = fetched(opened)[0]
    word = opened.panels.tree.model.state_word
    settle(lambda: opened.toggle_hide(top))
    assert word(top) == "hidden"
    settle(opened.run_prompt)
    assert fetched(opened)[0] != top
    settle(lambda: opened.toggle_hide(top))
    settle(lambda: opened.toggle_mute(top))
    assert word(top) == "muted"
    settle(lambda: opened.toggle_mute(top))
    settle(lambda: opened.prune(top))
    settle(lambda: opened.restore(top))
    assert word(top) == "shipped"


def test_escape_stops_between_two_tokens(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    opened.panels.prompt.max_tokens.setValue(200)
    opened.panels.prompt.pace.setCurrentIndex(2)
    with qtbot.waitSignal(opened.studio.bridge.generated, timeout=PATIENCE_MS):
        opened.run_prompt()
    settle(lambda: QTest.keyClick(opened, Qt.Key.Key_Escape))
    assert opened.studio.run is not None
    assert opened.studio.run.stopped
    assert not opened.studio.situation.running


def test_nothing_that_the_user_does_waits_for_a_busy_worker(opened: MainWindow, settle: Act) -> None:
    gate = threading.Event()
    opened.studio.bridge._submit("Busy", lambda _: until(gate))
    opened.run_prompt()
    opened.panels.tree.reveal(ClusterId(3, 5), select=True)
    opened.prune(ClusterId(1, 0))
    opened.undo()
    opened.toggle_hide(ClusterId(1, 1))
    opened.studio.bridge.find("gold")
    opened.score_facts()
    opened.stop()
    assert not opened.grab().isNull()
    assert not gate.is_set()
    settle(gate.set)
    assert opened.panels.tree.model.state_word(ClusterId(1, 1)) == "hidden"


def test_searching_finds_labels_and_ids_and_leads_to_the_block(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    tree = opened.panels.tree
    tree.search.setText("3/5")
    qtbot.waitUntil(lambda: tree.results.count() >= 1)
    settle(lambda: QTest.keyClick(tree.search, Qt.Key.Key_Return))
    assert opened.selected() == ClusterId(3, 5)
    assert tree.search.text() == ""


def test_facts_are_scored_with_progress(opened: MainWindow, settle: Act) -> None:
    titles: set[str] = set()
    opened.studio.bridge.job.connect(lambda job: titles.add(job.title))
    settle(opened.score_facts)
    assert "Scoring the facts" in titles
    assert opened.panels.status.line.text().startswith("Facts at revision 0: ")


def test_python_that_is_copied_gives_the_same_answer(opened: MainWindow, settle: Act, capsys: pytest.CaptureFixture[str]) -> None:
    settle(opened.run_prompt)
    settle(lambda: opened.prune(fetched(opened)[0]))
    settle(opened.run_prompt)
    opened.copy("python")
    lines = QGuiApplication.clipboard().text()
    exec(compile(lines, "copied", "exec"), {})
    assert opened.studio.run is not None
    assert capsys.readouterr().out.rstrip("\n").endswith(opened.studio.run.text)


def test_what_is_no_bank_is_one_line_in_the_status_bar(window: MainWindow, settle: Act, tmp_path: Path) -> None:
    settle(lambda: window.open_path(str(tmp_path)))
    assert str(tmp_path) in window.panels.status.line.text()
    assert window.panels.status.line.property("kind") == "error"
    assert window.studio.bank is None


def test_a_bug_brings_the_log_up_and_no_blocking_dialog(window: MainWindow, settle: Act) -> None:
    def stumble(_: object) -> None:
        raise ZeroDivisionError("made for the test")

    settle(lambda: window.studio.bridge._submit("Stumbling", stumble))
    assert not window.docks["log"].visibleRegion().isEmpty()
    assert "ZeroDivisionError: made for the test" in window.log.text.toPlainText()


def test_a_folder_dropped_on_the_window_is_opened(
    window: MainWindow, settle: Act, wish: Wish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("memstudio.paths.data_dir", lambda: tmp_path)
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(wish.path)])
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, dropped, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    settle(lambda: window.dropEvent(event))
    assert window.studio.bank is not None
    assert window.studio.bank.bank.name == "tiny"
    assert (tmp_path / "studies").is_dir()


def test_a_study_that_is_open_can_be_opened_again(opened: MainWindow, settle: Act, wish: Wish) -> None:
    settle(lambda: opened.prune(ClusterId(1, 0)))
    settle(lambda: opened.open_wish(wish))
    assert opened.studio.study is not None
    assert opened.studio.study.head == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_screenshot_shows_the_first_prompt_and_leaves(theme: str, wish: Wish, routed_by_tiny: None, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    chosen = "dark" if theme == "dark" else "light"
    assert run_window(wish.path, study=wish.study, screenshot=picture, device="cpu", theme=chosen) == 0
    assert picture.stat().st_size > 20_000


def test_a_screenshot_of_what_is_no_bank_is_a_users_error(tmp_path: Path, qtbot: QtBot) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        run_window(tmp_path, screenshot=tmp_path / "window.png")


def test_the_tour_goes_through_by_itself_for_its_picture(tiny_bank: Path, routed_by_tiny: None, tmp_path: Path) -> None:
    picture = tmp_path / "tour.png"
    assert run_demo(bank=tiny_bank, screenshot=picture, device="cpu") == 0
    assert picture.stat().st_size > 20_000


def test_a_window_imports_nothing_heavy_before_its_first_paint() -> None:
    probe = "import sys, memstudio.ui.app; print([m for m in ('torch', 'transformers', 'sqlalchemy', 'safetensors') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_ask_that_is_over_is_not_taken_for_the_next_one(opened: MainWindow, settle: Act) -> None:
    settle(opened.run_prompt)
    before = ids(opened)
    opened.studio.bridge.asked.emit(Ask(999, "stale"))
    assert ids(opened) == before
