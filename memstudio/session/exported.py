"""What an export of a smaller bank came to; no library is needed to look at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from memstudio.bank.values import Fallback
from memstudio.facts.statistics import Proportion


@dataclass(frozen=True, slots=True)
class Exported:
    """A bank that was exported. bytes: block rows, generic ones counted; kept, dropped: blocks; levels: (kept, standing) a level.

    precisions: how many blocks are kept in each. folder_bytes: of all files; write_seconds: writing them and reading them back.
    recall_before, recall_after: the same facts asked of the study's revision and of the result; None where that was not measured.
    """

    path: Path
    digest: str
    revision: int
    rank_by: str
    fallback: Fallback
    bytes: int
    bytes_before: int
    kept: int
    dropped: int
    levels: tuple[tuple[int, int], ...]
    recall_before: Proportion | None
    recall_after: Proportion | None
    seconds: float
    precisions: Mapping[str, int] = field(default_factory=dict)
    folder_bytes: int = 0
    write_seconds: float = 0.0
