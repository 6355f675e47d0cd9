"""Traces and neurons: the session lends its slots to the model's own instruments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from memstudio.anchor import trace as instrument
from memstudio.anchor.lens import block_neurons
from memstudio.anchor.values import Neuron, Trace
from memstudio.bank.overlay import resolve
from memstudio.bank.values import ClusterId, Memory
from memstudio.jobs import Job
from memstudio.session.routing import fetched
from memstudio.session.running import Wish

if TYPE_CHECKING:
    from memstudio.anchor.wish import RunTime
    from memstudio.session.looking import Looking
    from memstudio.session.session import Session


def trace(
    session: Session,
    text: str,
    *,
    key: str | None,
    route: Sequence[ClusterId] | None,
    prefix: Sequence[int],
    answer: str | Sequence[int] | None,
    against: str | Sequence[int] | None,
    job: Job | None,
) -> Trace:
    """See `Session.trace`."""
    session.running.encode(text)
    while True:
        chosen = fetched(session, text, key, route)
        wish = Wish("fetched", chosen.clusters)
        session.fetch(wish)
        try:
            with session.running.anchor.breathing(partial(_breathe, session, job or Job("trace"), (session.head, session.runtime))):
                return instrument.trace(
                    session.running.attached,
                    text,
                    chosen,
                    prefix=prefix,
                    answer=answer,
                    against=against,
                    fill=partial(_fill, session, wish),
                    revision=session.head,
                    lens=session.running.lens,
                )
        except _Moved:
            continue


class _Moved(Exception):
    """What stands at the head, or what is tried on runs, is another one than when the trace began."""


def _breathe(session: Session, job: Job, began: tuple[int, RunTime]) -> None:
    """
    Raises:
        _Moved: an edit or a try landed in the trace.
    """
    job.breathe()
    if (session.head, session.runtime) != began:
        raise _Moved


def _fill(session: Session, wish: Wish, memory: Memory) -> bool:
    if memory == "generic" and not session.bank.manifest.generic:
        return False
    session.fetch(wish if memory == "fetched" else Wish(memory))
    return True


def neurons(session: Looking, cluster: ClusterId) -> tuple[Neuron, ...]:
    """See `Looking.neurons`. A cluster whose own block is pruned, or that has none, has no neurons: a stand-in's are not its own."""
    session.bank.tree.check(cluster)
    found = resolve(session.bank, session.overlay, cluster, session.blob)
    if found.row is None or found.cluster != cluster:
        return ()
    layout, layers = session.bank.layouts[cluster.level - 1], session.bank.manifest.layers
    return block_neurons(session.running.lens, layout, tuple(layers), found.row * found.scale, cluster)
