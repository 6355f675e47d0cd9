"""Patches of a study: write revisions out for others, and bring in what others wrote, where it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memstudio.bank.values import BASE, BlockState, Change, ClusterId
from memstudio.errors import UserError
from memstudio.export.patch import Patch, read_patch, write_patch
from memstudio.export.patch_edit import ApplyPatch
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.editing.plan import Plan
    from memstudio.facts.gate import Limits
    from memstudio.history.values import Revision
    from memstudio.session.session import Session


def export_patch(session: Session, out: str | Path, revisions: Sequence[int] | None = None) -> tuple[Change, ...]:
    """Write a patch folder of revisions (None: all that lead to the head); gives what they come to.

    Raises:
        UserError: see `export.patch.write_patch`; a revision does not lead to the head, or a block of it was purged.
    """
    leading = [revision for revision in session.log() if revision.current and revision.id != 0]
    if revisions is not None:
        known = {revision.id: revision for revision in leading}
        for number in revisions:
            if number not in known:
                session.store.revision(number)  # says so where there is none
                raise UserError(f"revision {number}: does not lead to revision {session.head}, where the study stands: go there first")
        leading = [known[number] for number in sorted(set(revisions))]
    return write_patch(Path(out), session.bank, silenced(leading), session.blob)


def silenced(revisions: Sequence[Revision]) -> list[Revision]:
    """The revisions, oldest first, with titles that tell nothing of a fact which a later one of them took down."""
    found: list[Revision] = []
    gone: set[str] = set()
    for revision in reversed(revisions):
        told = {fact["id"] for fact in requests_of(revision)}
        found.append(replace(revision, title=f"{revision.verb}, taken down later") if told & gone else revision)
        gone |= taken_down(revision)
    return found[::-1]


def taken_down(revision: Revision) -> set[str]:
    """The ids of the facts that an erasure took down; a study may come from anybody, so nothing is taken for granted."""
    figures = revision.receipt.get("figures")
    named = figures.get("taken_down") if isinstance(figures, dict) else None
    ids = named.get("facts") if isinstance(named, dict) else None
    return {name for name in ids if isinstance(name, str)} if isinstance(ids, list) else set()


def requests_of(revision: Revision) -> list[dict[str, Any]]:
    """The facts that a revision's edit named, as they are kept with it."""
    kept = revision.receipt.get("edit")
    facts = kept.get("facts") if isinstance(kept, dict) else None
    return [fact for fact in facts if isinstance(fact, dict) and isinstance(fact.get("id"), str)] if isinstance(facts, list) else []


def plan_patch(session: Session, path: str | Path, *, measure: bool = False, job: Job | None = None) -> Plan:
    """What applying a patch would do; writes nothing.

    Raises:
        UserError: see `export.patch.read_patch`; the patch does not fit what stands at the head.
    """
    return session.plan(fitting(session, path), measure=measure, job=job)


def fitting(session: Session, path: str | Path) -> ApplyPatch:
    """The edit that applies a patch, read and checked against the bank and what stands at the head.

    Raises:
        UserError: as `plan_patch`.
    """
    patch = read_patch(Path(path), session.bank)
    _check_fit(session, patch)
    return ApplyPatch(patch)


def apply_patch(
    session: Session,
    path: str | Path,
    *,
    measure: bool = False,
    limits: Limits | None = None,
    reason: str = "",
    job: Job | None = None,
) -> Revision:
    """Apply a patch as one revision; the options are those of `Session.apply`.

    Raises:
        UserError: as `plan_patch`; the session only reads.
        Refused: the receipt breaks a limit.
    """
    plan = plan_patch(session, path, measure=measure or limits is not None, job=job)
    return session.apply(plan, limits=limits, reason=reason, job=job)


def _check_fit(session: Session, patch: Patch) -> None:
    """Refuse a patch whose blocks stand otherwise here, and say where it would fit.

    Raises:
        UserError: they do.
    """
    misfits = patch.misfits(session.overlay)
    if not misfits:
        return
    overlay = session.overlay
    if all(overlay.get(change.cluster, BASE) == change.after for change in patch.changes):
        raise UserError(f"patch {patch.name}: is applied already, every block of it stands as it says")
    names = ", ".join(str(change.cluster) for change in misfits[:8]) + (f" and {len(misfits) - 8} more" if len(misfits) > 8 else "")
    fits = _where(session, patch)
    way = f"it fits revision {fits}: checkout {fits} first" if fits is not None else "it fits no revision of this study"
    raise UserError(f"patch {patch.name}: was made on other states of {names} than stand here; {way}")


def _where(session: Session, patch: Patch) -> int | None:
    """The latest revision at which every block of the patch stands as before it."""
    wanted = {change.cluster: change.before for change in patch.changes}
    states: dict[int, dict[ClusterId, BlockState]] = {}
    fitting = None
    for revision in session.log() if session.study is not None else ():
        above = states[revision.parent] if revision.parent is not None else {}
        own = {change.cluster: change.after for change in revision.changes if change.cluster in wanted}
        states[revision.id] = {**above, **own} if own else above
        if all(states[revision.id].get(cluster, BASE) == state for cluster, state in wanted.items()):
            fitting = revision.id
    return fitting
