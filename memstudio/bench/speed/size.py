"""What a bank's size costs: the same work on banks of 0.02 to 21.1 billion parameters whose blocks are equally large.

The files are holes, but for the blocks of the two routes that are fetched and edited, which meet nowhere: those are random numbers (and
no longer what the manifest's digests say). Each bank runs in a process of its own, on one thread, several times in turn; the least of all
milliseconds counts, for what else the machine does only adds to them.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from memstudio.bank.bank import open_bank
from memstudio.bank.files import read_header
from memstudio.bank.manifest import blocks_file
from memstudio.bank.values import ClusterId
from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.starting import warm_environment
from memstudio.bench.synthetic import SHAPES, AnchorShape, random_anchor, synthetic_bank
from memstudio.errors import UserError
from memstudio.jobs import Job

SIZES = ("0.02b", "0.2b", "2b", "21.1b")
PAPER = "paper-21.1b"
ROUNDS = 3
STARTS = 7
PAINTED_S, ABOVE_DEMO_BYTES = 1.5, 200e6
"""What was asked of the window's start on the largest bank."""
_PATIENCE_S = 300
_DEEDS = {
    "open": "open a bank",
    "descend": "choose a route by a key",
    "route": "choose a route by a text, the encoder there",
    "fetch": "fetch a route",
    "prune": "prune a block",
    "scale": "scale a block",
    "rewrite": "rewrite a block",
    "undo": "undo",
}
_STANDS = {"opened": "once it is open", "loaded": "with the anchor", "ran": "after fetches, edits and a run"}


def measure(device: str, job: Job) -> list[Figure]:
    """Times and memory of the banks against the smallest, of the paper's own bank beside a copy, and of the window's start on it.

    Raises:
        UserError: not on Linux, a bank that a process did not come to the end of, or no window here.
    """
    with TemporaryDirectory(prefix="memstudio-size-") as name:
        folder = Path(name)
        leaves = {size: _made(folder, size, job) for size in (*SIZES, PAPER)}
        rounds: dict[str, list[dict[str, Any]]] = {size: [] for size in leaves}
        for number in range(ROUNDS):
            for size in list(leaves)[:: 1 if number % 2 else -1]:
                job.breathe()
                rounds[size].append(_in_a_process(device, folder / size, leaves[size]))
        starts = _starts(device, str(folder / PAPER), folder, job)
    return [*_against_size(rounds), *_beside_a_copy(rounds[PAPER]), *starts]


def _made(folder: Path, size: str, job: Job) -> list[ClusterId]:
    """A bank, holes but for its first and its last route; gives the ends of those."""
    shape = SHAPES[size]
    anchor = folder / "anchor"
    if not anchor.exists():
        random_anchor(anchor, AnchorShape(shape.layers, shape.hidden))
    bank = synthetic_bank(folder / size, branching=shape.branching, widths=shape.widths, anchor=anchor, job=job)
    return fill_routes(bank, [ClusterId(len(shape.branching), end) for end in (0, shape.clusters[-1] - 1)])


def fill_routes(folder: Path, leaves: list[ClusterId], seed: int = 0) -> list[ClusterId]:
    """Write random numbers over the blocks of these routes, of a bank in bfloat16; gives the leaves."""
    bank, rng = open_bank(folder), np.random.default_rng(seed)
    for cluster in sorted({cluster for leaf in leaves for cluster in bank.tree.route_to(leaf)}):
        n = bank.layouts[cluster.level - 1].n
        if n:
            file = folder / blocks_file(cluster.level)
            small = (rng.standard_normal(n, np.float32) * 0.02).view(np.uint32) >> 16  # bfloat16: the upper half of a float32
            with file.open("r+b") as stream:
                stream.seek(read_header(file).tensors["blocks"].begin + cluster.index * n * 2)
                stream.write(small.astype("<u2").tobytes())
    return leaves


def _in_a_process(device: str, bank: Path, leaves: list[ClusterId]) -> dict[str, Any]:
    """What `one_bank` prints."""
    command = [sys.executable, "-P", "-m", "memstudio.bench.speed.one_bank", device, str(bank), *map(str, leaves)]
    done = _done(command, {**os.environ, "OMP_NUM_THREADS": "1"}, bank.name)
    found: dict[str, Any] = json.loads(done.splitlines()[-1])
    return found


def _done(command: Sequence[str], environment: dict[str, str], what: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=environment)
    if done.returncode:
        raise UserError(f"{what}: its process ended with {done.returncode}: {(done.stderr.strip().splitlines() or ['no word of it'])[-1]}")
    return done.stdout


def _against_size(rounds: dict[str, list[dict[str, Any]]]) -> list[Figure]:
    """Each figure of the largest bank beside the smallest's; all of them in its detail."""
    billions = [round(SHAPES[size].parameters / 1e9, 4) for size in SIZES]
    against = f"the same blocks in a bank of {billions[0]:.2g} billion parameters"

    def figure(what: str, unit: str, values: list[float]) -> Figure:
        values = [round(value, 3) for value in values]
        detail = {"billions": billions, "values": values}
        return Figure(what, unit, values[-1], against, values[0], round(values[-1] / values[0], 3), None, ROUNDS, detail)

    timed = [figure(words, "ms", [min(each[name] for each in rounds[size]) for size in SIZES]) for name, words in _DEEDS.items()]
    held = [
        figure(f"memory {words}", "MB", [median(each[name]["own_bytes"] for each in rounds[size]) / 1e6 for size in SIZES])
        for name, words in _STANDS.items()
    ]
    mapped = figure(
        "mapped file pages after the same", "MB", [median(each["ran"]["mapped_bytes"] for each in rounds[size]) / 1e6 for size in SIZES]
    )
    return [*timed, *held, mapped]


def _beside_a_copy(rounds: list[dict[str, Any]]) -> list[Figure]:
    """A fetch on the paper's bank beside the copy of the same numbers, bfloat16 to float32, on one thread."""
    fetch, copy = (round(min(each[name] for each in rounds), 3) for name in ("fetch", "copy"))
    rest = {name: round(min(each[name] for each in rounds), 3) for name in _DEEDS if name != "fetch"}
    memory = {name: {kind: median(each[name][kind] for each in rounds) for kind in rounds[0][name]} for name in _STANDS}
    what = "fetch a route of the paper's bank of 21.1 billion (306 MB)"
    return [
        Figure(
            what, "ms", fetch, "copying the same numbers", copy, round(fetch / copy, 3), None, len(rounds), {"ms": rest, "bytes": memory}
        )
    ]


def _starts(device: str, bank: str, folder: Path, job: Job) -> list[Figure]:
    """The window on the paper's bank and on the demo, in turn, each first start not counted: seconds, and memory above the demo's."""
    found: dict[str, list[dict[str, float]]] = {bank: [], "demo": []}
    for number in range(STARTS + 1):
        for name in list(found)[:: 1 if number % 2 else -1]:
            job.breathe()
            found[name].append(_start(device, name, folder / f"study-{number}-{name == 'demo'}"))
    large, demo = ({name: round(median(each[name] for each in found[of][1:]), 3) for name in found[of][0]} for of in (bank, "demo"))
    least = round(min(each["painted"] for each in found[bank][1:]), 3)
    above = max(large[name] - demo[name] for name in large if name.endswith("_bytes"))
    detail = {"21.1 billion": large, "demo": demo}

    def figure(what: str, unit: str, ours: float, against: str, peer: float, limit: Limit | None) -> Figure:
        return Figure(what, unit, round(ours, 3), against, peer, round(ours / peer, 3), limit, STARTS, detail)

    what, asked, limit = "process start to painted window, 21.1 billion", "what was asked", Limit("at most", 1.0)
    above_demo = "memory of that window above the demo's, at the most"
    return [
        figure(f"{what}, the least", "s", least, asked, PAINTED_S, limit),
        figure(what, "s", large["painted"], "the same window on the demo", demo["painted"], None),
        figure(f"{what}, of a processor", "s", large["painted_cpu_s"], "the same window on the demo", demo["painted_cpu_s"], None),
        figure(above_demo, "MB", above / 1e6, asked, ABOVE_DEMO_BYTES / 1e6, limit),
    ]


def _start(device: str, bank: str, study: Path) -> dict[str, float]:
    """Seconds from the start of the process, of all and of a processor, and bytes in memory, at each moment that `open --timings` tells."""
    command = [sys.executable, "-P", "-m", "memstudio", "open", bank, "--study", str(study), "--device", device, "--timings"]
    began = time.time()
    done = _done(command, {**warm_environment(), "QT_QPA_PLATFORM": "offscreen"}, f"memstudio open {bank}")
    said = json.loads(done.strip().splitlines()[-1])
    return {name: value if "_" in name else value - began for name, value in said.items()}
