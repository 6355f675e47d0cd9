"""Patches of a study: write revisions out for others, and bring in what others wrote, where it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.bank.values import BASE, BlockState, Change, ClusterId
from memstudio.editing.erase import Erase, all_facts, document_of
from memstudio.editing.kinds import edit_from_json
from memstudio.editing.learn import Learn, Learned
from memstudio.errors import UserError
from memstudio.export.patch import Patch, read_patch, write_patch
from memstudio.export.patch_edit import ApplyPatch
from memstudio.export.silence import WITHHELD, Gone
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session.telling import tells

if TYPE_CHECKING:
    from memstudio.editing.plan import Plan
    from memstudio.facts.gate import Limits
    from memstudio.history.values import Revision
    from memstudio.session.session import Session


@tells
def export_patch(session: Session, out: str | Path, revisions: Sequence[int] | None = None) -> tuple[Change, ...]:
    """Write a patch folder of revisions (None: all that lead to the head); gives what they come to.

    Raises:
        UserError: see `export.patch.write_patch`; a revision does not lead to the head, or a block of it was purged.
    """
    leading = [revision for revision in session.log() if revision.current and revision.id != 0]
    chosen = leading
    if revisions is not None:
        known = {revision.id: revision for revision in leading}
        for number in revisions:
            if number not in known:
                session.store.revision(number)  # says so where there is none
                raise UserError(f"revision {number}: does not lead to revision {session.head}, where the study stands: go there first")
        chosen = [known[number] for number in sorted(set(revisions))]
    for revision in leading:
        ids = {fact.id for fact in taken_down(session, [revision]).facts}
        texts = set(taken_down(session, [revision]).documents)
        back = next((old.id for old in chosen if old.id < revision.id and (ids & _ids(old) or texts & _texts(old))), None)
        if back is not None and revision not in chosen:
            raise UserError(f"revision {back}: taught what revision {revision.id} took down: export that one with it")
    gone = taken_down(session, leading)
    return write_patch(Path(out), session.bank, [told(revision, gone) for revision in chosen], session.blob)


def requests_of(revision: Revision) -> tuple[Fact, ...]:
    """The facts that a revision's edit was to change or erase; none for an edit of whole blocks.

    Raises:
        UserError: what is kept with it is no edit.
    """
    kept = revision.receipt.get("edit")
    return edit_from_json(kept).facts if isinstance(kept, dict) else ()


def learned_by(revision: Revision) -> tuple[Learned, ...]:
    """The documents that a revision taught.

    Raises:
        UserError: what is kept with it is no edit.
    """
    kept = revision.receipt.get("edit")
    edit = edit_from_json(kept) if isinstance(kept, dict) else None
    return edit.documents if isinstance(edit, Learn) else ()


def _ids(revision: Revision) -> set[str]:
    return {fact.id for fact in requests_of(revision)}


def _texts(revision: Revision) -> set[str]:
    return {document.text for document in learned_by(revision)}


def taken_down(session: Session, revisions: Sequence[Revision]) -> Gone:
    """What these revisions erased; it stays so though it was taught again.

    Raises:
        UserError: what is kept with one is no edit, or a document that it erased is gone from the bank.
    """
    facts: dict[str, Fact] = {}
    documents: list[str] = []
    for revision in revisions:
        kept = revision.receipt.get("edit")
        edit = edit_from_json(kept) if isinstance(kept, dict) else None
        if isinstance(edit, Erase):
            facts |= {fact.id: replace(fact, target="") for fact in all_facts(edit, session.bank, session.facts())}
            documents += [document_of(session.bank, name)[0] for name in edit.documents]
            documents += [document.text for document in edit.learned]
    return Gone(tuple(facts.values()), tuple(documents))


def told(revision: Revision, gone: Gone) -> Revision:
    """The revision under a title that tells of nothing which was taken down, and holds no control character."""
    named = revision.verb != Erase.verb and gone.ids & {fact.id for fact in requests_of(revision)}
    if named or gone.told_in(revision.title):
        return replace(revision, title=f"{revision.verb}, {WITHHELD}")
    return replace(revision, title="".join(letter if letter.isprintable() else " " for letter in revision.title))


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
