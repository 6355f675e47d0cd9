"""Does this installation work? Run from the shell, by the installers, and on a user's machine before a bug is reported."""

import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.session import open_session

_NEEDED = ("torch", "transformers", "safetensors", "numpy", "SQLAlchemy", "pydantic")
_OPTIONAL = ("PySide6-Essentials", "pyqtgraph")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    name: str
    ok: bool
    detail: str
    seconds: float


def selftest(bank: str | Path = "demo") -> list[Check]:
    """Check packages, the bank's checksums, encoder, model, a prune and its undo, and a study over a restart. Leaves nothing behind."""
    return [
        _check("packages", _packages),
        _check("bank", lambda: _checksums(bank)),
        _check("retriever", lambda: _routing(bank)),
        _check("model", lambda: _locality(bank)),
        _check("study", lambda: _restart(bank)),
    ]


def _check(name: str, run: Callable[[], str]) -> Check:
    start = time.perf_counter()
    try:
        detail, passed = run(), True
    except UserError as error:
        detail, passed = str(error), False
    return Check(name, passed, detail, time.perf_counter() - start)


def _packages() -> str:
    found = {name: _version(name) for name in (*_NEEDED, *_OPTIONAL)}
    missing = [name for name in _NEEDED if found[name] is None]
    if missing:
        raise UserError(f"{', '.join(missing)} not installed: pip install memstudio")
    listed = ", ".join(f"{name} {number or 'not installed'}" for name, number in found.items())
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}; {listed}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _checksums(bank: str | Path) -> str:
    with open_session(bank, readonly=True) as session:
        checked = session.bank.verify()
        return f"{session.bank.name}: {len(checked)} files, every checksum is right"


def _routing(bank: str | Path) -> str:
    """The encoder on this machine gives the routes that the bank was shipped with."""
    from memstudio.facts.routes import read_routes

    with open_session(bank, readonly=True) as session:
        facts = session.facts()[:5]
        shipped = read_routes(session.bank, session.facts())
        if not shipped:
            return f"encoder found; {session.route('gold').clusters[0]} for 'gold' (the bank ships no routes to compare with)"
        for fact in facts:
            route = session.route(fact.prompt).clusters
            if route != shipped[fact.prompt]:
                raise UserError(f"{fact.prompt!r} goes to {route[-1]}, the bank says {shipped[fact.prompt][-1]}: another encoder or tree")
        return f"{len(facts)} prompts take the routes that the bank was shipped with"


def _locality(bank: str | Path) -> str:
    """A prune changes the logits of a route through the block, and undo gives them back bit for bit."""
    import torch

    with open_session(bank, device="cpu") as session:
        route = _deepest_path(session.bank.tree.children)
        text = "The atomic number of gold is"
        before = session.logits(text, route=route)
        session.apply(Prune(route[:1]))
        pruned = session.logits(text, route=route)
        session.undo()
        after = session.logits(text, route=route)
        if torch.equal(before, pruned):
            raise UserError(f"pruning {route[0]} left the logits of a route through it as they were")
        if not torch.equal(before, after):
            raise UserError(f"undoing the prune of {route[0]} did not give the logits back")
        return f"pruned {route[0]} with all below: logits changed; undone: bit-identical ({session.load().device})"


def _deepest_path(children: Callable[[ClusterId | None], tuple[ClusterId, ...]]) -> tuple[ClusterId, ...]:
    path: list[ClusterId] = []
    while below := children(path[-1] if path else None):
        path.append(below[0])
    return tuple(path)


def _restart(bank: str | Path) -> str:
    """A revision is there again after the study was closed and opened."""
    with tempfile.TemporaryDirectory(prefix="memstudio-selftest-") as folder:
        study = Path(folder) / "study"
        with open_session(bank, study=study) as session:
            cluster = session.bank.tree.children(None)[0]
            session.apply(Prune((cluster,)))
            expected = session.overlay
        with open_session(bank, study=study) as session:
            if session.overlay != expected or session.head != 1:
                raise UserError("a study opened again does not stand where it was closed")
            session.undo()
            if session.overlay:
                raise UserError("undo after a restart left blocks edited")
        return "pruned, closed, opened again, undone: as shipped"
