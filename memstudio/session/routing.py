"""Which clusters a run fetches: those that are named, else those that are pinned, else those of its key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memstudio.bank.tree import Tree
from memstudio.bank.values import ClusterId, Memory, Route
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.session.session import Session


def choose(session: Session, text: str, key: str | None, route: Sequence[ClusterId] | None, memory: Memory) -> Route | None:
    """The route of a run: the explicit one, else the pinned one, else that of the key, else that of the text.

    None where no routed memory is wanted.

    Raises:
        UserError: generic memory of a bank that has none, a cluster that does not exist, an empty key, no encoder on this machine.
    """
    if memory == "generic":
        refuse_without_generic(session)
    return fetched(session, text, key, route) if memory == "fetched" else None


def fetched(session: Session, text: str, key: str | None, route: Sequence[ClusterId] | None) -> Route:
    """The route of a run with routed memory; raises as `choose`."""
    named = session.running.runtime.pinned if route is None else route
    if named is not None:
        return explicit(session.bank.tree, named)
    return session.route(session.running.key_of(text) if key is None else key)


def explicit(tree: Tree, route: Sequence[ClusterId]) -> Route:
    """An explicit route: a path from level 1 down, or its last cluster alone. Distances were not measured (NaN).

    Raises:
        UserError: a cluster does not exist, or they are not one path.
    """
    if not route:
        raise UserError("the route is empty: name its deepest cluster, for example 3/1339")
    for cluster in route:
        tree.check(cluster)
    whole = tree.route_to(route[-1])
    if len(route) > 1 and tuple(route) != whole:
        given, wanted = (",".join(map(str, clusters)) for clusters in (route, whole))
        raise UserError(f"route {given}: not one path from level 1 down; the path to {route[-1]} is {wanted}")
    return Route(whole, (float("nan"),) * len(whole), ((),) * len(whole), (None,) * len(whole))


def refuse_without_generic(session: Session) -> None:
    """Refuse generic memory of a bank that has none, which would pass for none at all.

    Raises:
        UserError: it has none.
    """
    if not session.bank.manifest.generic:
        raise UserError(f"{session.bank.folder}: has no generic blocks; choose --memory fetched or none")
