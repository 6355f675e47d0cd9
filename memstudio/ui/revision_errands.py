"""What the worker does for history and comparison: functions over an open session that give back snapshots. No Qt in here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.events import Did
from memstudio.ui.revision_views import Compared, Done, Named, PatchView, Pieces, RevertView
from memstudio.ui.texts import counted, size_text

if TYPE_CHECKING:
    from memstudio.anchor.load import Anchor
    from memstudio.editing.plan import Plan
    from memstudio.jobs import Job
    from memstudio.session import Session
    from memstudio.session.comparing import Turned


def revert_view(session: Session, revision: int) -> RevertView:
    """How a revision can be taken back; writes nothing.

    Raises:
        UserError: as `plan_revert`.
    """
    from memstudio.session.graph import plan_revert

    plan = plan_revert(session, revision)
    titles = {each.id: each.title for each in session.log()}
    return RevertView(revision, titles[revision], len(plan.changes), tuple((number, titles[number]) for number in plan.dependents))


def name(session: Session, revision: int, text: str) -> Named:
    """Give a revision a name, taken from another one where that has it.

    Raises:
        UserError: a name that cannot be one.
    """
    session.store.name(revision, text.strip(), force=True)
    session.emit(Did("store.name", (revision, text.strip()), {"force": True}))
    return Named(f"Revision {revision} is named {text.strip()}.")


def unname(session: Session, text: str) -> Named:
    """Take a name away.

    Raises:
        UserError: no revision has it.
    """
    revision = session.store.unname(text)
    session.emit(Did("store.unname", (text,)))
    return Named(f"Revision {revision} is no longer named {text}.")


def compared(session: Session, a: int, b: int, job: Job) -> Compared:
    """Two revisions by their blocks and by the bank's own facts, with both answers as tokens.

    Raises:
        UserError: as `Session.compare`.
    """
    found = session.compare(a, b, job=job)
    rows = []
    for turned in found.turned:
        rows.append(pieces_of(session.running.anchor, turned))
        job.breathe()
    return Compared(found, tuple(rows))


def pieces_of(anchor: Anchor, turned: Turned) -> Pieces:
    """Both answers as the pieces that `turned.parting` counts; the first piece brings the blank before it."""
    from memstudio.anchor.engine import Detokenizer

    def pieces(answer: str) -> tuple[str, ...]:
        if not answer.strip():
            return ()
        words = Detokenizer(anchor.decode, anchor.encode(turned.prompt))
        return tuple(words.push(token) for token in anchor.continuation(turned.prompt, answer))

    return Pieces(turned, pieces(turned.before), pieces(turned.after))


def export_patch(session: Session, out: Path, revisions: tuple[int, ...] | None) -> Done:
    """Write a patch of revisions (None: all that lead to the head).

    Raises:
        UserError: as `patching.export_patch`.
    """
    from memstudio.session.patching import export_patch

    changes = export_patch(session, out, revisions)
    return Done(f"Wrote the patch {out}: {counted(len(changes), 'block')}.")


def planned_patch(session: Session, path: Path, job: Job) -> Plan:
    """A patch measured on the spare arm; writes nothing.

    Raises:
        UserError: as `patching.plan_patch`.
    """
    from memstudio.session.patching import plan_patch

    return plan_patch(session, path, measure=True, job=job)


def patch_view(number: int, path: Path, plan: Plan) -> PatchView:
    """What a measured patch would do, and which limits it breaks."""
    from memstudio.facts.gate import BLOCKS, judge
    from memstudio.facts.receipt import present

    receipt = dict(plan.receipt)
    broken = tuple(judge(receipt, BLOCKS, "only to see")["broken"])
    return PatchView(number, path, plan.edit.title, len(plan.changes), plan.base, receipt, tuple(present(receipt)), broken)


def apply_patch(session: Session, plan: Plan, reason: str) -> int:
    """Commit a patch as it was shown; gives the revision.

    Raises:
        Refused: it breaks a limit and no reason was given.
        UserError: the study has moved since.
    """
    from memstudio.facts.gate import BLOCKS

    return session.apply(plan, limits=BLOCKS, reason=reason).id


def purge(session: Session, job: Job) -> Done:
    """Let go of every edited block that does not stand at the head.

    Raises:
        UserError: as `graph.purge`.
    """
    from memstudio.session.graph import purge

    gone = purge(session, job=job)
    if not (gone.blobs or gone.receipts):
        return Done("Nothing to purge: every edited block stands at the head.")
    later = "" if gone.clean else " Another program reads the study: its free pages are cleared when that has ended."
    return Done(f"Purged {counted(gone.blobs, 'block')} ({size_text(gone.bytes)}); {counted(gone.receipts, 'receipt')} scrubbed.{later}")
