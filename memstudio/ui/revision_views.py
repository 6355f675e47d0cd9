"""What crosses between the worker and the window about revisions: how one is reverted, a comparison of two, a patch. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from memstudio.session.comparing import Comparison, Turned

HistoryVerb = Literal[
    "checkout", "measure", "name", "revert", "compare_head", "compare_parent", "compare", "export", "apply_patch", "purge"
]
"""What can be done with the history; see `revision_studio.RevisionStudio.do`."""


@dataclass(frozen=True, slots=True)
class RevertView:
    """How a revision on the way to the head can be taken back. dependents: (id, title) of the later ones that stand on its blocks."""

    revision: int
    title: str
    blocks: int
    dependents: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A revision got a name, or lost one."""

    line: str


@dataclass(frozen=True, slots=True)
class NameRefused:
    """A name that cannot be given."""

    line: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """A prompt that is answered otherwise, and both answers token by token as text; `turned.parting` counts them."""

    turned: Turned
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Two revisions compared. rows: the prompts that are answered otherwise, in the facts' order."""

    comparison: Comparison
    rows: tuple[Pieces, ...]


@dataclass(frozen=True, slots=True)
class CompareRested:
    """The comparison is over, whichever way; `line` where it was refused."""

    line: str = ""


@dataclass(frozen=True, slots=True)
class PatchView:
    """What a patch would do, measured on a spare arm. lines: the receipt for a person; broken: limits of the gate that it breaks."""

    number: int
    path: Path
    title: str
    blocks: int
    base: int
    receipt: Mapping[str, Any]
    lines: tuple[str, ...]
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PatchRested:
    """An errand of the patch dialog is over; `line` where it was refused, `revision` where it was committed."""

    number: int
    line: str = ""
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Something was done that the status bar tells."""

    line: str
