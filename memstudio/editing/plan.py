"""What an edit would do, worked out before anything is written: its blocks, its blast radius and its cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from memstudio.bank.values import BASE, Change, ClusterId, Overlay

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank


class Edit(Protocol):
    """What the user wants; a frozen value that computes its changes against a state of the bank."""

    @property
    def verb(self) -> str:
        """One word for the log: "prune"."""
        ...

    @property
    def title(self) -> str:
        """One line for the log: "prune 3/1339"."""
        ...

    @property
    def clusters(self) -> tuple[ClusterId, ...]:
        """The clusters that the user named."""
        ...

    def changes(self, bank: Bank, overlay: Overlay) -> list[Change]:
        """The blocks that change, in tree order; raises UserError where the edit makes no sense on this state."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run.

    blocks: how many blocks change. bytes: what they occupy in the bank's files.
    descendants: changed clusters below a named one. orphans: clusters that would keep their block while an ancestor's is
    pruned, and do not now. notes: lines for a person.
    """

    edit: Edit
    changes: tuple[Change, ...]
    blocks: int
    bytes: int
    descendants: tuple[ClusterId, ...]
    orphans: tuple[ClusterId, ...]
    notes: tuple[str, ...]

    def receipt(self) -> dict[str, Any]:
        """What is kept with the revision (JSON values)."""
        return {
            "blocks": self.blocks,
            "bytes": self.bytes,
            "descendants": len(self.descendants),
            "orphans": [str(cluster) for cluster in self.orphans],
            "notes": list(self.notes),
        }


def plan_edit(edit: Edit, bank: Bank, overlay: Overlay) -> Plan:
    """Work out `edit` on the bank as it stands under `overlay`; reads no weights.

    Raises:
        UserError: a named cluster does not exist, or the edit would change nothing.
    """
    changes = tuple(edit.changes(bank, overlay))
    changed = [change.cluster for change in changes]
    named = set(edit.clusters)
    descendants = tuple(c for c in changed if c not in named and any(a in named for a in bank.tree.ancestors(c)))
    orphans = _new_orphans(bank, overlay, changes)
    notes = []
    if descendants:
        notes.append(f"{len(descendants)} descendants go along")
    lifted = [c for c in changed if c not in named and c not in descendants]
    if lifted:
        notes.append(f"ancestors go along: {_names(lifted)}")
    if orphans:
        notes.append(f"orphans, kept below a pruned ancestor: {_names(orphans)}")
    if any(change.after.pruned for change in changes):
        notes.append(f"where a pruned block is routed to, {_FALLBACK[bank.manifest.fallback]}")
    return Plan(edit, changes, len(changes), sum(bank.manifest.row_bytes(c.level) for c in changed), descendants, orphans, tuple(notes))


_FALLBACK = {
    "zero": "nothing is added (fallback zero)",
    "generic": "the level's generic block stands in (fallback generic)",
    "sibling": "the nearest kept sibling stands in (fallback sibling)",
}


def _new_orphans(bank: Bank, overlay: Overlay, changes: Iterable[Change]) -> tuple[ClusterId, ...]:
    """Clusters that keep a block under a pruned ancestor after `changes`, and did not before."""
    after = dict(overlay) | {change.cluster: change.after for change in changes}
    suspects: dict[ClusterId, None] = {}
    for change in changes:
        below = bank.tree.subtree(change.cluster) if change.after.pruned else (change.cluster,)
        suspects.update(dict.fromkeys(below))
    return tuple(sorted(c for c in suspects if _is_orphan(bank, after, c) and not _is_orphan(bank, overlay, c)))


def _is_orphan(bank: Bank, overlay: Overlay, cluster: ClusterId) -> bool:
    if not bank.has_block(cluster) or overlay.get(cluster, BASE).pruned:
        return False
    return any(overlay.get(ancestor, BASE).pruned for ancestor in bank.tree.ancestors(cluster))


def _names(clusters: Iterable[ClusterId], limit: int = 8) -> str:
    names = [str(cluster) for cluster in clusters]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
