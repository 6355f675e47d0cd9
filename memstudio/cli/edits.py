"""The verbs that edit whole blocks: prune, restore, scale, swap, rewrite."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    AnywayOption,
    BankArgument,
    ChangedOption,
    ClustersArgument,
    DeviceOption,
    DryRunOption,
    JsonOption,
    LocalityOption,
    MeasureOption,
    StudyOption,
    clusters_of,
    limits_of,
    planning,
)
from memstudio.cli.planned import Asked, carry_out

if TYPE_CHECKING:
    from memstudio.bank.values import ClusterId
    from memstudio.facts.gate import Limits

OrphanOption = Annotated[bool, typer.Option("--orphan", help="Only the clusters named: what lies below stays, without its ancestor.")]
SubtreeOption = Annotated[bool, typer.Option("--subtree", help="With all that lies below (so it is anyway, unless --orphan).")]


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
    carry_out(bank, "prune", lambda _: edit, Asked(dry_run, _asked(measure, limits), limits, anyway, study, device, anchor, json))


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
    carry_out(bank, "restore", lambda _: edit, Asked(dry_run, _asked(measure, limits), limits, anyway, study, device, anchor, json))


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
    carry_out(bank, "scale", lambda _: edit, Asked(dry_run, measure, limits, anyway, study, device, anchor, json))


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
    carry_out(bank, "swap", lambda _: edit, Asked(dry_run, measure, limits, anyway, study, device, anchor, json))


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
    asked = Asked(dry_run, measure, limits, anyway, study, device, anchor, json)
    carry_out(bank, "rewrite", lambda session: Rewrite.from_file(at, file or Path(), session.bank), asked)


def _one(text: str) -> "ClusterId":
    from memstudio.bank.values import parse_cluster

    return parse_cluster(text)


def _asked(measure: bool | None, limits: "Limits") -> bool:
    """Pruning takes an instant and no model, so it is measured only where that was asked for; `receipt --measure` does it later."""
    return bool(limits.asked) if measure is None else measure


def _refuse_both(subtree: bool, orphan: bool) -> None:
    if subtree and orphan:
        raise typer.BadParameter("--subtree and --orphan contradict each other; choose one")


def _save(bank: str, cluster: "ClusterId", file: Path, study: Path | None, json: bool) -> None:
    from memstudio.editing.rewrite import save_block

    with planning(bank, study=study) as session:
        save_block(session.desk(), cluster, file)
        size, head = file.stat().st_size, session.head
    if json:
        show.print_json({"cluster": cluster, "path": file, "bytes": size, "head": head})
    else:
        show.say(f"block {cluster} of revision {head}: {show.size(size)} written to {file}")
