"""The verb compare: what one bank or revision answers and the other does not. Its exit status is a gate for other people's checks."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import AnchorOption, DeviceOption, DtypeOption, EncoderOption, JsonOption, loaded, reading

if TYPE_CHECKING:
    from memstudio.facts.statistics import Proportion
    from memstudio.facts.values import Fact, Scores
    from memstudio.session import Session
    from memstudio.session.comparing import Comparison, Turned

SideArgument = Annotated[
    str, typer.Argument(metavar="BANK[@R]", help="A bank folder, a study folder or demo; @R names a revision.", show_default=False)
]


def compare(
    a: SideArgument,
    b: SideArgument,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="A facts file, else those of the first bank.", show_default=False)
    ] = None,
    max_lost: Annotated[int, typer.Option("--max-lost", metavar="N", min=0, help="Exit with 1 when more facts are lost.")] = 0,
    revision_a: Annotated[
        str | None, typer.Option("--revision-a", metavar="R", help="The first at this revision.", show_default=False)
    ] = None,
    revision_b: Annotated[
        str | None, typer.Option("--revision-b", metavar="R", help="The second at this revision.", show_default=False)
    ] = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two banks or revisions fact by fact. Exit status 1: more than N facts were lost."""
    from memstudio.cli.facts import read_or_say

    one, other = _side(a, revision_a), _side(b, revision_b)
    known = None if facts is None else list(read_or_say(facts).facts)
    how: dict[str, Any] = {"device": device, "dtype": dtype, "anchor": anchor, "encoder": encoder}
    found = _within(one, other, known, how) if _same(one[0], other[0]) else _apart(one, other, known, how)
    ok = len(found.lost) <= max_lost
    if json:
        show.print_json(_payload(found, a, b, max_lost, ok))
    else:
        _show(found, a, b, max_lost)
    if not ok:
        raise typer.Exit(1)


def _side(text: str, revision: str | None) -> tuple[str, str | None]:
    """(bank, revision) of `STUDY@REVISION`; a folder whose own name holds an @ is taken as it is."""
    from memstudio.errors import UserError

    bank, at, given = text.rpartition("@")
    if not at or not bank or not given or Path(text).exists():
        return text, revision
    if revision is not None:
        raise UserError(f"{text}: names revision {given}, and revision {revision} was given too; leave one out")
    return bank, given


def _same(one: str, other: str) -> bool:
    return one == other or (Path(one).exists() and Path(other).exists() and Path(one).resolve() == Path(other).resolve())


def _within(one: tuple[str, str | None], other: tuple[str, str | None], facts: "list[Fact] | None", how: dict[str, Any]) -> "Comparison":
    """Two revisions of one study: one session, and prompts that nothing changed for are answered once."""
    from memstudio.cli.facts import revision_of
    from memstudio.session.comparing import compare_revisions

    with reading(one[0], **how) as session:
        numbers = [session.head if text is None else revision_of(session, text) for text in (one[1], other[1])]
        loaded(session)
        with show.progress("compare") as job:
            return compare_revisions(session, numbers[0], numbers[1], _own_or(session, facts), job=job)


def _apart(one: tuple[str, str | None], other: tuple[str, str | None], facts: "list[Fact] | None", how: dict[str, Any]) -> "Comparison":
    """Two banks or studies, one after the other, so that only one model is in memory."""
    from memstudio.session.comparing import compare_scores

    with reading(other[0], **how):
        pass  # a second name that cannot be opened is said before the first is scored
    with reading(one[0], **how) as session:
        known = _own_or(session, facts)
        before = _scored(session, one[1], known)
    with reading(other[0], **how) as session:
        return compare_scores(before, _scored(session, other[1], known))


def _own_or(session: "Session", facts: "list[Fact] | None") -> "list[Fact]":
    from memstudio.errors import UserError

    known = session.facts() if facts is None else facts
    if not known:
        raise UserError(f"{session.bank.folder}: has neither facts nor probes to compare by; name a facts file with --facts")
    return known


def _scored(session: "Session", revision: str | None, facts: "list[Fact]") -> "Scores":
    from memstudio.cli.facts import revision_of
    from memstudio.facts.receipt import ROOM
    from memstudio.session.scoring import score

    number = None if revision is None else revision_of(session, revision)
    loaded(session)
    how: dict[str, Any] = {"memory": "fetched", "levels": None, "hide": frozenset(), "hide_best": None}
    with show.progress("score") as job:
        return score(session, facts, **how, revision=number, job=job, room=ROOM)


def _payload(found: "Comparison", a: str, b: str, max_lost: int, ok: bool) -> dict[str, Any]:
    return {
        "a": {"bank": a, "revision": found.a, **found.facts.before.json()},
        "b": {"bank": b, "revision": found.b, **found.facts.after.json()},
        "ok": ok,
        "max_lost": max_lost,
        "gained": found.gained,
        "lost": found.lost,
        "changed": found.changed,
        "facts": found.facts.json(),
        "phrasings": {name: {**pairs.json(), "a": pairs.before.json(), "b": pairs.after.json()} for name, pairs in found.phrasings.items()},
        "phrasings_turned": [turned for turned in found.turned if turned.phrasing != "prompt"],
        "unmatched": found.unmatched,
        "same": found.same,
        "blocks": found.blocks,
        "seconds": found.seconds,
    }


def _show(found: "Comparison", a: str, b: str, max_lost: int) -> None:
    show.say(f"A: {a}, revision {found.a}   B: {b}, revision {found.b}   {found.facts.n} facts, {found.seconds:.1f} s")
    counted = {"facts": found.facts, "phrasings": found.phrasings.get("trained"), "held-out phrasings": found.phrasings.get("held_out")}
    rows = [
        (name, *_share(pairs.before), *_share(pairs.after), pairs.n, pairs.gained, pairs.lost, "–" if pairs.p is None else f"{pairs.p:.3g}")
        for name, pairs in counted.items()
        if pairs is not None
    ]
    columns = ("", "A", "95% interval", "B", "95% interval", "n", "gained", "lost", "p (exact McNemar)")
    show.table("right answers", columns, rows, right=range(1, 9))
    if found.same:
        show.say(f"{found.same:,} more prompts fetch the same blocks in both: their answers cannot differ, and they were not asked")
    if found.blocks:
        blocks = [(block.cluster, _short(block.before), _short(block.after), block.norm) for block in found.blocks]
        show.table("blocks", ("block", "A", "B", "difference (L2)"), blocks, right=(3,))
    if found.turned:
        show.table("answered otherwise", ("", "fact", "phrasing", "prompt", "expected", "A", "B"), list(_turned(found.turned)))
    if found.unmatched:
        show.note(f"{found.unmatched} prompts were answered by one of the two only, and are not compared")
    verdict = "no more than" if len(found.lost) <= max_lost else "more than"
    show.say(f"{len(found.lost)} facts lost, {verdict} the {max_lost} allowed")


def _share(found: "Proportion") -> tuple[str, str]:
    from memstudio.cli.facts import interval

    return show.percent(found.share), interval(found)


def _turned(turned: "tuple[Turned, ...]") -> Iterator[tuple[str, ...]]:
    for turn in ("lost", "gained", "changed"):
        for one in turned:
            if one.turn == turn:
                yield turn, one.fact, one.phrasing.replace("_", "-"), one.prompt, one.expected, one.before or "–", one.after or "–"


def _short(state: object) -> str:
    text = str(state)
    return text if len(text) < 20 else f"{text[:12]}…{text[64:]}"
