"""The verb facts: how much of what it should know a bank answers, by kind, phrasing and depth; and fact files in other formats."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    from memstudio.facts.statistics import Proportion
    from memstudio.facts.values import Fact, FactFile, Scores
    from memstudio.session import Session

JudgeName = Literal["generation", "teacher-forced", "probability"]
FormatName = Literal["jsonl", "easyedit", "counterfact", "zsre", "csv"]

PROTOCOLS: dict[JudgeName, str] = {
    "generation": "free greedy generation up to the first full stop or line end",
    "teacher-forced": "teacher-forced: each token of the true answer is the likeliest after the true ones before it; flatters editors",
    "probability": "probability: the target's summed log-probability is above the expected answer's (not divided by length)",
}
_SHOWN = 5


def facts(
    bank: BankArgument,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A facts file, else the bank's own.", show_default=False)] = None,
    memory: MemoryOption = "fetched",
    relation: Annotated[
        str | None, typer.Option("--relation", metavar="NAME", help="Only facts of this relation.", show_default=False)
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only facts of this kind.", show_default=False)] = None,
    prompts_only: Annotated[bool, typer.Option("--prompts-only", help="Score each fact's prompt and leave its phrasings out.")] = False,
    levels: Annotated[int | None, typer.Option("--levels", metavar="N", help="Fetch only the first N levels.", show_default=False)] = None,
    staircase: Annotated[bool, typer.Option("--staircase", help="Also with no level, level 1, levels 1–2, and so on.")] = False,
    hide: HideOption = None,
    hide_best: Annotated[
        int | None,
        typer.Option("--hide-best", metavar="LEVEL", help="Hide, for each prompt, its own cluster of this level.", show_default=False),
    ] = None,
    revision: Annotated[str | None, typer.Option("--revision", metavar="R", help="The study at this revision.", show_default=False)] = None,
    judge: Annotated[JudgeName, typer.Option("--judge", help="How an answer is judged; generation is what users see.")] = "generation",
    target: Annotated[bool, typer.Option("--target", help="Score against each fact's target instead of what is expected.")] = False,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="OUT", help="Write the chosen facts to a file, score nothing.", show_default=False)
    ] = None,
    format: Annotated[FormatName, typer.Option("--format", help="The format of --write.")] = "jsonl",  # noqa: A002
    study: StudyOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Score facts, by free greedy generation unless another judge is named; or write them in another format."""
    if staircase and (memory != "fetched" or levels is not None):
        raise typer.BadParameter("--staircase goes through the levels of fetched memory itself; leave --memory and --levels out")
    if target and judge == "probability":
        raise typer.BadParameter("--judge probability compares the target with what is expected itself; leave --target out")
    with reading(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder) as session:
        source = None if file is None else read_or_say(file)
        chosen = _chosen(session, source, relation, kind, prompts_only)
        if write is not None:
            _write(write, chosen, format, source, json)
            return
        passed = clusters_of(hide)
        for cluster in passed:
            session.bank.tree.check(cluster)
        asked: dict[str, Any] = {
            "hide": frozenset(passed),
            "hide_best": hide_best,
            "revision": None if revision is None else revision_of(session, revision),
            "judge": judge,
            "answers": "target" if target else "expected",
        }
        loaded(session)
        scores = _score(session, chosen, memory=memory, levels=levels, **asked)
        steps = _staircase(session, chosen, scores, asked) if staircase else None
    relations = {fact.id: fact.relation for fact in chosen}
    if json:
        show.print_json(_payload(scores, relations, steps, source))
        return
    _show(scores, steps)


def read_or_say(path: Path) -> "FactFile":
    """A fact file, with what could not be used said on stderr: how many records, and the first of them."""
    from memstudio.facts.read import read_fact_file

    found = read_fact_file(path)
    say_skipped(found)
    return found


def say_skipped(found: "FactFile") -> None:
    """On stderr: how many records of a file could not be used, and the first of them."""
    path = found.path
    if found.skipped_count:
        show.note(f"{path}: {found.skipped_count} of {found.skipped_count + len(found.facts)} records cannot be used ({found.format})")
        for skipped in found.skipped[:_SHOWN]:
            show.note(f"  line {skipped.line}: {skipped.reason}")
        if found.skipped_count > _SHOWN:
            show.note(f"  and {found.skipped_count - _SHOWN} more; `memstudio facts BANK {path} --json` lists them")


def revision_of(session: "Session", text: str) -> int:
    """A revision by its number or name.

    Raises:
        UserError: it is none of the study's.
    """
    if session.study is None:
        from memstudio.errors import UserError

        if text in ("0", "head"):
            return 0
        raise UserError(f"revision {text!r}: the bank as shipped has revision 0 alone; name the study with --study")
    return session.store.find(text)


def interval(found: "Proportion") -> str:
    """A 95% interval for people, in percent; a dash where nothing was counted."""
    return "–" if found.low is None or found.high is None else f"{100 * found.low:.1f}–{100 * found.high:.1f}%"


def _score(session: "Session", chosen: "list[Fact]", **asked: Any) -> "Scores":
    from memstudio.session.scoring import score

    with show.progress("score") as job:
        return score(session, chosen, job=job, **asked)


def _chosen(session: "Session", source: "FactFile | None", relation: str | None, kind: str | None, prompts_only: bool) -> "list[Fact]":
    import dataclasses

    from memstudio.errors import UserError

    known = list(source.facts) if source is not None else session.facts()
    where = source.path if source is not None else session.bank.folder
    if not known:
        raise UserError(f"{where}: has no facts to score; name a facts file")
    chosen = [
        fact for fact in known if (relation is None or _plain(fact.relation) == _plain(relation)) and (kind is None or fact.kind == kind)
    ]
    if not chosen:
        names = sorted({fact.relation for fact in known if fact.relation})
        raise UserError(f"{where}: no fact of that kind and relation; its relations are {', '.join(names[:20]) or 'not named'}")
    return [dataclasses.replace(fact, phrasings=(), held_out=()) for fact in chosen] if prompts_only else chosen


def _write(path: Path, facts: "list[Fact]", name: FormatName, source: "FactFile | None", json: bool) -> None:
    from memstudio.errors import UserError
    from memstudio.facts.write import write_facts

    if path.exists():
        raise UserError(f"{path}: is there already; name a new file")
    write_facts(path, facts, format=name)
    if json:
        show.print_json({"path": path, "format": name, "count": len(facts), **_skipped(source)})
    else:
        show.say(f"{len(facts)} facts written to {path} as {name}")


def _skipped(source: "FactFile | None") -> dict[str, Any]:
    """What of the file could not be used: all counted, the first thousand listed."""
    if source is None:
        return {"skipped": [], "skipped_count": 0}
    listed = [{"line": skipped.line, "record": skipped.record, "reason": skipped.reason} for skipped in source.skipped]
    return {"skipped": listed, "skipped_count": source.skipped_count}


def _plain(relation: str) -> str:
    return relation.casefold().replace("-", " ").replace("_", " ").strip()


def _staircase(session: "Session", chosen: "list[Fact]", whole: "Scores", asked: dict[str, Any]) -> "list[Scores]":
    depth = session.bank.tree.depth
    return [*(_score(session, chosen, memory="fetched", levels=level, **asked) for level in range(depth)), whole]


def _payload(scores: "Scores", relations: dict[str, str], steps: "list[Scores] | None", source: "FactFile | None") -> dict[str, Any]:
    payload: dict[str, Any] = {
        "memory": scores.memory,
        "revision": scores.revision,
        "count": scores.count,
        "asked": _noun(scores),
        "prompts": len(scores.facts),
        "accuracy": scores.accuracy,
        "by_kind": scores.by_kind,
        "by_phrasing": scores.by_phrasing,
        "held_out_learned": scores.held_out_learned,
        "agreement": scores.agreement,
        "proportions": _counts(scores),
        "judge": scores.judge,
        "protocol": PROTOCOLS[scores.judge],
        "answers": scores.answers,
        "left_out": scores.left_out,
        "mean_logprob": _mean_logprobs(scores),
        "format": None if source is None else source.format,
        **_skipped(source),
        "seconds": scores.seconds,
    }
    if steps is not None:
        payload["staircase"] = [
            {
                "levels": level,
                "accuracy": step.accuracy,
                "by_kind": step.by_kind,
                "proportions": _counts(step),
                "seconds": step.seconds,
            }
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
            "logprob": row.logprob,
            "against": row.against,
        }
        for row in scores.facts
    ]
    return payload


def _counts(scores: "Scores") -> dict[str, Any]:
    return {name: found.json() for name, found in scores.proportions.items()}


def _mean_logprobs(scores: "Scores") -> dict[str, float] | None:
    """Mean over the prompts of the summed log-probability of the target and of what is expected; None under the other judges."""
    rows = [(row.logprob, row.against) for row in scores.facts if row.logprob is not None and row.against is not None]
    if not rows:
        return None
    return {"target": sum(row[0] for row in rows) / len(rows), "expected": sum(row[1] for row in rows) / len(rows)}


def _show(scores: "Scores", steps: "list[Scores] | None") -> None:
    place = f"memory {scores.memory}, revision {scores.revision}"
    show.say(f"{scores.count} {_noun(scores)}, {len(scores.facts)} prompts, {place}, {scores.seconds:.1f} s")
    show.say(f"judged by {PROTOCOLS[scores.judge]}{', against the targets' if scores.answers == 'target' else ''}")
    if scores.left_out:
        show.note(f"{scores.left_out} {_noun(scores)} have no such answer and are left out")
    names = {
        "all": "accuracy",
        **{kind: f"by_kind.{kind}" for kind in scores.by_kind},
        "trained phrasings": "trained",
        "held-out phrasings": "held_out",
        "held-out, where a block that learned the fact is fetched": "held_out_learned",
    }
    rows = [(shown, *_cells(scores.proportions[name])) for shown, name in names.items()]
    means = _mean_logprobs(scores)
    show.table("target above expected" if means else "right answers", ("prompts", *_HEADS), rows, right=(1, 2, 3))
    if means:
        show.say(f"mean log-probability: target {means['target']:.3f}, expected {means['expected']:.3f}")
    if steps is not None:
        named = ["none", *(f"level 1–{level}" if level > 1 else "level 1" for level in range(1, len(steps)))]
        stairs = [
            (name, kind, *_cells(step.proportions[f"by_kind.{kind}"]))
            for name, step in zip(named, steps, strict=True)
            for kind in scores.by_kind
        ]
        show.table("staircase", ("fetched", "kind", *_HEADS), stairs, right=(2, 3, 4))
    agreement = [(level, *_cells(scores.proportions[f"agreement.{level}"])) for level in scores.agreement]
    show.table("two phrasings of one fact agree", ("level", "share", "pairs", _HEADS[2]), agreement, right=(0, 1, 2, 3))


_HEADS = ("share", "n", "95% interval")


def _cells(found: "Proportion") -> tuple[str, int, str]:
    return show.percent(found.share), found.n, interval(found)


def _noun(scores: "Scores") -> str:
    """What was scored: a bank made from documents has probes where another has facts."""
    return "probes" if scores.facts and all(row.kind == "probe" for row in scores.facts) else "facts"
