"""Writing evidence: what a study did between the bank as shipped and where it stands, measured anew, without what was taken down."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memstudio.bank.values import BASE, Change
from memstudio.errors import UserError
from memstudio.export.evidence import FACTS, LINE, PATCH, Asked, Evidence, Step, write_evidence
from memstudio.export.manifest import bank_ref
from memstudio.export.page import counted, write_page
from memstudio.export.patch import write_patch
from memstudio.export.silence import WITHHELD, Gone
from memstudio.facts.receipt import NAMES
from memstudio.facts.write import write_facts
from memstudio.jobs import Job
from memstudio.session.measuring import SAMPLE, SEED, measure_states
from memstudio.session.patching import requests_of, taken_down, told
from memstudio.session.proving import ask, environment, what_is_left_of, without

if TYPE_CHECKING:
    from memstudio.history.values import Revision
    from memstudio.session.session import Session

_PROMPTS = 8


def gather(
    session: Session,
    out: Path,
    *,
    revisions: Sequence[int] | None = None,
    prompts: Sequence[str] = (),
    job: Job | None = None,
) -> Evidence:
    """Write the evidence of revisions (None: all between the bank as shipped and the head), made on the bank as shipped.

    prompts: what both states are to be asked; none given: the first prompts that were updated.

    Raises:
        UserError: nothing was changed, a revision does not start at the bank as shipped, a block was purged, a prompt tells of what was
            taken down, the folder cannot be written.
    """
    work = job or Job("evidence")
    steps = _steps(session, revisions)
    gone = taken_down(session, steps)
    updated = gone.without(list({fact.id: fact for revision in steps for fact in requests_of(revision) if fact.target}.values()))
    for text in prompts:
        if gone.told_in(text):
            raise UserError(f"“{text:.80}”: was taken down, and evidence does not name it; leave it out")
    asked = list(dict.fromkeys(prompts)) or list(dict.fromkeys(fact.prompt for fact in updated))[:_PROMPTS]

    def fill(folder: Path) -> dict[str, Any]:
        named = [told(revision, gone) for revision in steps]
        changes = write_patch(folder / PATCH, session.bank, named, session.blob)
        _check_start(session, changes)
        if updated:
            write_facts(folder / FACTS, updated)
        receipt = measure_states(session, changes, {}, [*updated, *gone.facts], job=work)
        return {
            "bank": bank_ref(session.bank),
            "environment": environment(session),
            "revision": named[-1].id,
            "revisions": tuple(_step(revision, gone) for revision in named),
            "commands": (_made_with(revisions, prompts), "memstudio verify OUT --bank BANK", f"memstudio apply BANK OUT/{PATCH}"),
            "seeds": {"co-resident sample": SEED, "greedy decoding": 0},
            "sample": SAMPLE,
            "receipt": without(receipt, gone),
            "prompts": tuple(_ask_first(session, text, changes, gone, work) for text in asked),
            "taken_down": tuple(what_is_left_of(session, fact, changes, {}) for fact in gone.facts),
        }

    return write_evidence(out, fill, write_page)


def _ask_first(session: Session, prompt: str, changes: Sequence[Change], gone: Gone, job: Job) -> Asked:
    job.breathe()
    asked = ask(session, prompt, changes, {})
    if not all(math.isfinite(likely.logprob) for said in (asked.before, asked.after) for likely in said.top):
        raise UserError(f"“{prompt:.80}”: the model answers with numbers that are not finite; leave it out, or take the edit back")
    if gone.answered_in(prompt, asked.before.text, asked.after.text):
        raise UserError(f"“{prompt:.80}”: one of its answers is what was taken down, and evidence does not name it; leave it out")
    return asked


def _steps(session: Session, revisions: Sequence[int] | None) -> list[Revision]:
    """The revisions that lead to the head, all or those that are named, oldest first."""
    leading = {revision.id: revision for revision in session.log() if revision.current and revision.id != 0}
    if not leading:
        raise UserError(f"{session.bank.name}: the study stands at the bank as shipped: nothing to give evidence of; make an edit first")
    for number in revisions or ():
        if number not in leading:
            session.store.revision(number)  # says so where there is none
            raise UserError(f"revision {number}: does not lead to revision {session.head}, where the study stands: go there first")
    return [leading[number] for number in sorted(set(revisions))] if revisions else list(leading.values())


def _check_start(session: Session, changes: Sequence[Change]) -> None:
    for change in changes:
        if change.before != BASE:
            raise UserError(
                f"the revisions start from another block {change.cluster} than {session.bank.name} was shipped with: "
                f"name the revisions that changed it before, too"
            )


def _made_with(revisions: Sequence[int] | None, prompts: Sequence[str]) -> str:
    """The command that made the folder; quoted for a POSIX shell."""
    words = ["memstudio", "evidence", "BANK", "OUT"]
    words += ["--revisions", ",".join(map(str, revisions))] if revisions else []
    line = " ".join((*words, *(word for text in prompts for word in ("--prompt", shlex.quote(text)))))
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"


def _step(revision: Revision, gone: Gone) -> Step:
    receipt = revision.receipt
    counts = {name: counted(receipt, name) for name in NAMES}
    gate = receipt.get("gate")
    gate = gate if isinstance(gate, dict) else {}
    broken = gate.get("broken")

    def line(text: object) -> str:
        return WITHHELD if gone.told_in(str(text)) else str(text)[:LINE]

    return Step(
        number=revision.id,
        verb=revision.verb,
        title=line(revision.title),
        measured=receipt.get("measured") is True,
        shares={name: (found.k, found.n) for name, found in counts.items() if found is not None},
        broken=tuple(map(line, broken[:100])) if isinstance(broken, list) else (),
        reason=line(gate.get("reason", "")),
    )
