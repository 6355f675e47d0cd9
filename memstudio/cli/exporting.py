"""The verb export: a patch of a study, a smaller bank, a dense model, or the published layout."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from memstudio.cli import show
from memstudio.cli.dense import export_dense_model, report_dense
from memstudio.cli.importing import export_published
from memstudio.cli.options import (
    AnchorOption,
    BankArgument,
    DeviceOption,
    EncoderOption,
    JsonOption,
    StudyOption,
    clusters_of,
    reading,
    revisiting,
)
from memstudio.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memstudio.bank.values import ClusterId, Fallback
    from memstudio.export.precision import Choice
    from memstudio.facts.statistics import Proportion
    from memstudio.facts.values import Fact, PromptSet
    from memstudio.jobs import Job
    from memstudio.session import Session
    from memstudio.session.exported import Exported

Word = TypeVar("Word", bound=str)
FALLBACKS: "tuple[Fallback, ...]" = ("zero", "generic", "sibling")
_KINDS = ("patch", "bank", "dense", "published")
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def export(
    bank: BankArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write, for example gold.patch.", show_default=False)],
    kind: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="KIND",
            help="patch: revisions; bank: a smaller bank; dense: one route as part of the anchor; published: a bank as W1, W2, W3.",
        ),
    ] = "patch",
    revisions: Annotated[
        list[str] | None, typer.Option("--revisions", metavar="R", help="patch: which; repeat it, or part by commas. All unless given.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="25%|BYTES", help="bank: of its block rows, generic ones counted.", show_default="25%")
    ] = None,
    rank_by: Annotated[
        str | None,
        typer.Option("--rank-by", metavar="effect|use|documents|norm|random", help="bank: what is kept first.", show_default="effect"),
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option("--fallback", metavar="zero|generic|sibling", help="bank: what stands in for a dropped block.", show_default="as is"),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", metavar="bank|int8|int4|mixed", help="bank: what its blocks are kept in.", show_default="bank"),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="bank: the blocks in their order.", show_default=False)
    ] = None,
    write_plan: Annotated[
        Path | None, typer.Option("--write-plan", metavar="FILE", help="bank: write the whole order down.", show_default=False)
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="CLUSTER", help="bank: a subtree to keep; repeat it.", show_default=False)
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="CLUSTER", help="bank: a subtree to leave out; repeat it.", show_default=False)
    ] = None,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="bank: rank by these facts.", show_default="the bank's own")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="bank: rank by these prompts, a line each or JSON lines.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="bank: of --rank-by random.")] = 0,
    route: Annotated[
        str | None, typer.Option("--route", metavar="TEXT|CLUSTER", help="dense: the route whose blocks it holds.", show_default=False)
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="float32|bfloat16|float16", help="dense: of its weights.", show_default="as stored")
    ] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="bank, dense: ask its facts before and after.")] = True,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
    study: StudyOption = None,
) -> None:
    """Write what a study holds for others: a patch, the bank with the best of its blocks, or one route as an ordinary model."""
    if kind not in _KINDS:
        raise UserError(f"--as {kind}: is not there; {', '.join(_KINDS[:-1])} and {_KINDS[-1]} are")
    _only(kind, "patch", {"--revisions": revisions})
    options = {"--budget": budget, "--rank-by": rank_by, "--fallback": fallback, "--plan": plan, "--write-plan": write_plan}
    _only(kind, "bank", {**options, "--precision": precision, "--keep": keep, "--drop": drop, "--facts": facts, "--prompts": prompts})
    _only(kind, "dense", {"--route": route, "--dtype": dtype})
    if kind == "published":
        if study is not None:
            raise UserError("--as published: writes a bank as shipped; --study goes with patch, bank and dense")
        export_published(bank, out, json)
    elif kind == "patch":
        _export_patch(bank, out, revisions, study, json)
    elif kind == "dense":
        with reading(bank, study=study, device=device, anchor=anchor, encoder=encoder) as session, show.progress("export") as job:
            report_dense(export_dense_model(session, out, route, dtype, check, job), session.study, json)
    else:
        asked = Asked(
            budget, rank_by, fallback, precision, plan, write_plan, clusters_of(keep), clusters_of(drop), facts, prompts, seed, check
        )
        with reading(bank, study=study, device=device, anchor=anchor, encoder=encoder) as session, show.progress("export") as job:
            done = _export_bank(session, out, asked, job)
            _report(done, session.study, json)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a smaller bank is to be, as it was written."""

    budget: str | None
    rank_by: str | None
    fallback: str | None
    precision: str | None
    plan: Path | None
    write_plan: Path | None
    keep: "tuple[ClusterId, ...]"
    drop: "tuple[ClusterId, ...]"
    facts: Path | None
    prompts: Path | None
    seed: int
    check: bool


def _export_bank(session: "Session", out: Path, asked: Asked, job: "Job") -> "Exported":
    from memstudio.export.place import refuse_taken
    from memstudio.export.plan_file import read_plan, write_plan
    from memstudio.export.precision import CHOICES
    from memstudio.export.rank import RANKINGS
    from memstudio.session.exporting import export_planned, plan_bank

    refuse_taken(out)
    budget, fraction = budget_of(asked.budget)
    by, fallback = _one_of("--rank-by", asked.rank_by, RANKINGS), _one_of("--fallback", asked.fallback, FALLBACKS)
    precision = _one_of("--precision", asked.precision, CHOICES) or "bank"
    facts = _asked_of(asked)
    if asked.plan is None:
        _refuse_too_little(session, asked, budget, fraction, precision)
        plan = plan_bank(
            session,
            by,
            keep=asked.keep,
            drop=asked.drop,
            fallback=fallback,
            precision=precision,
            facts=facts,
            seed=asked.seed,
            job=job,
        )
    elif by or asked.keep or asked.drop or asked.precision or facts:
        others = "--rank-by, --precision, --facts, --prompts, --keep and --drop"
        raise UserError(f"--plan {asked.plan}: lists its blocks already; leave out {others}")
    else:
        plan = read_plan(asked.plan, session.bank, session.overlay, session.head)
    if asked.write_plan is not None:
        write_plan(asked.write_plan, plan)
    return export_planned(session, out, plan, budget=budget, fraction=fraction, fallback=fallback, check=asked.check, job=job)


def _refuse_too_little(session: "Session", asked: Asked, budget: int | None, fraction: float | None, precision: "Choice") -> None:
    """A budget that not even a route fits, before blocks are ranked, which takes a while."""
    from memstudio.session.exporting import plan_bank

    stored = "int4" if precision == "mixed" else precision
    sizes = plan_bank(session, "documents", keep=asked.keep, drop=asked.drop, precision=stored)
    if budget is None and fraction is not None:
        budget = sizes.share(fraction)
    if budget is not None:
        sizes.kept(budget)


def _asked_of(asked: Asked) -> "Sequence[Fact] | PromptSet | None":
    """The facts or the prompts to rank by; None: the bank's own. What could not be used of a file is said on stderr."""
    from memstudio.cli.facts import read_or_say
    from memstudio.facts.prompts import read_prompts

    if asked.facts is not None and asked.prompts is not None:
        raise UserError("--facts and --prompts: both say what to rank by: choose one")
    if asked.prompts is None:
        return read_or_say(asked.facts).facts if asked.facts is not None else None
    found = read_prompts(asked.prompts)
    if found.skipped_count:
        first = found.skipped[0]
        show.note(f"{asked.prompts}: {found.skipped_count:,} of its lines cannot be used; line {first.line}: {first.reason}")
    return found


def budget_of(text: str | None, option: str = "--budget") -> tuple[int | None, float | None]:
    """Bytes, or a share of the bank (0 … 1); neither where nothing is given.

    Raises:
        UserError: it is neither.
    """
    if text is None:
        return None, None
    word = text.strip().upper().replace(",", "")
    number = word.rstrip("%BKMG ").strip()
    unit = word[len(number) :].strip()
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e18 or unit not in (*_UNITS, "%"):
        raise UserError(f"{option} {text!r:.40}: write a share such as 25%, or bytes such as 1500000 or 1.5MB")
    return (None, value / 100) if unit == "%" else (int(value * _UNITS[unit]), None)


def _only(kind: str, wanted: str, given: "Mapping[str, object]") -> None:
    """Refuse options that go with another kind.

    Raises:
        UserError: one was given.
    """
    for option, value in given.items():
        if value and kind != wanted:
            raise UserError(f"{option}: goes with --as {wanted}, not with --as {kind}")


def _one_of(option: str, value: str | None, words: "Sequence[Word]") -> "Word | None":
    """The word that was given, one of these.

    Raises:
        UserError: it is none.
    """
    found = next((word for word in words if word == value), None)
    if value is not None and found is None:
        raise UserError(f"{option} {value!r:.40}: is not there; {', '.join(words)} are")
    return found


def _export_patch(bank: str, out: Path, revisions: list[str] | None, study: Path | None, json: bool) -> None:
    from memstudio.session.patching import export_patch

    with revisiting(bank, folder=study, readonly=True) as session:
        words = [word for text in revisions or () for word in text.split(",") if word.strip()]
        numbers = [session.store.find(word) for word in words] or None
        changes = export_patch(session, out, numbers)
        size = sum(path.stat().st_size for path in out.iterdir())
        payload = {"path": out, "bytes": size, "changes": changes, "study": session.study}
    if json:
        show.print_json(payload)
    else:
        show.say(f"{out}: {len(changes)} block{'s' * (len(changes) != 1)} changed, {show.size(size)}")


def _report(done: "Exported", study: Path | None, json: bool) -> None:
    before, after = done.recall_before, done.recall_after
    if json:
        payload = {field.name: getattr(done, field.name) for field in dataclasses.fields(done)}
        recalls = {"recall_before": before and before.json(), "recall_after": after and after.json()}
        levels = [{"level": level, "kept": kept, "of": of} for level, (kept, of) in enumerate(done.levels, 1)]
        show.print_json({**payload, **recalls, "levels": levels, "study": study})
        return
    share = f" of {show.size(done.bytes_before)}" if done.bytes_before else ""
    show.say(f"{done.path}: {done.kept:,} blocks kept, {done.dropped:,} dropped, {show.size(done.bytes)}{share} of block rows")
    show.say(f"  ranked by {done.rank_by}; a dropped block falls back on {done.fallback}; revision {done.revision}")
    if set(done.precisions) - {"bank"}:
        words = {"bank": "as they were"}
        show.say("  " + ", ".join(f"{count:,} blocks {words.get(each, f'as {each}')}" for each, count in done.precisions.items()))
    for level, (kept, of) in enumerate(done.levels, 1):
        show.say(f"  level {level}: {kept:,} of {of:,}")
    if before is not None and after is not None:
        show.say(f"  recall {_recall(before)} before, {_recall(after)} after")
    else:
        show.say("  recall was not measured")
    show.say(f"open it with: memstudio open {done.path}")


def _recall(found: "Proportion") -> str:
    return f"{show.percent(found.share)} ({found.k:,} of {found.n:,}, {show.percent(found.low)} to {show.percent(found.high)})"


VERBS = {"export": export}
"""The verbs of this file by their names."""
