"""The nouns of a study's history, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from memstudio.bank.values import Change, ClusterId

RUNS = "runs"
"""The name of the set that single runs are counted in, a set a revision; its digest is empty, since its prompts are not kept."""


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


class Count(NamedTuple):
    """How a set of prompts used one cluster.

    fetched: by how many prompts it was chosen. effects: on how many of them its effect was measured, log p(answer) − log p(answer without
    the block) in nats; effect_sum and effect_max (the largest magnitude) are over those, 0.0 where there are none.
    """

    fetched: int = 0
    effects: int = 0
    effect_sum: float = 0.0
    effect_max: float = 0.0

    def plus(self, other: "Count") -> "Count":
        """Both together."""
        return Count(
            self.fetched + other.fetched,
            self.effects + other.effects,
            self.effect_sum + other.effect_sum,
            max(self.effect_max, other.effect_max),
        )


@dataclass(frozen=True, slots=True)
class KeptUse:
    """A set of prompts as it was counted at a revision. id: its number in the study, 0 before it has one; digest: the sha256 of the
    prompts, "" for single runs; prompts of total were counted, effects were measured on `measured` of them; counts: the clusters that
    were used at all.
    """

    name: str
    digest: str
    revision: int
    total: int
    prompts: int
    measured: int
    time_s: float
    counts: Mapping[ClusterId, Count]
    id: int = 0
