"""The gate: an edit whose receipt breaks a limit is stopped, with the numbers, unless a person says why to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from memstudio.errors import Refused
from memstudio.facts.statistics import NOT_MEASURED

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """What a receipt must hold to: shares are "at least", `changed`, the number of co-resident answers that change, is "at most".

    takedown: of an erasure's probes, how many are within the limit of its report (see `session.takedown`); no limit to other edits.
    None: no limit. asked: the names of those that a person set; what was not measured breaks these, and only these.
    """

    reliability: float | None = None
    generalization: float | None = None
    locality: float | None = None
    changed: int | None = None
    outside_identical: float | None = 1.0
    takedown: float | None = 1.0
    asked: frozenset[str] = frozenset()


BLOCKS = Limits()
"""For edits of whole blocks: prompts that fetch no changed block answer bit by bit as before."""
FACTS = Limits(reliability=0.9, locality=0.9)
"""For edits of facts."""


def judge(receipt: Mapping[str, Any], limits: Limits, reason: str = "") -> dict[str, Any]:
    """{"ok", "broken": lines with the numbers, "not_measured": names, "reason"}; kept with the revision.

    reason: why to go on although a limit is broken, one line.

    Raises:
        Refused: a limit is broken and no reason was given.
    """
    broken: list[str] = []
    missing: list[str] = []
    for name in (field.name for field in fields(limits) if field.name != "asked"):
        wanted = getattr(limits, name)
        if wanted is None or (name == "takedown" and name not in receipt):
            continue
        found = _found(receipt, name)
        if found is None:
            missing.append(name)
            if name in limits.asked:
                broken.append(f"{_words(name)} was not measured, and a limit of {wanted:g} was asked for")
        elif name == "changed" and found > wanted:
            broken.append(f"{found:g} co-resident answers change, at most {wanted} may")
        elif name != "changed" and found < wanted:
            broken.append(f"{_words(name)} {found:.3f} is under {wanted:g}{_counted(receipt, name)}")
    why = " ".join(reason.split())[:LONGEST_REASON]
    if broken and not why:
        raise Refused(f"stopped by the gate: {'; '.join(broken)}. Nothing was written; give a reason to go on anyway (--anyway REASON)")
    return {"ok": not broken, "broken": broken, "not_measured": missing, "reason": why if broken else ""}


def _found(receipt: Mapping[str, Any], name: str) -> float | None:
    if name == "changed":
        return None if receipt.get("locality", NOT_MEASURED) == NOT_MEASURED else float(receipt.get("changed_count", 0))
    if name == "takedown":
        report = receipt[name]
        return report["within"] / report["count"] if report["count"] else None
    value = receipt.get(name, NOT_MEASURED)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _counted(receipt: Mapping[str, Any], name: str) -> str:
    if name == "takedown":
        report = receipt[name]
        return f" ({report['within']} of {report['count']} answers are no likelier than {report['limit']})"
    counted = receipt.get("proportions", {}).get(name)
    return f" ({counted['k']} of {counted['n']})" if isinstance(counted, Mapping) else ""


_WORDS = {
    "outside_identical": "bit-identity outside",
    "takedown": "the share taken down",
    "changed": "the number of changed answers",
}


def _words(name: str) -> str:
    return _WORDS.get(name, name)
