"""What the worker does about documents that are taught: reads them, sees what they reach, tries them, commits. No Qt in here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.errors import UserError
from memstudio.ui.fact_views import Clusters, noun_of
from memstudio.ui.learn_views import PASTED, LearnWish, Reach, TakeDownWish, Taught, TaughtView, TeachWish, Tried

if TYPE_CHECKING:
    from memstudio.editing.learn import Learned
    from memstudio.editing.plan import Plan
    from memstudio.jobs import Job
    from memstudio.session import Session

_TOGETHER = 16
"""Texts that are encoded between two breaths."""
_NOTES = 8


def taught(session: Session) -> TaughtView:
    """What the study taught, on the way to its head.

    Raises:
        UserError: what is kept with a revision is no edit.
    """
    from memstudio.session.patching import learned_by

    found: list[Taught] = []
    for revision in session.log() if session.study is not None else ():
        if revision.current:
            gone = _taken_down(revision.receipt)
            found = [Taught(one.name, one.revision, one.characters, revision.id) if one.name in gone else one for one in found]
            found += [Taught(document.id, revision.id, len(document.text)) for document in learned_by(revision)]
    return TaughtView(tuple(reversed(found)))


def _taken_down(receipt: object) -> frozenset[str]:
    """Names of the documents that a revision erased; a receipt may come from anybody."""
    for key in ("figures", "taken_down", "documents"):
        receipt = receipt.get(key) if isinstance(receipt, dict) else None
    return frozenset(name for name in receipt if isinstance(name, str)) if isinstance(receipt, list) else frozenset()


def read(wish: TeachWish) -> tuple[tuple[Learned, ...], tuple[str, ...]]:
    """The documents, each whole, and a line about each file that was passed over.

    Raises:
        UserError: nothing there, no text in it, or more of it than a study is for.
    """
    from memstudio.builder.texts import read_texts
    from memstudio.editing.learn import MOST_CHARACTERS, Learned

    notes: list[str] = []
    texts: dict[str, list[str]] = {}
    length = 0
    pasted = [(wish.name.strip() or PASTED, wish.text)] if wish.text.strip() else []
    pieces = ((piece.name, piece.text) for piece in read_texts([Path(path) for path in wish.paths], notes.append))
    for name, text in (*pasted, *pieces):
        texts.setdefault(name, []).append(text)
        length += len(text)
        if length > MOST_CHARACTERS:
            raise UserError(f"{name}: over {MOST_CHARACTERS:,} characters to learn; build a bank over them instead (File › Build a bank…)")
        if len(pasted) and name == pasted[0][0] and len(texts[name]) > 1:
            raise UserError(f"{name}: a file has the name of the pasted text; give that another one")
    found = tuple(Learned(name, "".join(parts)) for name, parts in texts.items() if "".join(parts).strip())
    if not found:
        raise UserError(f"{', '.join(wish.paths) or PASTED}: no text in it")
    return found, tuple(notes[:_NOTES])


def reach_of(session: Session, number: int, wish: TeachWish, job: Job) -> Reach:
    """Which blocks the documents would be written to, and who else lives there; writes nothing and tries nothing.

    Raises:
        UserError: as `read`; no encoder on this machine, a document whose routes have no block.
    """
    from memstudio.builder.corpus import cut
    from memstudio.builder.texts import Text
    from memstudio.editing.learn import WINDOW
    from memstudio.editing.reach import has_own_block, reached, residents

    documents, notes = read(wish)
    anchor = session.running.anchor
    windows = [window for one in documents for window in cut(iter([Text(one.id, 0, one.text)]), anchor, WINDOW)]
    paths = _routed(session, documents, job)
    bank, overlay = session.bank, session.overlay
    if wish.where == "leaf":
        blocks = reached(bank, overlay, paths)
    else:
        blocks = tuple(sorted({cluster for path in paths for cluster in path if has_own_block(bank, overlay, cluster)}))
    if not blocks:
        raise UserError("none of the routes of these documents has a block that could be written; restore one first")
    facts = session.facts()
    held = len({found.fact.id for found in residents(facts, session.routes, blocks)})
    before = {one.name: one.revision for one in taught(session).documents}
    again = [f"{one.id}: taught before, in revision {before[one.id]}; one name erases both" for one in documents if one.id in before]
    return Reach(
        number,
        tuple(one.id for one in documents),
        sum(len(one.text) for one in documents),
        len(windows),
        sum(len(anchor.plain(window.text)) for window in windows),
        blocks,
        held,
        noun_of(facts),
        (*again[:_NOTES], *notes),
    )


def _routed(session: Session, documents: Iterable[Learned], job: Job) -> list[Clusters]:
    """The route of every way to the documents, some texts at a time, so that a cancel is heard; the session remembers them."""
    import dataclasses

    from memstudio.editing.learn import ways_to

    def routes(texts: Sequence[str]) -> list[Clusters]:
        found: list[Clusters] = []
        for start in range(0, len(texts), _TOGETHER):
            job.progress(start, len(texts))
            found += session.routes(texts[start : start + _TOGETHER])
        return found

    desk = dataclasses.replace(session.desk(job), routes=routes)
    return [path for document in documents for _, path in ways_to(desk, document)]


def tried(session: Session, wish: LearnWish, job: Job) -> Plan:
    """The edit measured on the spare arm where there is anything to measure by, an erasure with what it leaves; nothing is written.

    Raises:
        UserError: as `read`, `Learn.draft` and `Erase.draft`; no document of that name was taught.
    """
    measure = bool(session.facts())
    if isinstance(wish, TeachWish):
        from memstudio.editing.learn import Learn

        documents, _ = read(wish)
        _routed(session, documents, job)
        return session.plan(Learn(documents, wish.where, wish.steps), measure=measure, job=job)
    from memstudio.editing.erase import Erase

    plan = session.plan(Erase(learned=_texts_of(session, wish.names)), measure=measure, job=job)
    return session.with_takedown(plan, job=job)


def _texts_of(session: Session, names: Sequence[str]) -> tuple[Learned, ...]:
    """Every text that was taught under these names."""
    from memstudio.session.patching import learned_by

    line = [revision for revision in session.log() if revision.current] if session.study is not None else []
    found = tuple(dict.fromkeys(one for revision in line for one in learned_by(revision) if one.id in names))
    missing = set(names) - {one.id for one in found}
    if missing:
        raise UserError(f"{', '.join(sorted(missing))}: not taught on the way to revision {session.head}, where the study stands")
    return found


def view_of(number: int, wish: LearnWish, plan: Plan) -> Tried:
    """What a plan would do, and which limits it breaks."""
    from memstudio.facts.gate import FACTS, judge
    from memstudio.facts.receipt import present

    receipt = dict(plan.receipt)
    broken = tuple(judge(receipt, FACTS, "only to see")["broken"])
    unasked = ("reliability", "generalization", "portability") if isinstance(wish, TeachWish) else ("generalization", "portability")
    lines = tuple(line for line in present(receipt) if not line.startswith(unasked))  # there are no such prompts
    return Tried(number, wish, plan.base, plan.edit.title, receipt, tuple(plan.notes), lines, broken)


def keep(session: Session, plan: Plan, reason: str) -> int:
    """Commit a plan as it was tried, past the gate; returns the revision.

    Raises:
        Refused: it breaks a limit and no reason was given.
        UserError: the study has moved since.
    """
    from memstudio.facts.gate import FACTS

    return session.apply(plan, limits=FACTS, reason=reason).id


def words_of(wish: LearnWish) -> str:
    """What is under way, for the status bar."""
    return "Measuring the erasure" if isinstance(wish, TakeDownWish) else "Learning the documents"
