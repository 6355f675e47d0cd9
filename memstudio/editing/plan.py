"""What an edit would do, worked out before anything is written: its blocks, its blast radius and its cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from memstudio.bank.values import BASE, Change, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.editing.desk import Desk


@dataclass(frozen=True, slots=True)
class Draft:
    """What an edit came to on one state of a bank.

    changes: the blocks that change, in tree order. tensors: sha256 -> row [n] in the bank's dtype, of every new block among them.
    notes: lines for a person. figures: what the edit counted itself (method, steps, losses; JSON values).
    """

    changes: tuple[Change, ...]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


class Edit(Protocol):
    """What the user wants; a frozen value that works out its changes against a state of the bank."""

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
        """The clusters that the user named; none where the edit finds them itself."""
        ...

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts that it changes, each with its target; none for an edit of blocks."""
        ...

    def draft(self, desk: Desk) -> Draft:
        """Work it out; raises UserError where the edit makes no sense on this state."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run, made on revision `base`; `Session.apply` commits it as it is.

    blocks: how many blocks change. bytes: what they occupy in the bank's files.
    descendants: changed clusters below a named one. orphans: clusters that would keep their block while an ancestor's is
    pruned, and do not now. notes: lines for a person. receipt: what is kept with the revision (JSON values).
    """

    edit: Edit
    base: int
    changes: tuple[Change, ...]
    blocks: int
    bytes: int
    descendants: tuple[ClusterId, ...]
    orphans: tuple[ClusterId, ...]
    notes: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    figures: Mapping[str, Any]
    receipt: Mapping[str, Any]


def plan_edit(edit: Edit, desk: Desk, base: int = 0) -> Plan:
    """Work out `edit` on the bank as it stands on the desk; an edit of whole blocks reads no weights.

    Raises:
        UserError: a named cluster does not exist, or the edit would change nothing.
    """
    draft = edit.draft(desk)
    bank, changes = desk.bank, draft.changes
    changed = [change.cluster for change in changes]
    named = set(edit.clusters)
    descendants = tuple(c for c in desk.job.through(changed) if c not in named and any(a in named for a in bank.tree.ancestors(c)))
    orphans = _new_orphans(desk, changes)
    notes = list(draft.notes)
    if descendants:
        notes.append(f"{len(descendants)} descendants go along")
    lifted = [c for c in changed if named and c not in named and c not in descendants]
    if lifted:
        notes.append(f"ancestors go along: {_names(lifted)}")
    if orphans:
        notes.append(f"orphans, kept below a pruned ancestor: {_names(orphans)}")
    if any(change.after.pruned for change in changes):
        notes.append(f"where a pruned block is routed to, {_FALLBACK[bank.manifest.fallback]}")
    size = sum(count * bank.manifest.row_bytes(level) for level, count in Counter(c.level for c in changed).items())
    receipt = {
        "blocks": len(changes),
        "bytes": size,
        "descendants": len(descendants),
        "orphans": [str(cluster) for cluster in orphans],
        "notes": notes,
        "figures": dict(draft.figures),
    }
    return Plan(edit, base, changes, len(changes), size, descendants, orphans, tuple(notes), dict(draft.tensors), draft.figures, receipt)


_FALLBACK = {
    "zero": "nothing is added (fallback zero)",
    "generic": "the level's generic block stands in (fallback generic)",
    "sibling": "the nearest kept sibling stands in (fallback sibling)",
}


def _new_orphans(desk: Desk, changes: Iterable[Change]) -> tuple[ClusterId, ...]:
    """Clusters that keep a block under a pruned ancestor after `changes`, and did not before."""
    bank, overlay = desk.bank, desk.overlay
    after = dict(overlay) | {change.cluster: change.after for change in changes}
    suspects: dict[ClusterId, None] = {}
    for change in desk.job.through(changes):
        below = bank.tree.subtree(change.cluster) if change.after.pruned else (change.cluster,)
        suspects.update(dict.fromkeys(below))
    return tuple(sorted(c for c in desk.job.through(suspects) if _is_orphan(bank, after, c) and not _is_orphan(bank, overlay, c)))


def _is_orphan(bank: Bank, overlay: Overlay, cluster: ClusterId) -> bool:
    if overlay.get(cluster, BASE).pruned or not bank.has_block(cluster):
        return False
    return any(overlay.get(ancestor, BASE).pruned for ancestor in bank.tree.ancestors(cluster))


def _names(clusters: Iterable[ClusterId], limit: int = 8) -> str:
    names = [str(cluster) for cluster in clusters]
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def title_of(verb: str, clusters: tuple[ClusterId, ...], limit: int = 5) -> str:
    """One line for the log: the verb and the clusters.

    Raises:
        UserError: none was named.
    """
    if not clusters:
        raise UserError(f"{verb}: name at least one cluster, for example 3/1339")
    more = f" and {len(clusters) - limit:,} more" if len(clusters) > limit else ""
    return f"{verb} " + ", ".join(map(str, clusters[:limit])) + more
