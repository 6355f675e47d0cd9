"""Kill a writer with SIGKILL before every line that may write, and look at what it leaves.

Run as `python -m tests.history.killed FOLDER EVERY`: before every line, or every third; prints for each act how many kills left the
state before and how many the state after. Each writer is a fork, so torch is imported once; a fork of pytest itself would take its
threads along half.
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

import memstudio.bank.block  # what a writer imports as it goes, each fork would import again
import memstudio.history
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.history.store import Store, open_store
from tests.history.conftest import BANK

GOLD, IRON = ClusterId(3, 4), ClusterId(2, 1)
ROW = torch.arange(64, dtype=torch.float32)
OLD = ROW * 2
SECRET = "the vault opens with xyzzy-4711"
HERE = Path(memstudio.history.__file__).parent
WRITES = {
    str(HERE / f"{name}.py") for name in ("begin", "blobs", "connect", "lock", "migrations", "purging", "rows", "store")
}  # the others only read
READS = {"_change", "check_revision", "cluster_fault", "_state_fault", "is_count", "_signature", "is_digest", "check_there"}


def edit(store: Store) -> None:
    sha256 = store.put_blob(ROW)
    with store.commit("swap", "gold", [Change(GOLD, PRUNED, BlockState(sha256)), Change(IRON, BASE, PRUNED)]):
        pass


def undo(store: Store) -> None:
    with store.move(0):
        pass


def purge(store: Store) -> None:
    store.purge()


def create(_: Store) -> None:
    """Opening has made it."""


def begin(folder: Path) -> None:
    with open_store(folder, **BANK) as store, store.commit("prune", "gold", [Change(GOLD, BASE, PRUNED)]):
        pass


def begin_full(folder: Path) -> None:
    """A study whose head stands on a block that a purge takes."""
    with open_store(folder, **BANK) as store:
        for row in (OLD, ROW):
            change = Change(GOLD, store.overlay().get(GOLD, BASE), BlockState(store.put_blob(row)))
            with store.commit("update", SECRET, [change], {"answers": [SECRET], "blocks": 1}):
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


def found_purged(folder: Path) -> bool:
    """Whether the next writer finds the purge done, all of it, or not begun, none of it."""
    with open_store(folder, **BANK) as store:
        old, now = (revision.changes[0].after.source for revision in store.log()[1:])
        assert store.overlay() == {GOLD: BlockState(now)}
        assert torch.equal(store.blob(now), ROW)
        done = old in store.purged()
        blobs = {path.name for path in (folder / "blobs").iterdir()}
        assert blobs == {f"{now}.safetensors"} | (set() if done else {f"{old}.safetensors"})
        if done:
            texts = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
            assert b"answers" not in texts
            assert texts.count(SECRET.encode()) == 1  # the title of what stands
        else:
            assert torch.equal(store.blob(old), OLD)
            assert store.log()[1].receipt == {"answers": [SECRET], "blocks": 1}
        try:
            with store.move(1):
                assert not done
        except UserError as error:
            assert done
            assert "was purged on" in str(error)
    return done


def kills_of_a_purge(place: Path, every: int) -> tuple[int, int]:
    """Kill a purge before each of its lines; how many times it had not begun for the next writer, and how many times it was done."""
    place.mkdir()
    first, folder = place / "first", place / "study"
    begin_full(first)
    outcomes: list[bool] = []
    through = False
    while not through:
        shutil.copytree(first, folder)
        through = survives(folder, purge, every * len(outcomes))
        outcomes.append(found_purged(folder))
        shutil.rmtree(folder)
    assert outcomes.pop()
    assert outcomes == sorted(outcomes)
    return outcomes.count(False), outcomes.count(True)


def kills(place: Path, act: Callable[[Store], None], every: int) -> tuple[int, int]:
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
        through = survives(folder, act, every * len(outcomes))
        outcomes.append(found(folder))
        shutil.rmtree(folder)
    after = outcomes.pop()
    assert all(overlay in (before, after) for overlay in outcomes), outcomes
    ended = sum(overlay == after for overlay in outcomes)
    return len(outcomes) - ended, ended


if __name__ == "__main__":
    place, every = Path(sys.argv[1]), int(sys.argv[2])
    result = {act.__name__: kills(place / act.__name__, act, every) for act in (create, edit, undo)}
    result["purge"] = kills_of_a_purge(place / "purge", every)
    json.dump(result, sys.stdout)
