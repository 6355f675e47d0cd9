"""The history as a graph: take one revision in the middle back, say how far two revisions lie apart, let old blocks go for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from memstudio.bank.values import BASE, BlockState, Change, ClusterId, Overlay
from memstudio.editing.desk import Desk
from memstudio.editing.kinds import edit_from_json
from memstudio.editing.plan import Draft, Edit, Plan, plan_edit
from memstudio.errors import UserError
from memstudio.facts.values import Fact
from memstudio.history.values import Purged, Revision
from memstudio.jobs import Job
from memstudio.session.telling import tells

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.session.session import Session

__all__ = ["BlockDiff", "Purged", "Revert", "RevertPlan", "diff", "plan_revert", "purge", "revert"]


@dataclass(frozen=True, slots=True)
class RevertPlan:
    """How one revision on the way to the head can be taken back.

    exact: no later revision touched its blocks, so `changes` (from now to before it) are those of the revision alone.
    dependents: the later revisions that stand on it, by its blocks or by those of another dependent, oldest first; where there are
    any, `changes` take them back along with it. Nothing is ever subtracted: a block goes back to a state that it had.
    """

    revision: int
    changes: tuple[Change, ...]
    exact: bool
    dependents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Revert:
    """The edit that a plan of a revert amounts to, so that it is planned, measured and gated as any other."""

    verb: ClassVar[str] = "revert"
    clusters: ClassVar[tuple[ClusterId, ...]] = ()
    facts: ClassVar[tuple[Fact, ...]] = ()
    plan: RevertPlan

    @property
    def title(self) -> str:
        """One line for the log; no titles are repeated, since a purge must find them all."""
        return "revert " + _numbers((self.plan.revision, *self.plan.dependents))

    def draft(self, desk: Desk) -> Draft:
        """The changes of the plan.

        Raises:
            UserError: they would change nothing, or the blocks have moved on since the plan was made.
        """
        if not self.plan.changes:
            raise UserError(f"{self.title}: every block is as it was before already")
        for change in self.plan.changes:
            if desk.state(change.cluster) != change.before:
                raise UserError(f"{self.title}: the block {change.cluster} has changed since this was planned: plan it again")
        return Draft(self.plan.changes, figures={"reverts": [self.plan.revision, *self.plan.dependents]})


@dataclass(frozen=True, slots=True)
class BlockDiff:
    """One block at two revisions.

    norm: L2 of the difference of the rows in float32, scales applied, a pruned block counted as zeros; None where a state was purged.
    relative: norm divided by that of the row before; None where that is zero or unknown.
    """

    cluster: ClusterId
    before: BlockState
    after: BlockState
    norm: float | None
    relative: float | None


def plan_revert(session: Session, revision: int) -> RevertPlan:
    """What it takes to take back one revision; writes nothing.

    Raises:
        UserError: no such revision, it is not on the way to the head, or a block of before was purged.
    """
    log = {found.id: found for found in session.log()}
    if revision not in log:
        session.store.revision(revision)  # says so
    if revision == 0:
        raise UserError("revision 0 is the bank as shipped: nothing stands before it; use checkout 0 to go there")
    if not log[revision].current:
        raise UserError(f"revision {revision}: does not lead to revision {session.head}, where the study stands: nothing to revert")
    before: dict[ClusterId, BlockState] = {}
    dependents = []
    for found in (log[number] for number in sorted(log) if number >= revision and log[number].current):
        if found.id != revision and before.keys().isdisjoint(change.cluster for change in found.changes):
            continue
        if found.id != revision:
            dependents.append(found.id)
        for change in found.changes:
            before.setdefault(change.cluster, change.before)
    now = session.overlay
    changes = (Change(cluster, now.get(cluster, BASE), state) for cluster, state in sorted(before.items()))
    kept = tuple(change for change in changes if change.before != change.after)
    _check_purged(session, revision, kept)
    return RevertPlan(revision, kept, not dependents, tuple(dependents))


def revert(
    session: Session, revision: int, *, along: bool = False, again: bool = False, measure: bool = False, job: Job | None = None
) -> Revision:
    """Take one revision back where no later one stands on its blocks; gives the new head.

    along: take those that do back with it. again: and then run their edits again, each as a revision of its own; all of them are
    worked out before anything is written. measure: keep the whole receipt with each new revision.

    Raises:
        UserError: as `plan_revert`; later revisions stand on it and neither way on was chosen; an edit that cannot be run again.
    """
    if along and again:
        raise UserError(f"revision {revision}: revert the later ones along, or run them again, not both")
    work = job or Job("revert")
    plan = plan_revert(session, revision)
    if plan.dependents and not (along or again):
        raise UserError(
            f"revision {revision}: {_revisions(plan.dependents)} {'stands' if len(plan.dependents) == 1 else 'stand'} on its blocks: "
            f"revert them together (--along), or run them again afterwards (--again)"
        )
    if not (again and plan.dependents):
        return session.apply(Revert(plan), measure=measure, job=work)
    plans = _plan_again(session, plan, work)
    head = session.head
    try:
        done = session.apply(Revert(plan), measure=measure, job=work)
        for old, later in zip(plan.dependents, plans, strict=True):
            done = _commit_again(session, later, old)
            if measure:
                done = session.measure(done.id, job=work)
    except BaseException:
        if session.head != head:
            session.checkout(head)  # what was written stays in the log, as a branch
        raise
    return done


def diff(session: Session, a: int, b: int) -> list[BlockDiff]:
    """The blocks that differ between two revisions and by how much, by cluster; `before` at a, `after` at b. Reads those blocks.

    Raises:
        UserError: there is no such revision.
    """
    gone = session.store.purged()
    found = []
    for change in session.store.diff(a, b):
        if change.before.source in gone or change.after.source in gone:
            found.append(BlockDiff(change.cluster, change.before, change.after, None, None))
            continue
        norm, before = _distance(session, change)
        found.append(BlockDiff(change.cluster, change.before, change.after, norm, norm / before if before else None))
    return found


@tells
def purge(session: Session, *, job: Job | None = None) -> Purged:
    """Let go, for good, of every block that an edit made and that does not stand at the head, other branches' included.

    Their receipts are scrubbed of prompts, answers and edits, and so are those of all takedowns. Undo, redo and checkout to a state
    that needs such a block then say why they cannot. The bank's folder is never written: it still holds every block as shipped, which
    `restore` gives back and which only an export of the bank as it stands leaves out.

    Raises:
        UserError: the session only reads, a full disk.
    """
    if job is not None:
        job.breathe()
    session.running.free_blocks()
    return session.store.purge()


def _plan_again(session: Session, plan: RevertPlan, job: Job) -> list[Plan]:
    """The dependents' own edits, worked out one after the other as if the revert had been made; writes nothing."""
    edits = [_edit_of(session.store.revision(number)) for number in plan.dependents]
    overlay = _after(session.overlay, plan.changes)
    tensors: dict[str, Tensor] = {}
    plans = []
    for number, edit in zip(plan.dependents, edits, strict=True):
        job.breathe()
        desk = Desk(session.bank, overlay, lambda: session.running.spare, session.blob, session.routes, session.facts, job)
        with session.with_blobs(tensors):
            try:
                plans.append(plan_edit(edit, desk, session.head))
            except UserError as error:
                raise UserError(f"revision {number} cannot be run again: {error}; nothing was reverted") from error
        overlay = _after(overlay, plans[-1].changes)
        tensors = {**tensors, **plans[-1].tensors}
    return plans


def _edit_of(revision: Revision) -> Edit:
    kept = revision.receipt.get("edit")
    if not isinstance(kept, dict):
        raise UserError(
            f"revision {revision.id} ({revision.title:.80}) cannot be run again, its edit was not kept: "
            f"revert it along instead; nothing was reverted"
        )
    return edit_from_json(kept)


def _commit_again(session: Session, plan: Plan, old: int) -> Revision:
    from memstudio.editing.kinds import edit_to_json

    edit = edit_to_json(plan.edit)
    receipt: dict[str, Any] = {**plan.receipt, "again": old, **({"edit": edit} if edit else {})}
    return session.commit(plan.edit.verb, plan.edit.title, plan.changes, tensors=plan.tensors, receipt=receipt)


def _after(overlay: Overlay, changes: Sequence[Change]) -> Overlay:
    after = {**overlay, **{change.cluster: change.after for change in changes}}
    return {cluster: state for cluster, state in after.items() if state != BASE}


def _check_purged(session: Session, revision: int, changes: Sequence[Change]) -> None:
    gone = session.store.purged()
    for change in changes:
        if change.after.source in gone:
            raise UserError(
                f"revision {revision}: cannot be reverted, the block {change.cluster} as it was before has been purged; "
                f"restore {change.cluster} gives the block as shipped"
            )


def _distance(session: Session, change: Change) -> tuple[float, float]:
    """L2 of the difference of a change's two rows, and of the row before; float32."""
    import torch

    before, after = (_row(session, change.cluster, state) for state in (change.before, change.after))
    return float(torch.linalg.vector_norm(after - before)), float(torch.linalg.vector_norm(before))


def _row(session: Session, cluster: ClusterId, state: BlockState) -> Tensor:
    """A state's row float32 [n], its scale applied to the down projections; zeros for nothing."""
    import torch

    bank = session.bank
    layout = bank.layouts[bank.tree.check(cluster).level - 1]
    if state.pruned or (state.source == BASE.source and not bank.has_block(cluster)):
        return torch.zeros(layout.n)
    found = bank.block(cluster) if state.source == BASE.source else session.blob(state.source)
    if tuple(found.shape) != (layout.n,):
        raise UserError(f"cluster {cluster}: the study's blob has shape {list(found.shape)}, a block here is [{layout.n}]")
    row = found.to(torch.float32, copy=True)
    for _, _, down in layout.split(row):
        down.mul_(state.scale)
    return row


def _revisions(numbers: Sequence[int]) -> str:
    return f"revision{'' if len(numbers) == 1 else 's'} {_numbers(numbers)}"


def _numbers(numbers: Sequence[int]) -> str:
    words = [str(number) for number in numbers[:8]]
    if len(numbers) > len(words):
        words.append(f"{len(numbers) - len(words)} more")
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
