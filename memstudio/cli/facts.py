"""The verb facts: how much of what it should know a bank answers, by kind, by phrasing, by depth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    BankArgument,
    DeviceOption,
    DtypeOption,
    EncoderOption,
    HideOption,
    JsonOption,
    MemoryOption,
    StudyOption,
    clusters_of,
    loaded,
    reading,
)

if TYPE_CHECKING:
    from memstudio.facts.values import Fact, Scores
    from memstudio.session import Session


def facts(
    bank: BankArgument,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A facts file, else the bank's own.", show_default=False)] = None,
    memory: MemoryOption = "fetched",
    relation: Annotated[
        str | None, typer.Option("--relation", metavar="NAME", help="Only facts of this relation.", show_default=False)
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only facts of this kind.", show_default=False)] = None,
    prompts_only: Annotated[bool, typer.Option("--prompts-only", help="Score each fact's prompt and leave its phrasings out.")] = False,
    levels: Annotated[
        int | None, typer.Option("--levels", metavar="N", help="Fetch only the first N levels.", show_default=False)
    ] = None,
    staircase: Annotated[bool, typer.Option("--staircase", help="Also with no level, level 1, levels 1–2, and so on.")] = False,
    hide: HideOption = None,
    hide_best: Annotated[
        int | None,
        typer.Option("--hide-best", metavar="LEVEL", help="Hide, for each prompt, its own cluster of this level.", show_default=False),
    ] = None,
    revision: Annotated[
        int | None, typer.Option("--revision", metavar="R", help="The study at this revision.", show_default=False)
    ] = None,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Score facts by free greedy generation."""
    if staircase and (memory != "fetched" or levels is not None):
        raise typer.BadParameter("--staircase goes through the levels of fetched memory itself; leave --memory and --levels out")
    with reading(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder) as session:
        chosen = _chosen(session, file, relation, kind, prompts_only)
        passed = clusters_of(hide)
        for cluster in passed:
            session.bank.tree.check(cluster)
        loaded(session)
        asked: dict[str, Any] = {"hide": passed, "hide_best": hide_best, "revision": revision}
        scores = session.score(chosen, memory=memory, levels=levels, **asked)
        steps = _staircase(session, chosen, scores, asked) if staircase else None
    relations = {fact.id: fact.relation for fact in chosen}
    if json:
        show.print_json(_payload(scores, relations, steps))
        return
    _show(scores, steps)


def _chosen(session: "Session", file: Path | None, relation: str | None, kind: str | None, prompts_only: bool) -> "list[Fact]":
    import dataclasses

    from memstudio.errors import UserError
    from memstudio.facts.read import read_facts

    known = read_facts(file) if file is not None else session.facts()
    where = file or session.bank.folder
    if not known:
        raise UserError(f"{where}: has no facts to score; name a facts file")
    chosen = [
        fact
        for fact in known
        if (relation is None or _plain(fact.relation) == _plain(relation)) and (kind is None or fact.kind == kind)
    ]
    if not chosen:
        names = sorted({fact.relation for fact in known if fact.relation})
        raise UserError(f"{where}: no fact of that kind and relation; its relations are {', '.join(names[:20]) or 'not named'}")
    return [dataclasses.replace(fact, phrasings=(), held_out=()) for fact in chosen] if prompts_only else chosen


def _plain(relation: str) -> str:
    return relation.casefold().replace("-", " ").replace("_", " ").strip()


def _staircase(session: "Session", chosen: "list[Fact]", whole: "Scores", asked: dict[str, Any]) -> "list[Scores]":
    depth = session.bank.tree.depth
    return [*(session.score(chosen, levels=level, **asked) for level in range(depth)), whole]


def _payload(scores: "Scores", relations: dict[str, str], steps: "list[Scores] | None") -> dict[str, Any]:
    payload: dict[str, Any] = {
        "memory": scores.memory,
        "revision": scores.revision,
        "count": scores.count,
        "prompts": len(scores.facts),
        "accuracy": scores.accuracy,
        "by_kind": scores.by_kind,
        "by_phrasing": scores.by_phrasing,
        "held_out_learned": scores.held_out_learned,
        "agreement": scores.agreement,
        "seconds": scores.seconds,
    }
    if steps is not None:
        payload["staircase"] = [
            {"levels": level, "accuracy": step.accuracy, "by_kind": step.by_kind, "seconds": step.seconds}
            for level, step in enumerate(steps)
        ]
    payload["facts"] = [
        {
            "id": row.fact,
            "relation": relations[row.fact],
            "kind": row.kind,
            "phrasing": row.phrasing,
            "prompt": row.prompt,
            "expected": row.expected,
            "got": row.got,
            "correct": row.correct,
            "route": row.route,
            "learned": row.learned,
        }
        for row in scores.facts
    ]
    return payload


def _show(scores: "Scores", steps: "list[Scores] | None") -> None:
    place = f"memory {scores.memory}, revision {scores.revision}"
    show.say(f"{scores.count} facts, {len(scores.facts)} prompts, {place}, {scores.seconds:.1f} s")
    rows = [
        ("all", show.percent(scores.accuracy)),
        *((kind, show.percent(share)) for kind, share in scores.by_kind.items()),
        ("trained phrasings", show.percent(scores.by_phrasing["trained"])),
        ("held-out phrasings", show.percent(scores.by_phrasing["held_out"])),
        ("held-out, where a block that learned the fact is fetched", show.percent(scores.held_out_learned)),
    ]
    show.table("right answers", ("facts", "share"), rows, right=(1,))
    if steps is not None:
        named = ["none", *(f"level 1–{level}" if level > 1 else "level 1" for level in range(1, len(steps)))]
        stairs = [
            (name, *(show.percent(step.by_kind[kind]) for kind in scores.by_kind)) for name, step in zip(named, steps, strict=True)
        ]
        show.table("staircase", ("fetched", *scores.by_kind), stairs, right=(1, 2))
    agreement = [(level, show.percent(share)) for level, share in scores.agreement.items()]
    show.table("two phrasings of one fact agree", ("level", "share"), agreement, right=(0, 1))
