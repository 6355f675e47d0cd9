"""Taking blocks out of a bank, and putting the shipped ones back.

A subtree goes as a whole: a block trained on the refinement of a topic is of no use without the topic's own. So pruning
takes descendants along and restoring brings pruned ancestors and descendants back, unless an orphan is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memstudio.bank.values import BASE, PRUNED, Change, ClusterId, Overlay
from memstudio.editing.plan import Draft, title_of
from memstudio.errors import UserError
from memstudio.facts.values import Fact
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank
    from memstudio.editing.desk import Desk


@dataclass(frozen=True, slots=True)
class Prune:
    """Take the blocks of `clusters` and of all below them out; with `orphan` only those named, what is below stays."""

    verb: ClassVar[str] = "prune"
    facts: ClassVar[tuple[Fact, ...]] = ()
    clusters: tuple[ClusterId, ...]
    orphan: bool = False

    @property
    def title(self) -> str:
        """One line for the log."""
        return title_of(self.verb, self.clusters) + (", orphans kept" if self.orphan else "")

    def draft(self, desk: Desk) -> Draft:
        """The blocks that go; see `changes`."""
        return Draft(tuple(self.changes(desk.bank, desk.overlay, desk.job)))

    def changes(self, bank: Bank, overlay: Overlay, job: Job | None = None) -> list[Change]:
        """The blocks that go.

        Raises:
            UserError: a cluster does not exist, or no block is left to prune.
        """
        work = job or Job(self.verb)
        reached = _reached(bank, work.through(self.clusters), below=not self.orphan)
        changes = [
            Change(cluster, before, PRUNED)
            for cluster in work.through(sorted(reached))
            if not (before := overlay.get(cluster, BASE)).pruned and bank.has_block(cluster)
        ]
        if not changes:
            raise UserError(f"{title_of(self.verb, self.clusters)}: no block is left there to prune")
        return changes


@dataclass(frozen=True, slots=True)
class Restore:
    """Put the blocks of `clusters` back as shipped, with the pruned ones above and below; with `orphan` only those named."""

    verb: ClassVar[str] = "restore"
    facts: ClassVar[tuple[Fact, ...]] = ()
    clusters: tuple[ClusterId, ...]
    orphan: bool = False

    @property
    def title(self) -> str:
        """One line for the log."""
        return title_of(self.verb, self.clusters) + (", alone" if self.orphan else "")

    def draft(self, desk: Desk) -> Draft:
        """The blocks that come back; see `changes`."""
        return Draft(tuple(self.changes(desk.bank, desk.overlay, desk.job)))

    def changes(self, bank: Bank, overlay: Overlay, job: Job | None = None) -> list[Change]:
        """The blocks that come back.

        Raises:
            UserError: a cluster does not exist, or every block there is as shipped already.
        """
        work = job or Job(self.verb)
        named = set(_reached(bank, work.through(self.clusters), below=False))
        reached = set(named)
        if not self.orphan:
            reached.update(_reached(bank, work.through(self.clusters), below=True))
            reached.update(ancestor for cluster in work.through(named) for ancestor in bank.tree.ancestors(cluster))
        changes = []
        for cluster in work.through(sorted(reached)):
            before = overlay.get(cluster, BASE)
            if before != BASE and (before.pruned or cluster in named):
                changes.append(Change(cluster, before, BASE))
        if not changes:
            raise UserError(f"{title_of(self.verb, self.clusters)}: every block there is as shipped already")
        return changes


def _reached(bank: Bank, clusters: Iterable[ClusterId], *, below: bool) -> dict[ClusterId, None]:
    """The clusters and, with `below`, all under them; each once."""
    reached: dict[ClusterId, None] = {}
    for cluster in clusters:
        bank.tree.check(cluster)
        reached.update(dict.fromkeys(bank.tree.subtree(cluster) if below else (cluster,)))
    return reached
