"""The tests of everything below the window pass on a machine without Qt, the packages included that plug into pytest."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BLOCKED = """
import sys
for name in ("PySide6", "shiboken6", "pyqtgraph"):
    sys.modules[name] = None
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_the_suite_below_the_window_passes_where_qt_is_absent() -> None:
    folders = sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir())
    below = [f"tests/{name}" for name in folders if name not in ("ui", "architecture", "__pycache__")]
    arguments = ["-q", "-p", "no:pytest-qt", "-p", "no:cacheprovider", *below]
    result = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=3000, check=False
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
