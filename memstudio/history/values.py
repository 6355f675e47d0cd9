"""The nouns of a study's history, frozen."""

from dataclasses import dataclass
from typing import Any

from memstudio.bank.values import Change


@dataclass(frozen=True, slots=True)
class Revision:
    """A committed set of changes on a parent. Revision 0 is the bank as shipped: no parent, no changes.

    verb: "prune", "restore", …; title: one line for the log; receipt: what the edit did, measured (JSON values);
    seconds: unix time of the commit; current: it lies on the way from revision 0 to the head (a redo target or another branch does not).
    """

    id: int
    parent: int | None
    verb: str
    title: str
    changes: tuple[Change, ...]
    receipt: dict[str, Any]
    time_s: float
    current: bool
    head: bool


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge let go: blobs and their bytes on the disk, and the receipts that were scrubbed of what they told.

    clean: the database was rewritten too, so that its free pages hold nothing; False while another program reads it.
    """

    blobs: int
    bytes: int
    receipts: int
    clean: bool
