"""What the process takes is measured, off the interface thread, and said with how it was measured."""

import mmap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memstudio.session import resident
from memstudio.session.resident import process_memory
from memstudio.ui.bridge import Bridge
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.status_bar import StatusBar
from memstudio.ui.texts import size_text
from memstudio.ui.vitals import Resident, Vitals
from memstudio.ui.vitals_bridge import VitalsBridge
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


@pytest.fixture
def status(qtbot: QtBot) -> Iterator[StatusBar]:
    made = StatusBar()
    yield made
    made.deleteLater()


@pytest.mark.skipif(not resident.STATM.is_file(), reason="only Linux tells what it is now")
def test_the_memory_of_this_process_is_what_it_is_now_and_not_its_peak() -> None:
    before, peak = process_memory()
    assert not peak
    block = mmap.mmap(-1, 64_000_000)  # fresh pages, where a heap may hand out what it holds already
    block.write(b"1" * 64_000_000)
    held, _ = process_memory()
    assert before is not None
    assert held is not None
    assert held - before > 20_000_000
    block.close()
    after, _ = process_memory()
    assert after is not None
    assert held - after > 20_000_000


def test_where_only_the_peak_is_known_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: object, status: StatusBar) -> None:
    monkeypatch.setattr(resident, "STATM", Path("/no/such/file"))
    size, peak = process_memory()
    assert peak
    assert size is not None
    assert size > 10_000_000
    status.show_vitals(Vitals(size, peak))
    assert status.memory.text() == f"{size_text(size)} at most"


def test_what_was_not_measured_is_not_shown(status: StatusBar) -> None:
    status.show_vitals(Vitals(None))
    assert (status.memory.text(), status.resident.text()) == ("", "")


def test_the_card_and_the_arms_are_named(status: StatusBar) -> None:
    arms = (Resident("answers", ("1/2", "2/16"), 36_000), Resident("previews", (), 0))
    status.show_vitals(Vitals(512_000_000, card_bytes=20_000_000, resident=arms))
    assert status.memory.text() == "512 MB + 20 MB on the card"
    assert status.resident.text() == "2 blocks resident · 36 kB"
    assert "answers: 1/2, 2/16 (36 kB)" in status.resident.toolTip()
    assert "previews: none" in status.resident.toolTip()


def test_after_a_run_the_blocks_of_its_route_are_resident_and_a_pruned_one_no_more(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    status = opened.panels.status
    opened.studio.auto_trace = False
    settle(opened.run_prompt)
    run = opened.studio.run
    assert run is not None
    assert run.route is not None
    names, leaf = ", ".join(map(str, run.route.clusters)), run.route.clusters[-1]
    qtbot.waitUntil(lambda: f"answers: {names}" in status.resident.toolTip(), timeout=PATIENCE_MS)
    settle(lambda: opened.prune(leaf))
    qtbot.waitUntil(lambda: names not in status.resident.toolTip(), timeout=PATIENCE_MS)
    assert status.memory.text().endswith((" MB", " GB"))


def test_nothing_is_sampled_on_the_interface_thread(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def noted(*_: object) -> Vitals:
        threads.append(threading.current_thread().name)
        return Vitals(len(threads))

    monkeypatch.setattr("memstudio.ui.vitals_bridge.sample", noted)
    bridge = Bridge()
    sampler = VitalsBridge(bridge)
    with qtbot.waitSignal(sampler.measured, timeout=PATIENCE_MS):
        sampler._wake.set()
    sampler.close()
    bridge.close()
    assert set(threads) == {"memstudio-vitals"}
