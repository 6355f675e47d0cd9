"""A session killed in the middle of an edit leaves the study at before or after, and free for the next writer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of one process")
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_between_any_two_steps_of_an_edit_leaves_before_or_after(tmp_path: Path, every: int) -> None:
    command = [sys.executable, "-m", "tests.session.killed", str(tmp_path), str(every)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["kills"] > 10
    assert counts["before"] > 0
    assert counts["after"] > 0
