"""The verbs that change what blocks know: update and erase."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnywayOption,
    BankArgument,
    ChangedOption,
    DeviceOption,
    DryRunOption,
    EncoderOption,
    JsonOption,
    LocalityOption,
    MeasureOption,
    ReliabilityOption,
    StudyOption,
    clusters_of,
    editing,
    limits_of,
    loaded,
    planning,
)
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.editing.plan import Edit, Plan
    from memstudio.facts.gate import Limits
    from memstudio.facts.values import Fact
    from memstudio.session import Session
    from memstudio.session.takedown import Paths

PromptOption = Annotated[
    list[str] | None, typer.Option("--prompt", metavar="TEXT", help="The prompt whose answer is meant.", show_default=False)
]
PhrasingOption = Annotated[
    list[str] | None,
    typer.Option("--phrasing", metavar="TEXT", help="Another way to ask, for the editor to see; repeat it.", show_default=False),
]
SubjectOption = Annotated[
    str | None, typer.Option("--subject", metavar="NAME", help="Whom the prompt speaks of; guessed otherwise.", show_default=False)
]
BlockOption = Annotated[
    list[str] | None, typer.Option("--block", metavar="CLUSTER", help="Write to this block instead; repeat it.", show_default=False)
]


def update(
    bank: BankArgument,
    prompt: PromptOption = None,
    target: Annotated[str | None, typer.Option("--target", metavar="TEXT", help="The new answer.", show_default=False)] = None,
    phrasing: PhrasingOption = None,
    subject: SubjectOption = None,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="All facts of a file that have a target, as one revision.")
    ] = None,
    method: Annotated[Literal["tuned", "closed-form"], typer.Option("--method", help="How the new rows are found.")] = "tuned",
    where: Annotated[
        Literal["reached", "shared"], typer.Option("--where", help="Each block that the phrasings reach, or the deepest they share.")
    ] = "reached",
    block: BlockOption = None,
    dry_run: DryRunOption = False,
    measure: MeasureOption = True,
    min_reliability: ReliabilityOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Give facts another answer, with a measured receipt."""
    from memstudio.editing.update import Update

    if (facts is None) == (not prompt):
        raise typer.BadParameter("name --prompt and --target, or --facts FILE with targets")
    if prompt and (len(prompt) > 1 or target is None):
        raise typer.BadParameter("one --prompt goes with one --target; for several write a facts file with targets")
    if target is not None and not target.strip():
        raise UserError("the new answer is empty; write --target TEXT")
    with planning(bank, study=study, device=device, encoder=encoder) as session:
        wanted = _targets(facts) if facts is not None else (_request(session, (prompt or [""])[0], target or "", phrasing, subject),)
    edit = Update(wanted, method=method, where=where, blocks=clusters_of(block))
    _run(bank, edit, dry_run, measure, limits_of(True, min_reliability, min_locality, max_changed), anyway, study, device, encoder, json)


def erase(
    bank: BankArgument,
    prompt: PromptOption = None,
    document: Annotated[
        list[str] | None,
        typer.Option("--document", metavar="ID", help="A document of the bank, and the facts in it; repeat it.", show_default=False),
    ] = None,
    phrasing: PhrasingOption = None,
    subject: SubjectOption = None,
    method: Annotated[Literal["tuned", "dampen"], typer.Option("--method", help="Gradient, or selective dampening.")] = "tuned",
    where: Annotated[
        Literal["path", "reached", "shared"], typer.Option("--where", help="Every block on the routes, the deepest of each, or the shared.")
    ] = "path",
    block: BlockOption = None,
    paths: Annotated[
        Literal["routed", "neighbours", "all"], typer.Option("--paths", help="Where to look for what is left of the answer.")
    ] = "neighbours",
    gold: Annotated[bool, typer.Option("--gold", help="Train the blocks again without it, for comparison (a minute).")] = False,
    dry_run: DryRunOption = False,
    measure: MeasureOption = True,
    min_reliability: ReliabilityOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Take facts or documents out of the blocks that hold them, and report what is left."""
    from memstudio.editing.erase import Erase

    if not prompt and not document:
        raise typer.BadParameter("name --prompt or --document")
    with planning(bank, study=study, device=device, encoder=encoder) as session:
        wanted = tuple(_request(session, text, "", phrasing if len(prompt or ()) == 1 else None, subject) for text in prompt or ())
    edit = Erase(wanted, tuple(document or ()), method=method, where=where, blocks=clusters_of(block))
    limits = limits_of(True, min_reliability, min_locality, max_changed)
    _run(bank, edit, dry_run, measure, limits, anyway, study, device, encoder, json, (paths, gold))


def _request(session: "Session", prompt: str, target: str, phrasings: list[str] | None, subject: str | None) -> "Fact":
    loaded(session)
    return session.request(prompt, target, phrasings=phrasings, subject=subject).fact


def _targets(file: Path) -> "tuple[Fact, ...]":
    """The facts of a file that have a target.

    Raises:
        UserError: none has one.
    """
    from memstudio.facts.read import read_fact_file

    found = read_fact_file(file)
    facts = tuple(fact for fact in found.facts if fact.target.strip())
    if found.skipped_count or len(facts) < len(found.facts):
        without = len(found.facts) - len(facts)
        show.note(f"{file}: {len(facts)} facts with a target; {without} without, {found.skipped_count} records skipped")
    if not facts:
        raise UserError(f"{file}: no fact in it has a target; write the new answer as target (or target_new)")
    return facts


def _run(
    bank: str,
    edit: "Edit",
    dry_run: bool,
    measure: bool,
    limits: "Limits",
    anyway: str,
    study: Path | None,
    device: Any,
    encoder: Path | None,
    json: bool,
    takedown: "tuple[Paths, bool] | None" = None,
) -> None:
    """Plan, measure, gate, commit, print."""
    opened = planning if dry_run else editing
    with opened(bank, study=study, device=device, encoder=encoder) as session, show.progress(edit.verb) as job:
        loaded(session)
        plan = session.plan(edit, measure=measure, job=job)
        if takedown is not None and measure:
            plan = session.with_takedown(plan, paths=takedown[0], gold=takedown[1], job=job)
        revision = None if dry_run else session.apply(plan, limits=limits if measure else None, reason=anyway)
        receipt = dict(revision.receipt if revision else plan.receipt)
        payload = {
            "revision": revision.id if revision else None,
            "head": session.head,
            "dry_run": dry_run,
            "title": edit.title,
            "changes": plan.changes,
            "receipt": receipt,
            "study": session.study,
        }
    if json:
        show.print_json(payload)
    else:
        _print(plan, payload, receipt)


def _print(plan: "Plan", payload: dict[str, Any], receipt: dict[str, Any]) -> None:
    from memstudio.facts.receipt import present

    place = "nothing was written" if payload["dry_run"] else f"revision {payload['revision']}"
    show.say(f"{plan.edit.title}: {plan.blocks} blocks, {show.size(plan.bytes)}; {place}")
    for line in (*plan.notes, *present(receipt)):
        show.say(f"  {line}")
    if isinstance(receipt.get("takedown"), dict):
        _print_takedown(receipt["takedown"])
    if payload["study"] is not None:
        show.say(f"study {payload['study']}")


def _print_takedown(report: dict[str, Any]) -> None:
    rows = []
    for row in report["probes"]:
        others = row["other_paths"]
        left = others
        if isinstance(others, dict):
            left = f"{others['worst']:.4f} at {others['at']}, said on {others['extracted']} of {others['count']}"
        said = "said" if row["extracted"] else "not said"
        rows.append((row["prompt"], row["none"], row["before"], row["after"], row["limit"], said, left, row["gold"]))
    names = ("prompt", "p without memory", "before", "after", "limit", "greedy", "worst of other paths", "gold standard")
    show.table(f"what is left: {report['within']} of {report['count']} within the limit", names, rows, right=(1, 2, 3, 4))
    gold = report["gold"]
    if isinstance(gold, dict):
        learnt = f"{gold['steps']} steps on {gold['prompts']} prompts, {show.percent(gold['learnt'])} learnt"
        show.say(f"gold standard: the blocks trained again without it, {learnt}")
