"""A kill -9 between any two steps leaves the state before or the state after, never a broken one."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # a kill does not reach what the system has cached, so the disk's syncing would only take time


@pytest.mark.skipif(sys.platform == "win32", reason="forks and SIGKILL")
@pytest.mark.timeout(600)  # some 340 forks where every line is taken
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_writer_killed_before_any_line_leaves_the_state_before_or_after(every: int) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        command = [sys.executable, "-m", "tests.history.killed", place, str(every)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kills = {act: [count * every for count in counts] for act, counts in json.loads(done.stdout).items()}
    for act in ("edit", "undo"):
        before, after = kills[act]
        assert before > 25
        assert after > 0
    assert sum(kills["create"]) > 50
    before, after = kills["purge"]
    assert before > 15
    assert after > 15
