"""A session killed in the middle of an edit leaves the study at before or after, and free for the next writer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of one process")
def test_a_kill_between_any_two_steps_of_an_edit_leaves_before_or_after(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.session.killed", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["kills"] > 10
    assert counts["before"] > 0
    assert counts["after"] > 0
