"""Where an edit of facts may write: the blocks that their phrasings fetch, and who else lives there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from memstudio.bank.overlay import resolved_key
from memstudio.bank.values import ClusterId, Overlay
from memstudio.facts.read import prompts_of
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank

Path = tuple[ClusterId, ...]


class Resident(NamedTuple):
    """A prompt of a fact, and the blocks on its route."""

    fact: Fact
    text: str
    path: Path


def has_own_block(bank: Bank, overlay: Overlay, cluster: ClusterId) -> bool:
    """Whether a block of its own stands at the cluster now: neither pruned nor a level of width 0."""
    found = resolved_key(bank, overlay, cluster)
    return found.kind in ("base", "blob") and found.cluster == cluster


def deepest_block(bank: Bank, overlay: Overlay, path: Path) -> ClusterId | None:
    """The deepest cluster of a route that has a block of its own now; None where none has."""
    return next((cluster for cluster in reversed(path) if has_own_block(bank, overlay, cluster)), None)


def reached(bank: Bank, overlay: Overlay, paths: Iterable[Path]) -> tuple[ClusterId, ...]:
    """The deepest block of each route, each once, in tree order."""
    found = {deepest_block(bank, overlay, path) for path in paths}
    return tuple(sorted(cluster for cluster in found if cluster is not None))


def shared(bank: Bank, overlay: Overlay, paths: Sequence[Path]) -> ClusterId | None:
    """The deepest block that all routes pass through; None where they part at the first level."""
    if not paths:
        return None
    common = [clusters[0] for clusters in zip(*paths, strict=False) if len(set(clusters)) == 1]
    return deepest_block(bank, overlay, tuple(common))


def residents(
    facts: Iterable[Fact], routes: Callable[[Sequence[str]], list[Path]], blocks: Collection[ClusterId], without: Collection[str] = ()
) -> Iterator[Resident]:
    """The prompts of facts whose route passes one of the blocks; `without`: ids of facts to leave out."""
    wanted = frozenset(blocks)
    if not wanted:
        return
    prompts = [(fact, text) for fact in facts if fact.id not in without for _, text in prompts_of(fact)]
    for (fact, text), path in zip(prompts, routes([text for _, text in prompts]), strict=True):
        if not wanted.isdisjoint(path):
            yield Resident(fact, text, path)
