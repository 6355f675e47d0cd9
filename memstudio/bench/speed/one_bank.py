"""One bank in a process of its own: what opening, routing, fetching, editing and undoing cost, and what lies in memory then.

    python -P -m memstudio.bench.speed.one_bank DEVICE BANK LEAF…     prints one JSON object

LEAF: the last clusters of the routes whose blocks are fetched and edited in turn, LEVEL/INDEX. Routes that meet nowhere change every slot.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from memstudio.anchor.values import Sampling
from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId, parse_cluster
from memstudio.bench.speed.resident import resident
from memstudio.session import open_session
from memstudio.session.running import Wish

if TYPE_CHECKING:
    from memstudio.editing.plan import Edit
    from memstudio.session import Session

OPENINGS = 30
DESCENTS = 200
FETCHES = 24
EDITS = 12
TOKENS = 8


def measured(device: str, bank: Path, leaves: list[ClusterId]) -> dict[str, Any]:
    """Milliseconds (the least of several: what else the machine does only adds) and bytes.

    {"open", "descend", "route", "fetch", "copy", "prune", "scale", "rewrite", "undo": ms; "opened", "loaded", "ran": `Resident`}
    """
    import memstudio.anchor.load  # noqa: F401  what it reads belongs to no bank
    from memstudio.history.store import open_store  # noqa: F401

    found: dict[str, Any] = {}
    before = resident()
    found["open"] = _each(open_bank, [bank] * OPENINGS)
    with TemporaryDirectory() as folder, open_session(bank, study=Path(folder) / "study", device=device) as session:
        session.info()
        found["opened"] = _above(before)
        keys = np.random.default_rng(0).standard_normal((DESCENTS, session.bank.tree.dim)).astype(np.float32)
        found["descend"] = _each(session.bank.tree.descend, keys)
        found["route"] = _each(session.route, [f"What is said of thing {number}?" for number in range(30)])
        session.load()
        found["loaded"] = _above(before)
        found |= _blocks(session, [session.bank.tree.route_to(leaf) for leaf in leaves])
        found["edits"] = len(session.log())
        session.run("What is said of this?", route=session.bank.tree.route_to(leaves[0]), sampling=Sampling(TOKENS))
        found["ran"] = _above(before)
    return found


def _blocks(session: "Session", routes: list[tuple[ClusterId, ...]]) -> dict[str, float]:
    """Fetches, edits and what takes them back, of the blocks of these routes."""
    from memstudio.editing.prune import Prune
    from memstudio.editing.rewrite import Rewrite
    from memstudio.editing.scale import Scale

    def copied(_: object) -> None:
        for slot, row in zip(slots, rows, strict=True):
            slot.copy_(row)

    rows = [session.bank.block(cluster) for cluster in routes[0] if session.bank.has_block(cluster)]
    slots = [row.float() for row in rows]
    found = {
        "fetch": _each(lambda route: session.fetch(Wish("fetched", route)), list(islice(cycle(routes), FETCHES))),
        "copy": _each(copied, range(FETCHES)),
    }
    ends = [next(cluster for cluster in reversed(route) if session.bank.has_block(cluster)) for route in routes]
    edits: dict[str, Callable[[ClusterId], Edit]] = {
        "prune": lambda cluster: Prune((cluster,)),
        "scale": lambda cluster: Scale((cluster,), 0.5),
        "rewrite": lambda cluster: Rewrite(cluster, session.bank.block(cluster) + 1),
    }
    undone: list[float] = []
    for name, edit in edits.items():
        took = []
        for route, cluster in islice(cycle(zip(routes, ends, strict=True)), EDITS):
            session.fetch(Wish("fetched", route))
            wanted = edit(cluster)
            took.append(_ms(partial(session.apply, wanted)))
            undone.append(_ms(session.undo))
        found[name] = min(took)
    return found | {"undo": min(undone)}


def _each(work: Callable[[Any], object], arguments: Iterable[Any]) -> float:
    """The least milliseconds of a call."""
    return min(_ms(partial(work, one)) for one in arguments)


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def _above(before: Any) -> dict[str, int]:
    """What is in memory above an earlier count."""
    now, then = asdict(resident()), asdict(before)
    return {name: now[name] - then[name] for name in now}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), [parse_cluster(word) for word in sys.argv[3:]])) + "\n")
