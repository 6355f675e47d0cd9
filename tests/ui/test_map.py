"""The map in the window: made beside everything else by a process that never outlives what asked for it, and shown again when kept."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from memstudio.session.centroid_map import map_file
from memstudio.ui.main_window import MainWindow
from memstudio.ui.map_views import MapFound
from memstudio.ui.panels.map_panel import MapPanel
from memstudio.ui.snapshots import Wish
from tests.session.test_centroid_map import LINGERS, PLANE
from tests.tiny import make_bank
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
FAILS = "raise SystemExit('numba is broken')"


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def make(window: MainWindow, qtbot: QtBot, code: str = PLANE) -> None:
    """Make the map by its action and wait until that is over."""
    window.maps.bridge.child = child(code)
    with qtbot.waitSignal(window.maps.bridge.rested, timeout=PATIENCE_MS):
        window.actions_.by_key["make_map"].trigger()


def begin(window: MainWindow, qtbot: QtBot) -> int:
    """Begin a map that would take ten minutes; gives the id of its process."""
    window.maps.bridge.child = child(LINGERS.replace("signal.signal(signal.SIGTERM, signal.SIG_IGN)", ""))
    pids: list[int] = []
    window.studio.bridge.job.connect(lambda job: pids.append(job.done) if job.title == "Map: at work" else None)
    window.panels.map.not_made.make.click()
    qtbot.waitUntil(lambda: bool(pids), timeout=PATIENCE_MS)
    return pids[0]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def page(panel: MapPanel) -> str:
    return next(
        name for name, widget in (("asked", panel.not_made), ("running", panel.running), ("map", panel.plot)) if widget.isVisibleTo(panel)
    )


@pytest.fixture
def opened(opened: MainWindow, qtbot: QtBot) -> MainWindow:
    opened.docks["map"].raise_()
    return opened


def test_the_map_is_made_by_its_action_and_shows_every_cluster(opened: MainWindow, qtbot: QtBot) -> None:
    panel, action = opened.panels.map, opened.actions_.by_key["make_map"]
    assert page(panel) == "asked"
    assert action.isEnabled()
    make(opened, qtbot)
    assert page(panel) == "map"
    assert panel.count.text().startswith("39 of 39 clusters drawn")
    assert not action.isEnabled()
    assert "The map is there" in action.toolTip()


def test_a_kept_map_is_shown_as_soon_as_the_bank_opens_again(opened: MainWindow, qtbot: QtBot, settle: Act) -> None:
    make(opened, qtbot)
    study, wish = opened.studio.study, opened.wish
    assert study is not None
    assert wish is not None
    assert len(list(study.folder.glob("map-*.safetensors"))) == 1
    opened.maps.bridge.child = child("raise SystemExit('made again')")
    with qtbot.waitSignal(opened.maps.bridge.found, timeout=PATIENCE_MS) as caught:
        settle(lambda: opened.open_wish(wish))
    assert caught.args is not None
    assert isinstance(caught.args[0], MapFound)
    assert caught.args[0].map is not None
    assert page(opened.panels.map) == "map"
    assert opened.panels.map.plot.scene.cloud.count == 39


def test_a_damaged_map_is_none_and_can_be_made_again(opened: MainWindow, qtbot: QtBot, settle: Act) -> None:
    make(opened, qtbot)
    study, wish = opened.studio.study, opened.wish
    assert study is not None
    assert wish is not None
    next(study.folder.glob("map-*.safetensors")).write_bytes(b"no map")
    with qtbot.waitSignal(opened.maps.bridge.found, timeout=PATIENCE_MS):
        settle(lambda: opened.open_wish(wish))
    assert page(opened.panels.map) == "asked"
    make(opened, qtbot)
    assert page(opened.panels.map) == "map"


def test_a_run_goes_on_while_the_map_is_made_and_cancel_ends_its_process(opened: MainWindow, qtbot: QtBot, settle: Act) -> None:
    pid, panel = begin(opened, qtbot), opened.panels.map
    assert page(panel) == "running"
    settle(opened.run_prompt)
    assert opened.studio.run is not None
    assert page(panel) == "running"
    assert runs(pid)
    with qtbot.waitSignal(opened.maps.bridge.rested, timeout=PATIENCE_MS):
        qtbot.mouseClick(panel.running.cancel, Qt.MouseButton.LeftButton)
    assert not runs(pid)
    assert page(panel) == "asked"
    assert opened.actions_.by_key["make_map"].isEnabled()


def test_cancel_in_the_status_bar_ends_it_too(opened: MainWindow, qtbot: QtBot) -> None:
    pid, status = begin(opened, qtbot), opened.panels.status
    qtbot.waitUntil(lambda: status.job_box.isVisibleTo(status), timeout=PATIENCE_MS)
    with qtbot.waitSignal(opened.maps.bridge.rested, timeout=PATIENCE_MS):
        qtbot.mouseClick(status.cancel, Qt.MouseButton.LeftButton)
    assert not runs(pid)
    assert not status.job_box.isVisibleTo(status)


def test_another_bank_in_the_middle_ends_the_process_and_asks_anew(opened: MainWindow, qtbot: QtBot, settle: Act, tmp_path: Path) -> None:
    other = make_bank(tmp_path / "other", levels=((4, 4), (16, 4)))
    pid = begin(opened, qtbot)
    with qtbot.waitSignal(opened.maps.bridge.found, timeout=PATIENCE_MS):
        settle(lambda: opened.open_wish(Wish(str(other), temporary=True, device="cpu")))
    assert not runs(pid)
    assert page(opened.panels.map) == "asked"
    assert "All 20 clusters" in opened.panels.map.not_made.hint.text()
    make(opened, qtbot)
    assert opened.panels.map.count.text().startswith("20 of 20 clusters drawn")
    study = opened.studio.study
    assert study is not None
    assert study.temporary
    assert [each.parent for each in study.folder.glob("map-*")] == [study.folder]


def test_closing_the_window_ends_the_process(opened: MainWindow, qtbot: QtBot) -> None:
    pid = begin(opened, qtbot)
    opened.close()
    assert not runs(pid)


def test_a_process_that_fails_is_a_line_and_the_map_can_be_asked_for_again(opened: MainWindow, qtbot: QtBot) -> None:
    make(opened, qtbot, FAILS)
    assert opened.panels.status.line.text() == "the map was not made: numba is broken"
    assert page(opened.panels.map) == "asked"
    make(opened, qtbot)
    assert page(opened.panels.map) == "map"


def test_the_prompts_key_and_its_route_are_drawn_in(opened: MainWindow, qtbot: QtBot, settle: Act) -> None:
    make(opened, qtbot)
    scene = opened.panels.map.plot.scene
    with qtbot.waitSignal(opened.maps.bridge.placed, timeout=PATIENCE_MS):
        settle(opened.run_prompt)
    assert opened.studio.run is not None
    assert opened.studio.run.route is not None
    assert scene.route == opened.studio.run.route.clusters
    assert scene.key is not None
    assert max(map(abs, scene.key)) <= 1
    first = scene.key
    opened.panels.prompt.write("What number is gold?")
    with qtbot.waitSignal(opened.maps.bridge.placed, timeout=PATIENCE_MS):
        settle(opened.run_prompt)
    assert scene.key != first


def test_a_key_that_was_read_before_the_map_was_made_is_placed_then(opened: MainWindow, qtbot: QtBot, settle: Act) -> None:
    settle(opened.run_prompt)
    assert opened.panels.map.plot.scene.key is None
    with qtbot.waitSignal(opened.maps.bridge.placed, timeout=PATIENCE_MS):
        make(opened, qtbot)
    assert opened.panels.map.plot.scene.key is not None


def test_a_pinned_route_was_not_chosen_by_a_key_and_draws_none(opened: MainWindow, qtbot: QtBot, settle: Act) -> None:
    make(opened, qtbot)
    with qtbot.waitSignal(opened.maps.bridge.placed, timeout=PATIENCE_MS):
        settle(opened.run_prompt)
    assert opened.selected_or_none() is not None
    settle(opened.toggle_pin)
    with qtbot.assertNotEmitted(opened.maps.bridge.placed):
        settle(opened.run_prompt)
    assert opened.panels.map.plot.scene.key is None
    assert opened.panels.map.plot.scene.route


def test_the_map_lies_beside_the_study_by_the_banks_digest(opened: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    make(opened, qtbot)
    study = opened.studio.study
    assert study is not None
    found = list(study.folder.glob("map-*.safetensors"))
    digest = found[0].stem.removeprefix("map-")
    assert found == [map_file(study.folder, digest)]
