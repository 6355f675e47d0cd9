"""Reads the hand-written tables: facts that no package gives (CSV) and the wording of each domain (JSON)."""

import csv
import json
from pathlib import Path

from memstudio.builder.demo.values import Domain, Relation

FOLDER = Path(__file__).parent / "tables"
DOMAINS = ("element", "country", "currency", "city", "language", "moon", "state", "airport", "constellation", "person", "mountain")


def records(name: str) -> list[dict[str, str]]:
    """The lines of a CSV table, each by column."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def selected(name: str) -> list[str]:
    """A named list of strings in selected.json."""
    return [str(item) for item in json.loads((FOLDER / "selected.json").read_text("utf-8"))[name]]


def selected_cities() -> list[tuple[str, str]]:
    """Name and country code of each city of the corpus."""
    return [(str(name), str(code)) for name, code in json.loads((FOLDER / "selected.json").read_text("utf-8"))["cities"]]


def domain(name: str) -> Domain:
    """The wording of a domain."""
    read = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    relations = tuple(
        Relation(r["key"], tuple(r["prompts"]), r["held_out"], tuple(r["plain"]), tuple(r["statements"])) for r in read["relations"]
    )
    groups = {str(group): tuple(sentences) for group, sentences in read["groups"].items()}
    return Domain(str(read["domain"]), tuple(read["order"]), relations, tuple(read["context"]), groups)
