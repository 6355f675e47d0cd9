"""The documents: built without a warning, and where they repeat what the code says, they say it as the code does."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def run(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=170)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the documents need mkdocs-material")
    done = run("-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert not re.search(r"^WARNING", done.stderr, re.M)
    built = {page.relative_to(tmp_path / "site").parent.as_posix() for page in (tmp_path / "site").rglob("index.html")}
    assert {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")} - {"index"} <= built


def test_verbs_and_commands_stand_there_as_the_code_has_them() -> None:
    pytest.importorskip("PySide6", reason="the table of actions needs the extra `ui`")
    done = run("packaging/write_docs.py", "--check")
    assert done.returncode == 0, done.stderr


def test_every_panel_has_its_page() -> None:
    pytest.importorskip("PySide6", reason="the table of docks needs the extra `ui`")
    from memstudio.ui.docks import PLACES

    assert {place.name for place in PLACES} | {"prompt"} == {page.stem for page in (DOCS / "panels").glob("*.md")}


def python_of_the_documents() -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(encoding="utf-8"), re.S))


def test_the_python_of_the_documents_compiles_and_what_it_imports_is_there() -> None:
    for node in ast.walk(ast.parse(python_of_the_documents())):
        if isinstance(node, ast.Import):
            assert all(import_module(each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            module = import_module(node.module)
            assert all(hasattr(module, each.name) for each in node.names), node.module


@pytest.mark.slow
def test_the_python_of_the_documents_runs(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(python_of_the_documents(), encoding="utf-8")
    done = run(script)
    assert done.returncode == 0, done.stderr
    assert "79" in done.stdout


def test_every_picture_that_is_shown_is_there_and_every_one_there_is_shown() -> None:
    images = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
    shown = {(page.parent / path).resolve() for page in DOCS.rglob("*.md") for path in images.findall(page.read_text("utf-8"))}
    shown |= {(ROOT / path).resolve() for path in re.findall(r"!\[[^\]]*\]\((docs/[^)]+)\)", (ROOT / "README.md").read_text("utf-8"))}
    assert shown == {path.resolve() for path in (DOCS / "images").iterdir()}


def test_the_picture_of_a_banks_size_shows_every_committed_figure() -> None:
    from memstudio.bench.speed.results import read

    figures = read(ROOT / "tests" / "benchmarks" / "results" / "cpu.json")["measures"]["size"]["figures"]
    drawn = [each for each in figures if "billions" in each["detail"]]
    svg = ET.fromstring((DOCS / "images" / "speed-size.svg").read_text(encoding="utf-8"))
    name = "{http://www.w3.org/2000/svg}"
    titles = [title.text for title in svg.iter(f"{name}title")]
    assert titles == [
        f"{each['what']}, {size:g} billion: {value:g} {each['unit']}"
        for each in sorted(drawn, key=lambda each: each["unit"] != "ms")
        for size, value in zip(each["detail"]["billions"], each["detail"]["values"], strict=True)
    ]
    assert len(list(svg.iter(f"{name}polyline"))) == len(drawn) == 12
    places = [(float(one.get("cx", "nan")), float(one.get("cy", "nan"))) for one in svg.iter(f"{name}circle")]
    width, height = float(svg.get("width", "0")), float(svg.get("height", "0"))
    assert all(0 < x < width and 0 < y < height for x, y in places)
