"""What is really fetched for a chosen cluster once the edits are counted in: the block, a blob, or the bank's fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from memstudio.bank.values import BASE, ClusterId, Fallback, Overlay

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank

ResolvedKind = Literal["base", "blob", "generic", "sibling", "zero"]


class ResolvedKey(NamedTuple):
    """The identity of what is fetched, read without any weights: equal keys on one bank mean bit-identical contributions.

    kind: what stands in. cluster: whose block it is; for the generic block (level, number of clusters); None for zero.
    source: "base", the sha256 of a blob, or "" for zero. scale: what the block's output is multiplied by.
    """

    kind: ResolvedKind
    cluster: ClusterId | None
    source: str
    scale: float


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is fetched: `cluster` whose block it is (None for generic and zero), `row` [n] in the bank's float dtype (None = nothing)."""

    kind: ResolvedKind
    cluster: ClusterId | None
    row: Tensor | None
    scale: float


_ZERO = ResolvedKey("zero", None, "", 1.0)


def resolved_key(bank: Bank, overlay: Overlay, cluster: ClusterId, fallback: Fallback | None = None) -> ResolvedKey:
    """What a chosen cluster fetches under an overlay.

    A pruned cluster, and one whose row the bank does not hold, falls back as the manifest says, or as `fallback` does where it is given:
    to nothing, to the level's generic block, or to the nearest kept sibling by centroid distance (nothing when there is none).

    Raises:
        UserError: no such cluster.
    """
    bank.tree.check(cluster)
    if not bank.layouts[cluster.level - 1].n:
        return _ZERO
    own = _own(bank, overlay, cluster)
    if own is not None:
        return own
    stand_in = bank.manifest.fallback if fallback is None else fallback
    if stand_in == "generic" and bank.has_generic(cluster.level):
        return ResolvedKey("generic", ClusterId(cluster.level, bank.tree.count(cluster.level)), "base", 1.0)
    if stand_in == "sibling":
        return _nearest_sibling(bank, overlay, cluster)
    return _ZERO


def resolve(bank: Bank, overlay: Overlay, cluster: ClusterId, blob: Callable[[str], Tensor]) -> Resolved:
    """As `resolved_key`, with the weights read. `blob` gives the row [n] of a blob's sha256.

    Raises:
        UserError: no such cluster.
    """
    key = resolved_key(bank, overlay, cluster)
    if key.kind == "zero" or key.cluster is None:
        return Resolved("zero", None, None, 1.0)
    if key.kind == "generic":
        return Resolved("generic", None, bank.generic(cluster.level), 1.0)
    row = bank.block(key.cluster) if key.source == BASE.source else blob(key.source)
    return Resolved(key.kind, key.cluster, row, key.scale)


def _own(bank: Bank, overlay: Overlay, cluster: ClusterId) -> ResolvedKey | None:
    """The cluster's own block or blob; None where it is pruned or its row is missing."""
    state = overlay.get(cluster, BASE)
    if state.pruned:
        return None
    if state.source != BASE.source:
        return ResolvedKey("blob", cluster, state.source, state.scale)
    return ResolvedKey("base", cluster, BASE.source, state.scale) if bank.has_block(cluster) else None


def _nearest_sibling(bank: Bank, overlay: Overlay, cluster: ClusterId) -> ResolvedKey:
    siblings = bank.tree.siblings(cluster)
    kept = [key for key in (_own(bank, overlay, sibling) for sibling in siblings) if key is not None and key.cluster is not None]
    if not kept:
        return _ZERO
    away = bank.tree.distances(bank.tree.centroid(cluster), [key.cluster for key in kept if key.cluster is not None])
    nearest = kept[int(away.argmin())]
    return nearest._replace(kind="sibling")
