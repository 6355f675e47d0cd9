"""What the project declares fits together: requirements, exact versions, the resources in the wheel."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = PROJECT["dependencies"] + [line for extra in PROJECT["optional-dependencies"].values() for line in extra]


def pins() -> dict[str, str]:
    """{canonical name: exact version} of packaging/constraints.txt."""
    lines = (ROOT / "packaging/constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("line", REQUIREMENTS)
def test_every_requirement_has_an_exact_version_that_satisfies_it(line: str) -> None:
    requirement = Requirement(line)
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_no_exact_version_names_a_build_of_its_own() -> None:
    assert not [version for version in pins().values() if "+" in version]


def test_the_versions_of_docking_that_are_broken_are_refused() -> None:
    qt = next(Requirement(line) for line in REQUIREMENTS if line.startswith("PySide6"))
    assert not qt.specifier.contains("6.11.0")
    assert not qt.specifier.contains("6.11.1")


def test_the_tested_version_is_the_one_in_the_changelog() -> None:
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()
