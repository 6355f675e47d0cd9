"""The verbs that write to a study: prune, restore, undo, redo, checkout, and log, which shows it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    BankArgument,
    ClustersArgument,
    JsonOption,
    StudyArgument,
    StudyOption,
    clusters_of,
    editing,
    planning,
    revisiting,
)

if TYPE_CHECKING:
    from memstudio.editing.plan import Edit, Plan
    from memstudio.history.values import Revision
    from memstudio.session import Session

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change and write nothing.")]
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


def log(study: StudyArgument, json: JsonOption = False, folder: StudyOption = None) -> None:
    """The revisions of a study, oldest first."""
    with revisiting(study, folder=folder, readonly=True) as session:
        payload = _log_payload(session)
    _print_log(payload, json)


def undo(study: StudyArgument, json: JsonOption = False, folder: StudyOption = None) -> None:
    """Go back to the revision before."""
    with revisiting(study, folder=folder) as session:
        if session.store.undo_target() is None:
            show.note("nothing to undo: the study stands at revision 0, the bank as shipped")
            raise typer.Exit(1)
        _moved(session, session.undo(), json)


def redo(study: StudyArgument, json: JsonOption = False, folder: StudyOption = None) -> None:
    """Go to the revision that was last undone."""
    with revisiting(study, folder=folder) as session:
        if session.store.redo_target() is None:
            show.note(f"nothing to redo: no revision was undone after revision {session.head}")
            raise typer.Exit(1)
        _moved(session, session.redo(), json)


def checkout(
    study: StudyArgument,
    revision: Annotated[int, typer.Argument(metavar="REVISION", min=0, help="Its number in the log.", show_default=False)],
    json: JsonOption = False,
    folder: StudyOption = None,
) -> None:
    """Go to any revision."""
    with revisiting(study, folder=folder) as session:
        _moved(session, session.checkout(revision), json)


def _refuse_both(subtree: bool, orphan: bool) -> None:
    if subtree and orphan:
        raise typer.BadParameter("--subtree and --orphan contradict each other; choose one")


def _edit(bank: str, edit: "Edit", dry_run: bool, study: Path | None, json: bool) -> None:
    with planning(bank, study=study) as session:  # also before an edit: one that cannot be made must not begin a study
        plan, head, folder = session.plan(edit), session.head, session.study
    if dry_run:
        _print_edit(plan, None, head, folder, json)
        return
    with editing(bank, study=study) as session:
        plan = session.plan(edit)
        revision = session.apply(edit)
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
    shown = [(change.cluster, change.before, change.after) for change in plan.changes[:20]]
    show.table(None, ("cluster", "before", "after"), shown)
    if plan.blocks > len(shown):
        show.say(f"… and {plan.blocks - len(shown)} more")
    if study is not None:
        show.say(f"study {study}")


def _moved(session: "Session", revision: "Revision", json: bool) -> None:
    payload = _log_payload(session)
    if json:
        show.print_json(payload)
        return
    show.say(f"now at revision {revision.id}: {revision.title}")
    show.say(f"study {session.study}")


def _log_payload(session: "Session") -> dict[str, Any]:
    return {"revisions": session.log(), "head": session.head, "study": session.study, "bank": session.bank.name}


def _print_log(payload: dict[str, Any], json: bool) -> None:
    if json:
        show.print_json(payload)
        return
    rows = []
    for revision in payload["revisions"]:
        mark = "●" if revision.head else "│" if revision.current else ""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(revision.time_s))
        rows.append((mark, revision.id, "–" if revision.parent is None else revision.parent, when, revision.title, len(revision.changes)))
    show.table(f"study {payload['study']}", ("", "revision", "parent", "when", "what", "blocks"), rows, right=(1, 2, 5))
