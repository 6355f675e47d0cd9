"""Which clusters a run fetches: those that are named, else those that are pinned, else those of its key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

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
        return session.bank.tree.explicit(named)
    return session.route(session.running.key_of(text) if key is None else key)


def row_routes(session: Session) -> Callable[[Sequence[str]], list[tuple[ClusterId, ...]]]:
    """How keys choose clusters as things stand now: pinned, or by the tree with what is hidden passed over. Raises as `choose`."""
    runtime, tree = session.running.runtime, session.bank.tree

    def routes(keys: Sequence[str]) -> list[tuple[ClusterId, ...]]:
        if runtime.pinned is not None:
            return [runtime.pinned] * len(keys)
        return [tree.descend(vector, runtime.hidden).clusters for vector in session.running.key_vectors(list(keys))]

    return routes


def refuse_without_generic(session: Session) -> None:
    """Refuse generic memory of a bank that has none, which would pass for none at all.

    Raises:
        UserError: it has none.
    """
    if not session.bank.manifest.generic:
        raise UserError(f"{session.bank.folder}: has no generic blocks; choose --memory fetched or none")
