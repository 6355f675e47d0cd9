"""The heartbeat hears a thread that was held up, says where, and what a start costs is told."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from memstudio.ui import bench_window
from memstudio.ui.app import run_window
from memstudio.ui.bench_window import views
from memstudio.ui.heartbeat import Heartbeat, beats


def test_a_call_that_holds_the_thread_up_is_heard_and_one_that_waits_computes_nothing(qtbot: QtBot) -> None:
    heart = Heartbeat()
    heart.start()
    QTimer.singleShot(30, lambda: time.sleep(0.12))
    with qtbot.waitSignal(heart._timer.timeout):
        pass
    qtbot.waitUntil(lambda: max(heart._late_ms) > 100)
    heard = heart.stop()
    assert heard.longest_ms is not None
    assert heard.longest_ms > 100
    assert heard.late
    assert heard.own_longest_ms is not None
    assert heard.own_longest_ms < heard.longest_ms
    assert heard.slow, "nobody looked what held it up"


def test_a_heart_that_never_beat_has_no_figures() -> None:
    heard = beats([], [], Counter())
    assert heard.count == 0
    assert heard.p95_ms is None
    assert heard.late is None


def test_the_hand_goes_in_along_and_out_within_the_tree() -> None:
    through = views(1 / 65536)
    assert len(through) == bench_window._FRAMES
    widths = [right - left for left, right in through]
    assert min(widths) < 1e-3
    assert max(widths) == pytest.approx(1.0)


@pytest.mark.usefixtures("routed_by_tiny")
def test_a_start_tells_when_it_was_painted_and_when_it_showed_a_route(
    tiny_bank: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = time.time()
    assert run_window(tiny_bank, study=tmp_path / "study", device="cpu", timings=True) == 0
    said = json.loads(capfd.readouterr().out.strip().splitlines()[-1])
    assert before <= said["painted"] <= said["opened"] <= said["route"] <= time.time()
    assert all(said[f"{moment}_bytes"] > 1e6 for moment in ("painted", "opened", "route"))
    assert 0 < said["painted_cpu_s"] <= said["opened_cpu_s"] <= said["route_cpu_s"]
