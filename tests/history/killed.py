"""Kill a writer with SIGKILL before every line that may write, and look at what it leaves.

Run as `python -m tests.history.killed FOLDER`; prints for each act how many kills left the state before and how many the state
after. Each writer is a fork, so torch is imported once; a fork of pytest itself would take its threads along half.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import torch

import memstudio.history
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId, Overlay
from memstudio.history.store import Store, open_store
from tests.history.conftest import BANK

GOLD, IRON = ClusterId(3, 4), ClusterId(2, 1)
ROW = torch.arange(64, dtype=torch.float32)
HERE = Path(memstudio.history.__file__).parent
WRITES = {str(HERE / f"{name}.py") for name in ("begin", "blobs", "connect", "lock", "migrations", "rows", "store")}  # the others only read
READS = {"_change", "check_revision", "_cluster_fault", "_state_fault", "_is_count", "_signature", "_overlay", "_refs", "is_digest"}


def edit(store: Store) -> None:
    sha256 = store.put_blob(ROW)
    with store.commit("swap", "gold", [Change(GOLD, PRUNED, BlockState(sha256)), Change(IRON, BASE, PRUNED)]):
        pass


def undo(store: Store) -> None:
    with store.move(0):
        pass


def create(_: Store) -> None:
    """Opening has made it."""


def begin(folder: Path) -> None:
    with open_store(folder, **BANK) as store, store.commit("prune", "gold", [Change(GOLD, BASE, PRUNED)]):
        pass


def die_at(number: int) -> Callable[[FrameType, str, object], object]:
    """A tracer that kills the process before the `number`-th new line of code that may write."""
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: object) -> object:
        if frame.f_code.co_filename not in WRITES or frame.f_code.co_name in READS:
            return None
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) > number:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def survives(folder: Path, act: Callable[[Store], None], number: int) -> bool:
    """Fork a writer that dies at the `number`-th line; whether it got through instead."""
    child = os.fork()
    if child == 0:
        if act is create:
            sys.settrace(die_at(number))
        with open_store(folder, **BANK) as store:
            sys.settrace(die_at(number))
            act(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) or os.WTERMSIG(status) == signal.SIGKILL
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFEXITED(status)


def found(folder: Path) -> Overlay:
    """What the next writer finds; it can work, and no leftovers stay."""
    with open_store(folder, **BANK) as store:
        overlay = store.overlay()
        for state in overlay.values():
            if state.source not in ("base", "pruned"):
                assert torch.equal(store.blob(state.source), ROW)
        named = {change.after.source for revision in store.log() for change in revision.changes} - {"base", "pruned"}
        blobs = folder / "blobs"
        assert not blobs.exists() or {path.stem for path in blobs.iterdir()} == named
        with store.commit("scale", "after all", [Change(ClusterId(1, 0), BASE, BlockState("base", 0.5))]):
            pass
    return overlay


def kills(place: Path, act: Callable[[Store], None]) -> tuple[int, int]:
    """Kill the act before each of its lines; how many times the state before was found, and how many times the state after."""
    place.mkdir()
    first = place / "first"
    before: Overlay = {}
    if act is not create:
        begin(first)
        with open_store(first, **BANK, readonly=True) as store:
            before = store.overlay()
    outcomes: list[Overlay] = []
    through = False
    while not through:
        folder = place / "study"
        if first.exists():
            shutil.copytree(first, folder)
        through = survives(folder, act, len(outcomes))
        outcomes.append(found(folder))
        shutil.rmtree(folder)
    after = outcomes.pop()
    assert all(overlay in (before, after) for overlay in outcomes), outcomes
    ended = sum(overlay == after for overlay in outcomes)
    return len(outcomes) - ended, ended


if __name__ == "__main__":
    result = {act.__name__: kills(Path(sys.argv[1]) / act.__name__, act) for act in (create, edit, undo)}
    json.dump(result, sys.stdout)
