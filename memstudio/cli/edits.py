"""The verbs that edit whole blocks: prune, restore, scale, swap, rewrite."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnywayOption,
    BankArgument,
    ChangedOption,
    ClustersArgument,
    DryRunOption,
    JsonOption,
    LocalityOption,
    MeasureOption,
    StudyOption,
    clusters_of,
    editing,
    limits_of,
    planning,
)

if TYPE_CHECKING:
    from memstudio.editing.plan import Edit, Plan
    from memstudio.facts.gate import Limits
    from memstudio.history.values import Revision

OrphanOption = Annotated[bool, typer.Option("--orphan", help="Only the clusters named: what lies below stays, without its ancestor.")]
SubtreeOption = Annotated[bool, typer.Option("--subtree", help="With all that lies below (so it is anyway, unless --orphan).")]


def prune(
    bank: BankArgument,
    clusters: ClustersArgument,
    subtree: SubtreeOption = False,
    orphan: OrphanOption = False,
    dry_run: DryRunOption = False,
    study: StudyOption = None,
    json: JsonOption = False,
) -> None:
    """Take blocks out, with all that lies below them."""
    from memstudio.editing.prune import Prune

    _refuse_both(subtree, orphan)
    _edit(bank, Prune(clusters_of(clusters), orphan=orphan), dry_run, study, json)


def restore(
    bank: BankArgument,
    clusters: ClustersArgument,
    subtree: SubtreeOption = False,
    orphan: OrphanOption = False,
    dry_run: DryRunOption = False,
    study: StudyOption = None,
    json: JsonOption = False,
) -> None:
    """Put blocks back as shipped, with the pruned ones above and below them."""
    from memstudio.editing.prune import Restore

    _refuse_both(subtree, orphan)
    _edit(bank, Restore(clusters_of(clusters), orphan=orphan), dry_run, study, json)


def scale(
    bank: BankArgument,
    clusters: ClustersArgument,
    factor: Annotated[float, typer.Option("--factor", metavar="F", help="0 to 2; 1 is the block itself.")],
    subtree: Annotated[bool, typer.Option("--subtree", help="With all that lies below.")] = False,
    dry_run: DryRunOption = False,
    measure: MeasureOption = True,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    json: JsonOption = False,
) -> None:
    """Have blocks add more or less of what they hold."""
    from memstudio.editing.scale import Scale

    limits = limits_of(False, None, min_locality, max_changed)
    _edit(bank, Scale(clusters_of(clusters), factor, subtree), dry_run, study, json, measure, limits, anyway)


def swap(
    bank: BankArgument,
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="The cluster that gets another block.", show_default=False)],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Whose block it gets.", show_default=False)],
    other: Annotated[
        str, typer.Option("--from", metavar="BANK", help="SOURCE of another bank of the same anchor, as shipped.", show_default=False)
    ] = "",
    patch: Annotated[str, typer.Option("--patch", metavar="PATCH", help="SOURCE as a patch leaves it.", show_default=False)] = "",
    dry_run: DryRunOption = False,
    measure: MeasureOption = True,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    json: JsonOption = False,
) -> None:
    """Put another block in a cluster's place."""
    from memstudio.editing.swap import Swap
    from memstudio.session import bank_folder

    (at,), (origin,) = clusters_of([cluster]), clusters_of([source])
    folder = str(bank_folder(other)) if other else ""
    limits = limits_of(False, None, min_locality, max_changed)
    _edit(bank, Swap(at, origin, folder, patch), dry_run, study, json, measure, limits, anyway)


def rewrite(
    bank: BankArgument,
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="The block to write.", show_default=False)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Tensors: block, or LAYER.gate, .up, .down.", show_default=False)],
    save: Annotated[bool, typer.Option("--save", help="Write the block as it stands to FILE instead.")] = False,
    dry_run: DryRunOption = False,
    measure: MeasureOption = True,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    json: JsonOption = False,
) -> None:
    """Write a block's numbers from a safetensors file."""
    from memstudio.editing.rewrite import Rewrite, save_block

    (at,) = clusters_of([cluster])
    with planning(bank, study=study) as session:
        if save:
            save_block(session.desk(), at, file)
            show.say(f"{at} written to {file}") if not json else show.print_json({"cluster": at, "path": file})
            return
        edit = Rewrite.from_file(at, file, session.bank)
    _edit(bank, edit, dry_run, study, json, measure, limits_of(False, None, min_locality, max_changed), anyway)


def _refuse_both(subtree: bool, orphan: bool) -> None:
    if subtree and orphan:
        raise typer.BadParameter("--subtree and --orphan contradict each other; choose one")


def _edit(
    bank: str,
    edit: "Edit",
    dry_run: bool,
    study: Path | None,
    json: bool,
    measure: bool = False,
    limits: "Limits | None" = None,
    anyway: str = "",
) -> None:
    with planning(bank, study=study) as session, show.progress(edit.verb) as job:  # also before an edit: a bad one must not begin a study
        plan, head, folder = session.plan(edit, measure=measure and dry_run, job=job), session.head, session.study
    if dry_run:
        _print_edit(plan, None, head, folder, json)
        return
    with editing(bank, study=study) as session, show.progress(edit.verb) as job:
        plan = session.plan(edit, measure=measure, job=job)
        revision = session.apply(plan, limits=limits, reason=anyway)
        _print_edit(plan, revision, session.head, session.study, json)


def _print_edit(plan: "Plan", revision: "Revision | None", head: int, study: Path | None, json: bool) -> None:
    if json:
        show.print_json(
            {
                "revision": revision.id if revision else None,
                "head": head,
                "dry_run": revision is None,
                "title": plan.edit.title,
                "changes": plan.changes,
                "receipt": revision.receipt if revision else plan.receipt,
                "study": study,
            }
        )
        return
    would = "would change" if revision is None else "changed"
    place = "nothing was written" if revision is None else f"revision {revision.id}"
    show.say(f"{plan.edit.title}: {would} {plan.blocks} blocks, {show.size(plan.bytes)}; {place}")
    for line in plan.notes:
        show.say(f"  {line}")
    receipt = revision.receipt if revision else plan.receipt
    if receipt.get("measured"):
        from memstudio.facts.receipt import present

        for line in present(receipt):
            show.say(f"  {line}")
    shown = [(change.cluster, change.before, change.after) for change in plan.changes[:20]]
    show.table(None, ("cluster", "before", "after"), shown)
    if plan.blocks > len(shown):
        show.say(f"… and {plan.blocks - len(shown)} more")
    if study is not None:
        show.say(f"study {study}")
