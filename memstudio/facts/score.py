"""What counts as a right answer, and the figures that a set of scored prompts gives. No model is needed here."""

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

from memstudio.bank.values import ClusterId, Memory
from memstudio.facts.read import prompts_of
from memstudio.facts.values import Fact, Kind, Phrasing, Scored, Scores

_INTEGER = re.compile(r"[-−]?\d{1,3}(?:,\d{3})+(?!\d)|[-−]?\d+")
_END = re.compile(r"[.\n\r]")
_COUNTED: tuple[Kind, ...] = ("common", "specific")

Path = tuple[ClusterId, ...]


def is_correct(text: str, expected: str, aliases: Iterable[str] = ()) -> bool:
    """Judge a greedy continuation: up to the first full stop or line end, trimmed and case-folded, it equals `expected` or an alias.

    Where an accepted answer is an integer, the first integer of the continuation is compared with it instead.
    """
    got = answer_of(text)
    return any(_equal(got, accepted) for accepted in (expected, *aliases))


def answer_of(text: str) -> str:
    """The part of a continuation that is judged: up to the first full stop or line end, trimmed."""
    return _END.split(text.lstrip(" \t"), maxsplit=1)[0].strip()


def _equal(got: str, accepted: str) -> bool:
    wanted = accepted.strip()
    if _INTEGER.fullmatch(wanted):
        found = _INTEGER.search(got)
        return found is not None and _integer(found[0]) == _integer(wanted)
    return got.casefold() == wanted.casefold()


def _integer(text: str) -> str:
    """The integer in one spelling. Kept as text: a fact file may hold one of more digits than int() takes."""
    digits = text.lstrip("-−").replace(",", "").lstrip("0")
    return ("-" if text[0] in "-−" and digits else "") + (digits or "0")


def scored(fact: Fact, phrasing: Phrasing, prompt: str, text: str, route: Path, learned: bool) -> Scored:
    """One answered prompt, judged. `text` is the continuation."""
    return Scored(
        fact=fact.id,
        kind=fact.kind,
        phrasing=phrasing,
        prompt=prompt,
        expected=fact.expected,
        got=answer_of(text),
        correct=is_correct(text, fact.expected, fact.aliases),
        route=route,
        learned=learned,
    )


def learned_of(fact: Fact, routes: Sequence[Path]) -> list[bool]:
    """For each prompt of `fact` (order of `prompts_of`): some trained phrasing of the fact fetches the same deepest block."""
    kinds = [kind for kind, _ in prompts_of(fact)]
    trained = {route[-1] for kind, route in zip(kinds, routes, strict=True) if kind != "held_out" and route}
    return [bool(route) and route[-1] in trained for route in routes]


def agreement(facts: Sequence[Fact], routes: Sequence[Sequence[Path]], levels: int) -> dict[int, float | None]:
    """Per level, the share of pairs of phrasings of one fact (held-out ones too) whose routes pass through the same cluster.

    A pair in which both routes end above a level is not counted there. Facts of kind `guessable` are left out.
    """
    same = dict.fromkeys(range(1, levels + 1), 0)
    pairs = dict.fromkeys(range(1, levels + 1), 0)
    for fact, paths in zip(facts, routes, strict=True):
        if fact.kind == "guessable":
            continue
        for one, other in combinations(paths, 2):
            for level in range(1, min(levels, max(len(one), len(other))) + 1):
                pairs[level] += 1
                same[level] += one[:level] == other[:level] and len(one) >= level
    return {level: same[level] / pairs[level] if pairs[level] else None for level in pairs}


def total(
    rows: Sequence[Scored], *, memory: Memory, revision: int, agreement: dict[int, float | None], seconds: float
) -> Scores:
    """The figures of a set of scored prompts. `count` is the number of facts; guessable ones are in `facts` but in no accuracy."""
    counted = [row for row in rows if row.kind in _COUNTED]
    trained = [row for row in counted if row.phrasing != "held_out"]
    held_out = [row for row in counted if row.phrasing == "held_out"]
    return Scores(
        memory=memory,
        revision=revision,
        count=len({row.fact for row in rows}),
        accuracy=_share(trained),
        by_kind={kind: _share([row for row in trained if row.kind == kind]) for kind in _COUNTED},
        by_phrasing={"trained": _share(trained), "held_out": _share(held_out)},
        held_out_learned=_share([row for row in held_out if row.learned]),
        agreement=agreement,
        facts=tuple(rows),
        seconds=seconds,
    )


def _share(rows: Sequence[Scored]) -> float | None:
    return sum(row.correct for row in rows) / len(rows) if rows else None
