"""The floors and the one door of each library hold: every contract of pyproject.toml is a test, and each one can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = ["floors", "qt", "pyqtgraph", "sqlalchemy", "transformers", "peft"]
"""The ids of the contracts in pyproject.toml."""


def lint(folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    """Check one contract over the package that stands in `folder`."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    arguments = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", "--contract", contract]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_package_keeps_the_contract(contract: str) -> None:
    result = lint(ROOT, contract)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("floors", "bank/intruder.py", "import memstudio.session"),
        ("floors", "anchor/intruder.py", "import memstudio.history.values"),
        ("floors", "history/intruder.py", "import memstudio.anchor.values"),
        ("floors", "unplaced.py", "import json"),
        ("qt", "editing/intruder.py", "from PySide6 import QtCore"),
        ("pyqtgraph", "ui/panels/intruder.py", "import pyqtgraph"),
        ("sqlalchemy", "bank/intruder.py", "import sqlalchemy"),
        ("transformers", "bank/intruder.py", "def later():\n    import transformers"),
        ("peft", "session/intruder.py", "def later():\n    from peft import LoraConfig"),
        ("peft", "anchor/intruder.py", "def later():\n    import transformer_lens"),
    ],
)
def test_a_planted_violation_breaks_the_contract(contract: str, module: str, line: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "memstudio", tmp_path / "memstudio", ignore=lambda _, names: [n for n in names if n == "__pycache__"])
    planted = tmp_path / "memstudio" / module
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(f"{line}\n")
    result = lint(tmp_path, contract)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout or "not defined" in result.stdout or "exhaustive" in result.stdout.lower()
