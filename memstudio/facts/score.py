"""What counts as a right answer, and the figures that a set of scored prompts gives. No model is needed here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from memstudio.bank.values import ClusterId, Memory
from memstudio.facts.read import prompts_of
from memstudio.facts.statistics import Proportion, proportion
from memstudio.facts.values import Answers, Fact, Judge, Kind, Phrasing, Scored, Scores

_INTEGER = re.compile(r"[-−]?\d{1,3}(?:,\d{3})+(?!\d)|[-−]?\d+")
_END = re.compile(r"[.\n\r]")
_COUNTED: tuple[Kind, ...] = ("common", "specific", "probe")
_MARKS = "\"'“”‘’,;:!?()[]{}<>*_`|"

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


def beginning(text: str, span: str) -> str:
    """The first words of a continuation, as many as `span` has, marks at their ends left out: what is judged of a probe's answer."""
    return " ".join(answer_of(text).split()[: len(span.split())]).strip(_MARKS)


def _equal(got: str, accepted: str) -> bool:
    wanted = accepted.strip()
    if _INTEGER.fullmatch(wanted):
        found = _INTEGER.search(got)
        return found is not None and _integer(found[0]) == _integer(wanted)
    return " ".join(got.casefold().split()) == " ".join(wanted.casefold().split())


def _integer(text: str) -> str:
    """The integer in one spelling. Kept as text: a fact file may hold one of more digits than int() takes."""
    digits = text.lstrip("-−").replace(",", "").lstrip("0")
    return ("-" if text[0] in "-−" and digits else "") + (digits or "0")


def wanted(fact: Fact, answers: Answers) -> tuple[str, ...]:
    """The answers that count as right: the target, or what is expected and its aliases; () where the fact has none such."""
    if answers == "target":
        return (fact.target,) if fact.target.strip() else ()
    return (fact.expected, *fact.aliases) if fact.expected.strip() else ()


def scored(
    fact: Fact, phrasing: Phrasing, prompt: str, text: str, route: Path, learned: bool, answers: Answers = "expected"
) -> Scored:
    """One answered prompt, judged. `text` is the continuation; the fact must have an answer of the kind that is asked for."""
    accepted = wanted(fact, answers)
    if fact.kind == "probe" and answers == "expected":
        text = beginning(text, accepted[0])
    return Scored(
        fact=fact.id,
        kind=fact.kind,
        phrasing=phrasing,
        prompt=prompt,
        expected=accepted[0],
        got=answer_of(text),
        correct=is_correct(text, accepted[0], accepted[1:]),
        route=route,
        learned=learned,
    )


def learned_of(fact: Fact, routes: Sequence[Path]) -> list[bool]:
    """For each prompt of `fact` (order of `prompts_of`): some trained phrasing of the fact fetches the same deepest block."""
    kinds = [kind for kind, _ in prompts_of(fact)]
    trained = {route[-1] for kind, route in zip(kinds, routes, strict=True) if kind != "held_out" and route}
    return [bool(route) and route[-1] in trained for route in routes]


def agreement(facts: Sequence[Fact], routes: Sequence[Sequence[Path]], levels: int) -> dict[int, Proportion]:
    """Per level, of the pairs of phrasings of one fact (held-out ones too), those whose routes pass through the same cluster.

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
    return {level: Proportion(same[level], pairs[level]) for level in pairs}


def _kinds(rows: Sequence[Scored]) -> tuple[Kind, ...]:
    """The kinds that are counted: probes where there are any, common and specific facts unless there is nothing else."""
    probes = any(row.kind == "probe" for row in rows)
    written = not probes or any(row.kind != "probe" for row in rows)
    return tuple(kind for kind in _COUNTED if (probes if kind == "probe" else written))


def total(
    rows: Sequence[Scored],
    *,
    memory: Memory,
    revision: int,
    agreement: Mapping[int, Proportion],
    seconds: float,
    judge: Judge = "generation",
    answers: Answers = "expected",
    left_out: int = 0,
) -> Scores:
    """The figures of a set of scored prompts. `count` is the number of facts; guessable ones are in `facts` but in no accuracy.

    The names in `proportions` are accuracy, by_kind.<kind>, trained, held_out, held_out_learned and agreement.<level>; each counts
    prompts, the last pairs of them.
    """
    counted = [row for row in rows if row.kind in _COUNTED]
    trained = [row for row in counted if row.phrasing != "held_out"]
    held_out = [row for row in counted if row.phrasing == "held_out"]
    by_kind = {kind: _right(row for row in trained if row.kind == kind) for kind in _kinds(rows)}
    found = {
        "accuracy": _right(trained),
        **{f"by_kind.{kind}": right for kind, right in by_kind.items()},
        "trained": _right(trained),
        "held_out": _right(held_out),
        "held_out_learned": _right(row for row in held_out if row.learned),
        **{f"agreement.{level}": right for level, right in agreement.items()},
    }
    return Scores(
        memory=memory,
        revision=revision,
        count=len({row.fact for row in rows}),
        accuracy=found["accuracy"].share,
        by_kind={kind: right.share for kind, right in by_kind.items()},
        by_phrasing={"trained": found["trained"].share, "held_out": found["held_out"].share},
        held_out_learned=found["held_out_learned"].share,
        agreement={level: right.share for level, right in agreement.items()},
        facts=tuple(rows),
        seconds=seconds,
        judge=judge,
        answers=answers,
        proportions=found,
        left_out=left_out,
    )


def _right(rows: Iterable[Scored]) -> Proportion:
    return proportion(row.correct for row in rows)
