"""What the window is worth on this machine: how fast it stands there, how its icicle moves, and whether it ever makes one wait."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QTimer
from PySide6.QtGui import QGuiApplication

from memstudio.bench.starting import warm_environment
from memstudio.errors import UserError
from memstudio.jobs import Job, Worker
from memstudio.ui.app import application
from memstudio.ui.bridge import Bridge
from memstudio.ui.docks import show_dock
from memstudio.ui.first_look import PROMPT
from memstudio.ui.heartbeat import Beats, Heartbeat
from memstudio.ui.main_window import MainWindow
from memstudio.ui.preferences import Preferences
from memstudio.ui.snapshots import Wish
from memstudio.ui.typing_figures import TEXT, keystrokes_ms

COMMAND = (sys.executable, "-P", "-m", "memstudio")
STARTS = 3
LOAD_S = 30.0
_FACTS = 48
_FRAMES = 120
_PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process: the window was painted, the bank open, the first route shown."""

    painted_s: float
    opened_s: float
    route_s: float


@dataclass(frozen=True, slots=True)
class Frames:
    """Milliseconds of one frame of the icicle while it pans and zooms, pixels drawn and flushed."""

    clusters: int
    count: int
    p50_ms: float
    p95_ms: float
    longest_ms: float


@dataclass(frozen=True, slots=True)
class Typing:
    """Milliseconds from a key in the prompt to the route of what stands there, on the panel and painted."""

    keys: int
    p50_ms: float
    p95_ms: float
    longest_ms: float


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """Of one bank. starts: one after the other, the first of them cold; the rest is of one window.

    opening: heartbeats until bank and model are there; working: while answers are written, facts scored and a map is made beside.
    worked: what of it was done meanwhile.
    """

    bank: str
    starts: tuple[Start, ...]
    typing: Typing
    icicle: Frames
    opening: Beats
    working: Beats
    worked: dict[str, int]

    def json(self) -> dict[str, Any]:
        """For `bench ui --json`."""
        return asdict(self)


def measure_banks(job: Job) -> tuple[WindowFigures, ...]:
    """The demo, and a synthetic bank of 69,904 clusters that is made for this and goes.

    Raises:
        UserError: as `measure_window`.
    """
    from memstudio.bench.synthetic import SHAPES, synthetic_bank

    shape = SHAPES["seventy-thousand"]
    with TemporaryDirectory(prefix="memstudio-bench-") as folder:
        large = Path(folder) / "seventy-thousand"
        synthetic_bank(large, branching=shape.branching, widths=shape.widths, layers=shape.layers, hidden=shape.hidden, job=job)
        return measure_window("demo", "demo", job), measure_window(large.name, str(large), job)


def measure_window(name: str, bank: str, job: Job, *, starts: int = STARTS, load_s: float = LOAD_S) -> WindowFigures:
    """Measure the real window on a bank, edits in studies that go; the first start is not counted.

    Raises:
        UserError: the window did not come up.
    """
    with TemporaryDirectory(prefix="memstudio-bench-") as folder:
        began = tuple(start_of(bank, Path(folder) / f"study-{number}", job) for number in range(starts + 1))
        return _with_window(name, bank, Path(folder), began[1:], job, load_s)


def start_of(bank: str, study: Path, job: Job) -> Start:
    """Start `memstudio open` in a process of its own and hear when it was ready.

    Raises:
        UserError: it did not come up.
    """
    job.breathe()
    command = [*COMMAND, "open", bank, "--study", str(study), "--timings"]
    began = time.time()
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=warm_environment())
    if done.returncode:
        raise UserError(f"memstudio open {bank}: it did not come up: {(done.stderr.strip().splitlines() or ['no word of it'])[-1]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return Start(*(round(said[what] - began, 3) for what in ("painted", "opened", "route")))


def _with_window(name: str, bank: str, folder: Path, starts: tuple[Start, ...], job: Job, load_s: float) -> WindowFigures:
    app = application()
    window = MainWindow(Bridge(), Preferences(None))
    heart = Heartbeat(window)
    try:
        window.show()
        heart.start()
        wait(window, lambda: window.open_wish(Wish(bank, folder / "study")))
        opening = heart.stop()
        if not window.studio.ready:
            raise UserError(f"{bank}: the window did not open it: {window.panels.status.line.text()}")
        job.breathe()
        typing, icicle = _typing(window), _frames(window)
        worked, working = _work(window, heart, bank, folder, job, load_s)
        return WindowFigures(name, starts, typing, icicle, opening, working, worked)
    finally:
        window.close()
        window.deleteLater()
        app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def wait(window: MainWindow, what: Callable[[], object]) -> None:
    """Do something and let events come until all that follows from it is there.

    Raises:
        UserError: it took minutes.
    """
    loop, patience = QEventLoop(), QTimer()
    patience.setSingleShot(True)
    patience.timeout.connect(lambda: loop.exit(1))
    window.studio.bridge.idle.connect(loop.quit)
    patience.start(int(_PATIENCE_S * 1000))
    what()
    if loop.exec():
        raise UserError(f"the window did not finish within {_PATIENCE_S:.0f} s")


def _typing(window: MainWindow) -> Typing:
    """One key after the other, each when the route of the one before is there."""
    took = keystrokes_ms(window, len(TEXT))
    return Typing(len(took), *_spread(took))


def _frames(window: MainWindow) -> Frames:
    """Zoom into eight places and back, pan across each: every frame drawn at once."""
    plot = window.panels.icicle.plot
    show_dock(window.docks["icicle"])
    QGuiApplication.processEvents()
    took: list[float] = []
    for left, right in views(plot.scene.layout.narrowest):
        began = time.perf_counter()
        plot.look(left, right)
        plot.repaint()
        took.append((time.perf_counter() - began) * 1000)
    clusters = sum(level.clusters for level in window.studio.bank.bank.levels) if window.studio.bank else 0
    return Frames(clusters, len(took), *_spread(took))


def _spread(took_ms: list[float]) -> tuple[float, float, float]:
    """The median, the 95th percentile and the longest."""
    p50, p95 = (float(np.percentile(took_ms, share)) for share in (50, 95))
    return p50, p95, max(took_ms)


def views(narrowest: float, frames: int = _FRAMES) -> list[tuple[float, float]]:
    """Stretches of 0 … 1 that a hand goes through: into a place down to a few clusters, along there, and out again."""
    found: list[tuple[float, float]] = []
    each = frames // 24
    for place in np.linspace(0.06, 0.94, 8):
        widths = np.geomspace(1.0, min(1.0, narrowest * 8), each)
        found += [(place - width / 2, place + width / 2) for width in widths]
        width = float(widths[each // 2])
        found += [(place - width / 2 + step, place + width / 2 + step) for step in np.linspace(0, width, each)]
        found += [(place - width / 2, place + width / 2) for width in widths[::-1]]
    return found


def _work(window: MainWindow, heart: Heartbeat, bank: str, folder: Path, job: Job, load_s: float) -> tuple[dict[str, int], Beats]:
    """Answers and scores in turn, for as long as was asked, while a process beside makes a map of all centroids."""
    done = {"answers": 0, "facts_scored": 0}
    mapped = MapBeside(bank, folder / "map.safetensors")
    prompt = window.panels.prompt
    prompt.max_tokens.setValue(64)
    window.studio.auto_trace = False
    file = _facts_file(folder / "facts.jsonl")
    try:
        wait(window, lambda: window.facts.read(file))
        heart.start()
        ends = time.monotonic() + load_s
        while time.monotonic() < ends:
            job.breathe()
            prompt.write(PROMPT)
            wait(window, window.run_prompt)
            done["answers"] += 1
            wait(window, lambda: window.facts.score("fetched"))
            done["facts_scored"] += _FACTS
        heard = heart.stop()
    finally:
        mapped.stop()
    return {**done, "maps": mapped.made}, heard


class MapBeside:
    """A map of a bank, made by a thread and a process of its own until it is stopped."""

    def __init__(self, bank: str, file: Path) -> None:
        self._worker = Worker("memstudio-bench-map")
        self.made = 0
        self._job = self._worker.submit("Map", lambda job: self._make(bank, file, job))

    def _make(self, bank: str, file: Path, job: Job) -> None:
        from memstudio.bank.bank import open_bank
        from memstudio.session import bank_folder
        from memstudio.session.centroid_map import centroid_map

        centroid_map(open_bank(bank_folder(bank)), file, job)
        self.made += 1

    def stop(self) -> None:
        """End it, finished or not."""
        self._job.cancel()
        self._worker.close()


def _facts_file(file: Path) -> Path:
    """Questions that any bank can be asked, right or not."""
    lines = [
        json.dumps(
            {"id": f"bench-{at}", "subject": f"number {at}", "relation": "double", "prompt": f"Twice {at} is", "expected": str(2 * at)}
        )
        for at in range(_FACTS)
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
