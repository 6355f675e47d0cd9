"""The verbs that edit whole blocks: prune, restore, scale, swap, rewrite."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    AnywayOption,
    BankArgument,
    ChangedOption,
    ClustersArgument,
    Device,
    DeviceOption,
    DryRunOption,
    JsonOption,
    LocalityOption,
    StudyOption,
    clusters_of,
    editing,
    limits_of,
    loaded,
    planning,
)

if TYPE_CHECKING:
    from memstudio.bank.values import BlockState, ClusterId
    from memstudio.editing.plan import Edit, Plan
    from memstudio.facts.gate import Limits
    from memstudio.history.values import Revision
    from memstudio.session import Session

_SHOWN, _CHANGED = 20, 5

OrphanOption = Annotated[bool, typer.Option("--orphan", help="Only the clusters named: what lies below stays, without its ancestor.")]
SubtreeOption = Annotated[bool, typer.Option("--subtree", help="With all that lies below (so it is anyway, unless --orphan).")]
MeasureOption = Annotated[
    bool | None, typer.Option("--measure/--no-measure", help="The measured receipt, before anything is written.", show_default=False)
]


@dataclass(frozen=True)
class _Asked:
    """How an edit is to be made. measure None: where a limit was set, or `usually` where the bank has facts to measure by."""

    dry_run: bool
    measure: bool | None
    usually: bool
    limits: "Limits"
    anyway: str
    study: Path | None
    device: Device
    anchor: Path | None
    json: bool

    def measures(self, session: "Session") -> bool:
        if self.measure is not None:
            return self.measure
        return bool(self.limits.asked) or (self.usually and bool(session.facts()))


def prune(
    bank: BankArgument,
    clusters: ClustersArgument,
    subtree: SubtreeOption = False,
    orphan: OrphanOption = False,
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    json: JsonOption = False,
) -> None:
    """Take blocks out, with all that lies below them."""
    from memstudio.editing.prune import Prune

    _refuse_both(subtree, orphan)
    edit = Prune(clusters_of(clusters), orphan=orphan)
    limits = limits_of(False, None, min_locality, max_changed)
    _edit(bank, "prune", lambda _: edit, _Asked(dry_run, measure, False, limits, anyway, study, device, anchor, json))


def restore(
    bank: BankArgument,
    clusters: ClustersArgument,
    subtree: SubtreeOption = False,
    orphan: OrphanOption = False,
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    json: JsonOption = False,
) -> None:
    """Put blocks back as shipped, with the pruned ones above and below them."""
    from memstudio.editing.prune import Restore

    _refuse_both(subtree, orphan)
    edit = Restore(clusters_of(clusters), orphan=orphan)
    limits = limits_of(False, None, min_locality, max_changed)
    _edit(bank, "restore", lambda _: edit, _Asked(dry_run, measure, False, limits, anyway, study, device, anchor, json))


def scale(
    bank: BankArgument,
    clusters: ClustersArgument,
    factor: Annotated[
        float,
        typer.Option("--factor", metavar="F", help="0 to 2 times the block's own numbers; 1 is the block itself.", show_default=False),
    ],
    subtree: Annotated[bool, typer.Option("--subtree", help="With all that lies below.")] = False,
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    json: JsonOption = False,
) -> None:
    """Have blocks add more or less of what they hold."""
    from memstudio.editing.scale import Scale

    edit = Scale(clusters_of(clusters), factor, subtree)
    limits = limits_of(False, None, min_locality, max_changed)
    _edit(bank, "scale", lambda _: edit, _Asked(dry_run, measure, True, limits, anyway, study, device, anchor, json))


def swap(
    bank: BankArgument,
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="The cluster that gets another block.", show_default=False)],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Whose block it gets.", show_default=False)],
    other: Annotated[
        str, typer.Option("--from", metavar="BANK", help="SOURCE of another bank of the same anchor, as shipped.", show_default=False)
    ] = "",
    patch: Annotated[str, typer.Option("--patch", metavar="PATCH", help="SOURCE as a patch leaves it.", show_default=False)] = "",
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    json: JsonOption = False,
) -> None:
    """Put another block in a cluster's place."""
    from memstudio.editing.swap import Swap
    from memstudio.session import bank_folder

    edit = Swap(
        _one(cluster), _one(source), str(bank_folder(other).absolute()) if other else "", str(Path(patch).absolute()) if patch else ""
    )
    limits = limits_of(False, None, min_locality, max_changed)
    _edit(bank, "swap", lambda _: edit, _Asked(dry_run, measure, True, limits, anyway, study, device, anchor, json))


def rewrite(
    bank: BankArgument,
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="The block to write.", show_default=False)],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="safetensors: block, or LAYER.gate, LAYER.up, LAYER.down.", show_default=False),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Write the block as it stands to FILE, and nothing else.", show_default=False),
    ] = None,
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    json: JsonOption = False,
) -> None:
    """Write a block's numbers from a safetensors file; what the file does not name stays."""
    from memstudio.editing.rewrite import Rewrite

    at = _one(cluster)
    if (file is None) == (save is None) or (save is not None and dry_run):
        raise typer.BadParameter("name the FILE that holds the new numbers, or --save FILE to write those of now")
    if save is not None:
        _save(bank, at, save, study, json)
        return
    limits = limits_of(False, None, min_locality, max_changed)
    asked = _Asked(dry_run, measure, True, limits, anyway, study, device, anchor, json)
    _edit(bank, "rewrite", lambda session: Rewrite.from_file(at, file or Path(), session.bank), asked)


def _one(text: str) -> "ClusterId":
    from memstudio.bank.values import parse_cluster

    return parse_cluster(text)


def _refuse_both(subtree: bool, orphan: bool) -> None:
    if subtree and orphan:
        raise typer.BadParameter("--subtree and --orphan contradict each other; choose one")


def _edit(bank: str, verb: str, make: "Callable[[Session], Edit]", asked: _Asked) -> None:
    """Plan, measure and gate beside the study; only what passes opens it to write, so that a bad edit does not begin one."""
    from memstudio.facts.gate import judge

    with planning(bank, study=asked.study, device=asked.device, anchor=asked.anchor) as session, show.progress(verb) as job:
        edit, measures = make(session), asked.measures(session)
        plan, head, folder = session.plan(edit, job=job), session.head, session.study
        if measures:
            loaded(session)
            plan = session.plan(edit, measure=True, job=job)
    limits = asked.limits if measures or asked.limits.asked else None
    if asked.dry_run:
        _print_edit(plan, None, head, folder, asked.json)
        return
    if limits is not None:
        judge(plan.receipt, limits, asked.anyway)
    with editing(bank, study=asked.study) as session:
        revision = session.apply(plan, limits=limits, reason=asked.anyway)
        _print_edit(plan, revision, session.head, session.study, asked.json)


def _save(bank: str, cluster: "ClusterId", file: Path, study: Path | None, json: bool) -> None:
    from memstudio.editing.rewrite import save_block

    with planning(bank, study=study) as session:
        save_block(session.desk(), cluster, file)
        size, head = file.stat().st_size, session.head
    if json:
        show.print_json({"cluster": cluster, "path": file, "bytes": size, "head": head})
    else:
        show.say(f"block {cluster} of revision {head}: {show.size(size)} written to {file}")


def _print_edit(plan: "Plan", revision: "Revision | None", head: int, study: Path | None, json: bool) -> None:
    receipt = revision.receipt if revision else plan.receipt
    if json:
        show.print_json(
            {
                "revision": revision.id if revision else None,
                "head": head,
                "dry_run": revision is None,
                "title": plan.edit.title,
                "changes": plan.changes,
                "receipt": receipt,
                "study": study,
            }
        )
        return
    would = "would change" if revision is None else "changed"
    place = "nothing was written" if revision is None else f"revision {revision.id}"
    show.say(f"{plan.edit.title}: {would} {plan.blocks} block{'s' * (plan.blocks != 1)}, {show.size(plan.bytes)}; {place}")
    for line in plan.notes:
        show.say(f"  {line}")
    shown = [(change.cluster, _short(change.before), _short(change.after)) for change in plan.changes[:_SHOWN]]
    show.table(None, ("cluster", "before", "after"), shown)
    if plan.blocks > len(shown):
        show.say(f"… and {plan.blocks - len(shown)} more")
    _print_receipt(receipt)
    if study is not None:
        show.say(f"study {study}")


def _print_receipt(receipt: "Mapping[str, Any]") -> None:
    if not receipt.get("measured"):
        return
    from memstudio.facts.receipt import present
    from memstudio.facts.score import answer_of

    show.say("receipt, measured")
    for line in present(receipt):
        show.say(f"  {line}")
    for row in receipt["changed"][:_CHANGED]:
        show.say(f"    {row['prompt']} {answer_of(row['before']):.40} → {answer_of(row['after']):.40}")
    if receipt["changed_count"] > _CHANGED:
        show.say(f"    … and {receipt['changed_count'] - _CHANGED} more; --json lists them")


def _short(state: "BlockState") -> str:
    return str(state).replace(state.source, f"{state.source:.12}…") if len(state.source) == 64 else str(state)
