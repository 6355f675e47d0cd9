"""What one search box found, of every kind: kept apart from the panels so that the worker's side can make it without a widget."""

from dataclasses import dataclass
from typing import Literal

from memstudio.bank.values import ClusterId

Kind = Literal["cluster", "label", "term", "document", "token", "fact"]

HEADINGS: dict[Kind, str] = {
    "cluster": "Id",
    "label": "Label",
    "term": "Term",
    "document": "Documents with this text",
    "token": "Blocks that promote this token",
    "fact": "Facts",
}
"""Every kind in the order in which a search shows them, with the words above each group."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One match. text: what matched, as a person reads it; detail: where or why, "" where that says nothing more."""

    kind: Kind
    cluster: ClusterId
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """The answer to a search. count: how many match in all, None where the search stopped at its limit without counting them."""

    text: str
    findings: tuple[Finding, ...]
    count: int | None = None
