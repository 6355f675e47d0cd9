"""Measured figures as a file a machine: a measure that runs again takes the place of its own earlier figures, and of no other's."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.bench.speed.figure import Figure
from memstudio.errors import UserError

_MOST = 1 << 22


def noted(path: Path, name: str, machine: dict[str, Any], figures: Sequence[Figure]) -> None:
    """Write a measure's figures into a results file, beside what other measures left there.

    Raises:
        UserError: the file is not one of these.
    """
    found: dict[str, Any] = read(path) if path.exists() else {"format": "memstudio-speed", "version": 1, "measures": {}}
    found["measures"][name] = {"machine": machine, "figures": [each.json() for each in figures]}
    found["measures"] = dict(sorted(found["measures"].items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """A results file: {"format", "version", "measures": {name: {"machine", "figures"}}}.

    Raises:
        UserError: it is not one.
    """
    try:
        found = strict_json(read_limited(path, _MOST))
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("format") != "memstudio-speed" or not isinstance(found.get("measures"), dict):
        raise UserError(f"{path}: not a file of speed figures: name another")
    return found
