"""Nothing heavy is imported before it is needed, and everything below the window works on a machine without Qt."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import memstudio

HEAVY = ["torch", "transformers", "PySide6", "pyqtgraph", "sqlalchemy", "sklearn"]

SHELL = """
import runpy, sys
sys.argv[0] = "memstudio"
try:
    runpy.run_module("memstudio", run_name="__main__")
except SystemExit:
    pass
"""


def python(code: str, *arguments: str) -> str:
    """Run code in a new interpreter and give back what it printed."""
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def heavy_after(code: str, *arguments: str) -> list[str]:
    """Which heavy libraries stand in sys.modules after the code ran."""
    report = f"\nimport sys\nprint('HEAVY', *[name for name in {HEAVY!r} if name in sys.modules])"
    return python(code + report, *arguments).splitlines()[-1].split()[1:]


def test_importing_memstudio_loads_nothing_heavy() -> None:
    assert heavy_after("import memstudio") == []


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["no-such-verb"]], ids=" ".join)
def test_the_shell_answers_without_loading_anything_heavy(arguments: list[str]) -> None:
    assert heavy_after(SHELL, *arguments) == []


def test_a_key_is_routed_without_loading_anything_heavy(tiny_bank: Path) -> None:
    code = SHELL.replace("except SystemExit:\n    pass", "except SystemExit as left:\n    assert not left.code")
    assert heavy_after(code, "route", str(tiny_bank), "The atomic number of gold is") == []


def test_every_module_below_the_window_imports_where_qt_is_absent() -> None:
    modules = [module.name for module in pkgutil.walk_packages(memstudio.__path__, "memstudio.")]
    below = [name for name in modules if not name.startswith("memstudio.ui") and name != "memstudio.__main__"]
    assert len(below) > 30
    blocked = "import sys, importlib\nfor name in ('PySide6', 'shiboken6', 'pyqtgraph'): sys.modules[name] = None\n"
    python(blocked + "for name in sys.argv[1:]: importlib.import_module(name)", *below)


def test_the_window_is_painted_without_what_opens_a_bank_or_draws_a_trace() -> None:
    pytest.importorskip("PySide6", reason="the window needs the extra `ui`")
    code = """
from memstudio.ui.app import application
from memstudio.ui.bridge import Bridge
from memstudio.ui.main_window import MainWindow
from memstudio.ui.preferences import Preferences
import os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
app = application()
window = MainWindow(Bridge(), Preferences(None))
window.show()
app.processEvents()
print(*[name for name in ("torch", "transformers", "pyqtgraph", "sqlalchemy", "sklearn", "pydantic") if name in sys.modules])
window.close()
"""
    assert python(code).split() == []
