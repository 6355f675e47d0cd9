"""The verbs of a study's history: log, receipt, undo, redo, checkout, name, revert, diff, purge; and applying a patch that carries one."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    AnywayOption,
    BankArgument,
    ChangedOption,
    DeviceOption,
    JsonOption,
    LocalityOption,
    MeasureOption,
    StudyArgument,
    StudyOption,
    limits_of,
    revisiting,
)
from memstudio.cli.planned import Asked, carry_out, print_receipt, printable, short_state
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.bank.values import Change
    from memstudio.history.values import Revision
    from memstudio.session import Session

RevisionArgument = Annotated[str, typer.Argument(metavar="REVISION", help="Its number in the log, or its name.", show_default=False)]
HeadArgument = Annotated[str, typer.Argument(metavar="[REVISION]", help="Its number or name; where the study stands unless given.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change and write nothing.")]
PathArgument = Annotated[Path, typer.Argument(metavar="PATCH", help="A patch folder.", show_default=False)]
_FIGURES = ("reliability", "generalization", "locality", "portability", "outside_identical")


def log(study: StudyArgument, json: JsonOption = False, folder: StudyOption = None) -> None:
    """The revisions of a study, oldest first: where it stands (●), what leads there (│), names, parents, what was measured."""
    with revisiting(study, folder=folder, readonly=True) as session:
        payload = _log_payload(session)
    if json:
        show.print_json(payload)
        return
    named: dict[int, list[str]] = {}
    for text, number in payload["names"].items():
        named.setdefault(number, []).append(text)
    rows: list[tuple[object, ...]] = []
    for revision in payload["revisions"]:
        mark = "●" if revision.head else "│" if revision.current else ""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(revision.time_s))
        what = " ".join([*(f"[{text}]" for text in named.get(revision.id, ())), revision.title])
        rows.append((mark, revision.id, "–" if revision.parent is None else revision.parent, when, what, len(revision.changes)))
        if measured := summary(revision.receipt):
            rows.append((mark and "│", "", "", "", measured, ""))
    show.table(f"study {payload['study']}", ("", "revision", "parent", "when", "what", "blocks"), rows, right=(1, 2, 5))


def receipt(
    study: StudyArgument,
    revision: HeadArgument = "head",
    measure: Annotated[bool, typer.Option("--measure", help="Measure it now, against its parent, and keep that.")] = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
    folder: StudyOption = None,
) -> None:
    """What a revision did, as it was measured."""
    with revisiting(study, folder=folder, readonly=not measure, device=device) as session, show.progress("measure") as job:
        number = session.store.find(revision)
        found = session.measure(number, job=job) if measure else session.store.revision(number)
        payload = {"revision": found.id, "title": found.title, "receipt": found.receipt, "study": session.study}
    if json:
        show.print_json(payload)
        return
    show.say(f"revision {found.id}: {printable(found.title)}")
    for line in _notes(found):
        show.say(f"  {line}")
    print_receipt(found.receipt)


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


def checkout(study: StudyArgument, revision: RevisionArgument, json: JsonOption = False, folder: StudyOption = None) -> None:
    """Go to any revision; an edit made there begins a branch."""
    with revisiting(study, folder=folder) as session:
        _moved(session, session.checkout(session.store.find(revision)), json)


def name(
    study: StudyArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="For example before-review.", show_default=False)],
    revision: HeadArgument = "head",
    remove: Annotated[bool, typer.Option("--remove", help="Take the name away.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Move it where another revision has it.")] = False,
    json: JsonOption = False,
    folder: StudyOption = None,
) -> None:
    """Give a revision a name, which stands for its number everywhere."""
    with revisiting(study, folder=folder) as session:
        if remove:
            number = session.store.unname(name)
        else:
            number = session.store.find(revision)
            session.store.name(number, name, force=force)
        payload = {"name": name, "revision": number, "names": session.store.names(), "study": session.study}
    if json:
        show.print_json(payload)
    else:
        show.say(f"{name}: no longer revision {number}" if remove else f"{name}: revision {number}")


def revert(
    study: StudyArgument,
    revision: RevisionArgument,
    along: Annotated[bool, typer.Option("--along", help="With the later revisions that stand on it.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Then run the edits of those again.")] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    folder: StudyOption = None,
) -> None:
    """Take one revision back, by a new one; those after it stay, unless they stand on its blocks."""
    from memstudio.session import graph

    with revisiting(study, folder=folder, readonly=dry_run) as session:
        plan = graph.plan_revert(session, session.store.find(revision))
        if not dry_run:
            before = session.head
            done = graph.revert(session, plan.revision, along=along, again=again, measure=bool(session.facts()))
            changes = tuple(session.store.diff(before, done.id))
            _print_done(session, done, changes, json, {"reverted": plan.revision, "dependents": plan.dependents, "exact": plan.exact})
            return
        payload: dict[str, object] = {
            "revision": None,
            "dry_run": True,
            "reverted": plan.revision,
            "dependents": plan.dependents,
            "exact": plan.exact,
        }
        payload |= {"changes": plan.changes, "head": session.head, "study": session.study}
    if json:
        show.print_json(payload)
        return
    show.say(f"revert {plan.revision}: would change {_blocks(len(plan.changes))}; nothing was written")
    if plan.dependents:
        show.say(f"  stand on its blocks and would go along: {', '.join(map(str, plan.dependents))} (--along, or --again)")
    _print_changes(plan.changes)


def diff(
    study: StudyArgument,
    a: Annotated[str, typer.Argument(metavar="A", help="A revision.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.", show_default=False)],
    json: JsonOption = False,
    folder: StudyOption = None,
) -> None:
    """The blocks that differ between two revisions, and by how much."""
    from memstudio.session import graph

    with revisiting(study, folder=folder, readonly=True) as session:
        first, second = session.store.find(a), session.store.find(b)
        found = graph.diff(session, first, second)
        payload = {"a": first, "b": second, "blocks": found, "study": session.study}
    if json:
        show.print_json(payload)
        return
    show.say(f"{_blocks(len(found))} apart: revision {first} and revision {second}")
    rows = [(block.cluster, short_state(block.before), short_state(block.after), block.norm, block.relative) for block in found[:50]]
    show.table(None, ("cluster", "before", "after", "norm", "relative"), rows, right=(3, 4))
    if len(found) > len(rows):
        show.say(f"… and {len(found) - len(rows)} more")


def purge(
    study: StudyArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, for good.")] = False,
    json: JsonOption = False,
    folder: StudyOption = None,
) -> None:
    """Let every edited block that does not stand now go for good, other branches' included, and scrub what receipts tell of them."""
    from memstudio.session import graph

    if not yes:
        raise UserError(f"{study}: purging cannot be undone, and older revisions can no longer be gone to; say --yes to do it")
    with revisiting(study, folder=folder) as session:
        done = graph.purge(session)
        payload = {"blobs": done.blobs, "bytes": done.bytes, "receipts": done.receipts, "clean": done.clean, "study": session.study}
    if json:
        show.print_json(payload)
    else:
        show.say(f"purged {_blocks(done.blobs)}, {show.size(done.bytes)}; {done.receipts} receipts scrubbed")
    if not done.clean:
        show.note(f"{study}: another program reads it, so the database could not be rewritten; close it there and purge again")


def apply(
    bank: BankArgument,
    patch: PathArgument,
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
    """Bring a patch in, as one revision; one of another bank or of other blocks than stand now is refused."""
    from memstudio.session.patching import fitting

    limits = limits_of(False, None, min_locality, max_changed)
    carry_out(bank, "apply", lambda session: fitting(session, patch), Asked(dry_run, measure, limits, anyway, study, device, anchor, json))


VERBS = {verb.__name__: verb for verb in (log, receipt, undo, redo, checkout, name, revert, diff, purge, apply)}
"""The verbs of this file by their names."""


def summary(receipt: dict[str, Any]) -> str:
    """The measured shares of a receipt on one line, with their n; nothing where nothing was measured."""
    counted = receipt.get("proportions")
    proportions = counted if isinstance(counted, dict) else {}
    parts = []
    for key in _FIGURES:
        share = receipt.get(key)
        if isinstance(share, int | float) and not isinstance(share, bool):
            n = proportions.get(key, {}).get("n") if isinstance(proportions.get(key), dict) else None
            parts.append(f"{key.replace('_', ' ')} {share:.2f}" + (f" (n {n})" if isinstance(n, int) else ""))
    gate = receipt.get("gate")
    if isinstance(gate, dict) and gate.get("ok") is False:
        parts.append("went on against the gate")
    return " · ".join(parts)


def _log_payload(session: "Session") -> dict[str, Any]:
    names = session.store.names()
    return {"revisions": session.log(), "head": session.head, "names": names, "study": session.study, "bank": session.bank.name}


def _moved(session: "Session", revision: "Revision", json: bool) -> None:
    if json:
        show.print_json(_log_payload(session))
        return
    show.say(f"now at revision {revision.id}: {revision.title}")
    show.say(f"study {session.study}")


def _print_done(session: "Session", done: "Revision", changes: "tuple[Change, ...]", json: bool, more: dict[str, object]) -> None:
    if json:
        payload = {"revision": done.id, "head": session.head, "dry_run": False, "title": done.title, "changes": changes}
        show.print_json({**payload, "receipt": done.receipt, "study": session.study, **more})
        return
    show.say(f"{done.title}: changed {_blocks(len(changes))}; revision {done.id}")
    for line in _notes(done):
        show.say(f"  {line}")
    _print_changes(changes)
    print_receipt(done.receipt)
    show.say(f"study {session.study}")


def _notes(revision: "Revision") -> list[str]:
    """The notes that its edit left; a study may come from anybody."""
    notes = revision.receipt.get("notes")
    return [printable(line) for line in notes] if isinstance(notes, list) else []


def _print_changes(changes: "tuple[Change, ...]") -> None:
    shown = [(change.cluster, short_state(change.before), short_state(change.after)) for change in changes[:20]]
    show.table(None, ("cluster", "before", "after"), shown)
    if len(changes) > len(shown):
        show.say(f"… and {len(changes) - len(shown)} more")


def _blocks(count: int) -> str:
    return f"{count} block{'s' * (count != 1)}"
