"""Whether two sets of figures agree: what an evidence folder says, and what was found again. No model is needed here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from memstudio.export.evidence import Answer, Asked, Counted, Environment, Likely, Receipt, TakenDown
from memstudio.facts.receipt import NAMES
from memstudio.facts.statistics import NOT_MEASURED, Proportion

SAME, LOOSE, TOLERANCE, NORM = 1e-4, 1e-2, 0.02, 1e-5
_TIED = 1e-9
_ELSEWHERE = ("locality", "reliability")
UNKNOWN = "facts that were taken down are neither in this bank nor given (--facts FILE)"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as it was recorded and as it is found now; agreed None: it could not be measured again, and `found` says why."""

    name: str
    recorded: object
    found: object
    tolerance: str
    agreed: bool | None


def alike(one: Environment, other: Environment) -> bool:
    """Whether two environments must give the same numbers: same torch, machine, device, dtype and threads."""
    names = ("torch", "machine", "device", "dtype", "threads")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def exact(name: str, recorded: object, found: object) -> Figure:
    """A figure that must be the same."""
    return Figure(name, recorded, found, "exact", recorded == found)


def near(name: str, recorded: float, found: float | None, tolerance: float) -> Figure:
    """A figure that may differ by so much."""
    return Figure(name, recorded, found, f"± {tolerance:g}", found is not None and abs(recorded - found) <= tolerance)


def receipts(recorded: Receipt, found: Receipt, same: bool, complete: bool) -> Iterator[Figure]:
    """Every figure of two receipts.

    same: measured with the same things, so that shares are exact; else one prompt or TOLERANCE, whichever is more.
    complete: all facts that were taken down are known here; without them reliability, locality and what depends on them stay open.
    """
    for name in NAMES:
        one, other = recorded.proportions.get(name), found.proportions.get(name)
        if name in _ELSEWHERE and not complete:
            yield Figure(name, _words(one), UNKNOWN, "", None)
        elif one is not None or other is not None or getattr(recorded, name) != NOT_MEASURED:
            yield _share(name, getattr(recorded, name), one, other, same)
    for title in sorted(recorded.proportions.keys() - set(NAMES)):
        yield Figure(title, _words(recorded.proportions[title]), "no figure of a receipt", "exact", False)
    yield from _blocks(recorded, found)
    yield from _answers("answer to", recorded.answers, found.answers)
    counts = [(str(receipt.residents), str(receipt.changed_count), receipt.protocol) for receipt in (recorded, found)]
    for number, name in enumerate(("co-resident prompts", "co-resident answers that changed", "protocol")):
        yield exact(name, counts[0][number], counts[1][number]) if complete else Figure(name, counts[0][number], UNKNOWN, "", None)
    if complete:
        yield from _answers("changed answer to", recorded.changed, found.changed)


def prompts(recorded: Asked, found: Asked, tolerance: float) -> Iterator[Figure]:
    """A prompt asked again: the greedy text, and the log-probability of each next token that was recorded."""
    for side in ("before", "after"):
        one, other = getattr(recorded, side), getattr(found, side)
        yield exact(f"“{recorded.prompt:.80}”, {side}", one.text, other.text)
        now: dict[int, Likely] = {likely.token: likely for likely in other.top}
        for likely in one.top:
            again = now.get(likely.token)
            name = f"log p of “{likely.text:.40}” after “{recorded.prompt:.80}”, {side}"
            if again is not None and again.text != likely.text:
                yield exact(name, likely.text, again.text)
            else:
                yield near(name, likely.logprob, None if again is None else again.logprob, tolerance)


def taken_down(recorded: TakenDown, found: TakenDown | None, tolerance: float) -> Iterator[Figure]:
    """What is left of a fact that was erased."""
    name = f"p of the fact {recorded.fact:.12}…"
    if found is None:
        yield Figure(name, recorded.after, "it is neither in this bank nor given (--facts FILE)", "", None)
        return
    for side in ("alone", "before", "after", "limit"):
        yield near(f"{name}, {side}", getattr(recorded, side), getattr(found, side), tolerance)
    yield exact(f"{name}, said greedily", recorded.extracted, found.extracted)


def _share(name: str, said: float | str, recorded: Counted | None, found: Counted | None, same: bool) -> Figure:
    words = _words(recorded)
    if not _sound(said, recorded):
        return Figure(name, f"{words}, called {said}", _words(found), "exact", False)
    if recorded is None or found is None:
        return Figure(name, words, _words(found), "exact", recorded is found)
    tolerance = 0.0 if same else max(TOLERANCE, 1 / recorded.n)
    agreed = recorded.n == found.n and recorded.protocol == found.protocol
    apart = abs(recorded.k / recorded.n - found.k / found.n) if agreed else 0.0
    return Figure(name, words, _words(found), f"± {tolerance:.3g}" if tolerance else "exact", agreed and apart <= tolerance + _TIED)


def _sound(said: float | str, recorded: Counted | None) -> bool:
    """Whether share and interval are those of the count."""
    if recorded is None:
        return said == NOT_MEASURED
    if not 0 <= recorded.k <= recorded.n or not recorded.n:
        return False
    known = Proportion(recorded.k, recorded.n)
    pairs = ((said, known.share), (recorded.share, known.share), (recorded.low, known.low), (recorded.high, known.high))
    return all(
        isinstance(one, float) and other is not None and math.isclose(one, other, rel_tol=_TIED, abs_tol=_TIED) for one, other in pairs
    )


def _words(found: Counted | None) -> str:
    return NOT_MEASURED if found is None else f"{found.k} of {found.n}"


def _blocks(recorded: Receipt, found: Receipt) -> Iterator[Figure]:
    """Digests and norms of the changed blocks."""
    one, other = ({block.cluster: block for block in receipt.digests} for receipt in (recorded, found))
    if len(one) != len(recorded.digests):
        yield Figure("blocks", f"{len(recorded.digests)} rows", f"{len(one)} blocks: one stands twice", "exact", False)
    for cluster in dict.fromkeys((*one, *other)):
        before, now = one.get(cluster), other.get(cluster)
        name = f"block {cluster}"
        if before is None or now is None:
            yield exact(name, "changed" if before else "not changed", "changed" if now else "not changed")
            continue
        for side in ("before", "after"):
            yield exact(f"{name}, {side}", getattr(before, side), getattr(now, side))
        agreed = math.isclose(before.norm, now.norm, rel_tol=NORM)
        yield Figure(f"norm of the difference, {cluster}", before.norm, now.norm, f"± {NORM:g}, relative", agreed)


def _answers(title: str, recorded: Sequence[Answer], found: Sequence[Answer]) -> Iterator[Figure]:
    """Answers before and after, by prompt; where one prompt stands there more than once, in their order."""
    one, other = _numbered(recorded), _numbered(found)
    for key in dict.fromkeys((*one, *other)):
        before, now = one.get(key), other.get(key)
        texts = [f"{row.before} → {row.after}" if row is not None else "not there" for row in (before, now)]
        yield Figure(f"{title} “{key[0]:.80}”", texts[0], texts[1], "exact", before == now)


def _numbered(rows: Sequence[Answer]) -> Mapping[tuple[str, int], Answer]:
    found: dict[tuple[str, int], Answer] = {}
    counts: dict[str, int] = {}
    for row in rows:
        number = counts[row.prompt] = counts.get(row.prompt, 0) + 1
        found[row.prompt, number] = row
    return found
