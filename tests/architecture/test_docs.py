"""The documents say what the code is: verbs, features and their files, links; and the code keeps the sizes that make it readable."""

import ast
import re
from pathlib import Path

import pytest

from memstudio.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCES = sorted(path for folder in ("memstudio", "tests", "packaging", "plugins") for path in (ROOT / folder).rglob("*.py"))
MOST_LINES = 450


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def section(text: str, heading: str) -> str:
    """The part of a document under one `## heading`."""
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading!r}"
    return found[1]


def first_column(text: str) -> list[str]:
    """The code words in the first column of a Markdown table."""
    return [word for row in re.findall(r"^\| *(`[^|]*)\|", text, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)]


def verbs() -> set[str]:
    """The verbs that the shell knows."""
    return {command.name for command in app.registered_commands if command.name}


@pytest.mark.parametrize("text", [README, ARCHITECTURE], ids=["README", "ARCHITECTURE"])
def test_the_table_of_verbs_is_the_shell_s_own(text: str) -> None:
    assert {word.split()[0] for word in first_column(section(text, "Command line"))} == verbs()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README + ARCHITECTURE))))
def test_every_file_that_the_documents_link_to_exists(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./-]+(?:\.py|\.sh|\.txt|/))`", section(ARCHITECTURE, "Feature → file")))))
def test_every_file_of_the_feature_table_exists(path: str) -> None:
    assert (ROOT / "memstudio" / path).exists() or (ROOT / path).exists()


def test_every_part_of_the_package_stands_in_the_architecture() -> None:
    parts = [path for path in (ROOT / "memstudio").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    floors = section(ARCHITECTURE, "Floors")
    assert not [path.name for path in parts if path.name != "__init__.py" and path.stem not in floors]


def test_the_readme_names_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:40])
    assert "make demo" in first_screen
    assert "make test" in first_screen


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_fits_one_room_and_says_why_it_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "the module has no docstring"
