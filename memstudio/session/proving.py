"""Evidence of what a study did, and its check: everything is measured anew on the bank as shipped, and each figure compared.

Where it runs with what it was measured with (torch, device, dtype, threads, machine) figures must be the same; elsewhere shares may part
by one prompt or TOLERANCE, log-probabilities by LOOSE.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from memstudio import __version__
from memstudio.anchor.engine import answers as greedy_answers
from memstudio.anchor.engine import logits
from memstudio.anchor.wish import Wish
from memstudio.bank.files import inside
from memstudio.bank.values import BASE, Change, Overlay
from memstudio.editing.erase import Erase, all_facts
from memstudio.editing.kinds import edit_from_json
from memstudio.errors import UserError
from memstudio.export.evidence import FACTS, PATCH, Asked, Environment, Evidence, Said, Step, TakenDown, fact_digest, odd_files
from memstudio.export.evidence import write_evidence as write
from memstudio.export.manifest import bank_ref
from memstudio.export.page import counted, write_page
from memstudio.export.patch import read_patch, write_patch
from memstudio.facts.receipt import NAMES
from memstudio.facts.values import Fact
from memstudio.facts.write import write_facts
from memstudio.jobs import Job
from memstudio.session.measuring import SAMPLE, SEED, measure_states
from memstudio.session.patching import silenced
from memstudio.session.takedown import State, what_is_left

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.history.values import Revision
    from memstudio.session.session import Session

SAME, LOOSE, TOLERANCE, NORM = 1e-4, 1e-2, 0.02, 1e-5
_PROMPTS, _ROOM = 8, 24


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as it was recorded and as it is found now; agreed None: it could not be measured again, and `found` says why."""

    name: str
    recorded: object
    found: object
    tolerance: str
    agreed: bool | None


def gather(session: Session, out: Path, *, prompts: Sequence[str] = (), job: Job | None = None) -> Evidence:
    """Write the evidence of everything between the bank as shipped and the head.

    prompts: what both are to be asked; none given: the first prompts that were updated.

    Raises:
        UserError: nothing was changed, a block was purged, a prompt was taken down, the folder cannot be written.
    """
    work = job or Job("evidence")
    steps = [revision for revision in session.log() if revision.current and revision.id != 0]
    if not steps:
        raise UserError(f"{session.bank.name}: the study stands at the bank as shipped: nothing to give evidence of; make an edit first")
    updated, erased = _subjects(session, steps)
    gone = {text for fact in erased for text in (fact.prompt, *fact.phrasings, *fact.held_out)}
    if named := [text for text in prompts if text in gone]:
        raise UserError(f"“{named[0]:.80}”: was taken down, and evidence does not name it; leave it out")
    asked = list(prompts) or list(dict.fromkeys(fact.prompt for fact in updated))[:_PROMPTS]

    def fill(folder: Path) -> dict[str, Any]:
        told = silenced(steps)
        changes = write_patch(folder / PATCH, session.bank, told, session.blob)
        if updated:
            write_facts(folder / FACTS, updated)
        receipt = measure_states(session, changes, {}, [*updated, *erased], job=work)
        return {
            "bank": bank_ref(session.bank),
            "environment": environment(session),
            "revision": session.head,
            "revisions": tuple(_step(revision) for revision in told),
            "commands": ("memstudio verify OUT --bank BANK", f"memstudio apply BANK OUT/{PATCH}"),
            "seeds": {"co-resident sample": SEED, "greedy decoding": 0},
            "sample": SAMPLE,
            "receipt": _without(receipt, {fact.id for fact in erased}, gone),
            "prompts": tuple(_ask(session, text, changes, {}) for text in asked),
            "taken_down": tuple(_taken_down(session, fact, changes, {}) for fact in erased),
        }

    return write(out, fill, write_page)


def check(session: Session, folder: Path, evidence: Evidence, *, facts: Sequence[Fact] = (), job: Job | None = None) -> Iterator[Figure]:
    """Measure again what the evidence says, on a session with the bank as shipped; figure by figure.

    facts: those that were taken down, where the bank does not hold them itself.

    Raises:
        UserError: the evidence is of another bank, or a file leaves the folder.
    """
    work = job or Job("verify")
    if evidence.bank.digest != session.bank.digest:
        raise UserError(
            f"{folder}: is evidence on bank {evidence.bank.name!r} ({evidence.bank.digest:.12}…), "
            f"this is {session.bank.name!r} ({session.bank.digest:.12}…): name the bank that it is about"
        )
    odd = odd_files(folder, evidence)
    for name in sorted({*evidence.files, *odd}):
        yield Figure(f"file {name}", "as listed", odd.get(name, "as listed"), "exact", name not in odd)
    if any(name.startswith(PATCH) or name == FACTS for name in odd):
        yield Figure("all that was measured", "", "the files that it rests on are not those of the evidence", "", None)
        return
    patch = read_patch(folder / PATCH, session.bank)
    with session.with_blobs(patch.tensors):
        yield from _measured_again(session, folder, evidence, patch.changes, patch.tensors, facts, work)


def environment(session: Session) -> Environment:
    """What figures are measured with here."""
    anchor = session.running.anchor
    return Environment(
        memstudio=__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        machine=platform.machine(),
        device=str(anchor.device),
        dtype=str(anchor.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
    )


def _measured_again(
    session: Session,
    folder: Path,
    evidence: Evidence,
    changes: Sequence[Change],
    tensors: Mapping[str, Tensor],
    facts: Sequence[Fact],
    job: Job,
) -> Iterator[Figure]:
    from memstudio.facts.read import read_facts

    here = environment(session)
    alike = here == evidence.environment
    updated = read_facts(inside(folder, FACTS)) if FACTS in evidence.files else []
    known = {fact_digest(fact): dataclasses.replace(fact, target="") for fact in (*session.facts(), *facts)}
    erased = [known[row.fact] for row in evidence.taken_down if row.fact in known]
    complete = len(erased) == len(evidence.taken_down)
    receipt = measure_states(session, changes, tensors, [*updated, *erased], job=job, limit=evidence.sample)
    for name in NAMES:
        recorded, found = counted(evidence.receipt, name), counted(receipt, name)
        if name in ("reliability", "locality") and not complete:
            why = "facts that were taken down are neither in this bank nor given (--facts FILE)"
            yield Figure(name, _words(recorded), why, "", None)
        elif recorded is not None or found is not None:
            yield _share(name, recorded, found, alike)
    yield from _blocks(evidence.receipt, receipt)
    gone = {text for fact in erased for text in (fact.prompt, *fact.phrasings, *fact.held_out)}
    for key, title in (("answers", "answer to"), ("changed", "changed answer to")):
        yield from _texts(title, evidence.receipt.get(key), _without(receipt, {fact.id for fact in erased}, gone).get(key))
    for asked in evidence.prompts:
        job.breathe()
        yield from _said(asked, _ask(session, asked.prompt, changes, tensors), SAME if alike else LOOSE)
    for row in evidence.taken_down:
        job.breathe()
        yield from _gone(row, _taken_down(session, known[row.fact], changes, tensors) if row.fact in known else None, alike)


def _subjects(session: Session, steps: Sequence[Revision]) -> tuple[list[Fact], list[Fact]]:
    """The facts that were updated, each with its last target, and those that were taken down and not given an answer since."""
    updated: dict[str, Fact] = {}
    erased: dict[str, Fact] = {}
    for revision in steps:
        kept = revision.receipt.get("edit")
        if not isinstance(kept, dict):
            continue
        edit = edit_from_json(kept)
        if isinstance(edit, Erase):
            found = {fact.id: dataclasses.replace(fact, target="") for fact in all_facts(edit, session.bank, session.facts())}
            erased |= found
            updated = {name: fact for name, fact in updated.items() if name not in found}
        else:
            updated |= {fact.id: fact for fact in edit.facts}
            erased = {name: fact for name, fact in erased.items() if name not in updated}
    return list(updated.values()), list(erased.values())


def _step(revision: Revision) -> Step:
    receipt = revision.receipt
    counts = {name: counted(receipt, name) for name in NAMES}
    gate = receipt.get("gate")
    broken = gate.get("broken") if isinstance(gate, dict) else None
    return Step(
        number=revision.id,
        verb=revision.verb,
        title=revision.title,
        measured=receipt.get("measured") is True,
        shares={name: (found.k, found.n) for name, found in counts.items() if found is not None},
        broken=tuple(str(line)[:4000] for line in broken) if isinstance(broken, list) else (),
        reason=str(gate.get("reason", ""))[:4000] if isinstance(gate, dict) else "",
    )


def _without(receipt: Mapping[str, Any], ids: set[str], texts: set[str]) -> dict[str, Any]:
    """The receipt without a word of the facts that were taken down, and without seconds, which nobody can measure again."""
    kept = {key: value for key, value in receipt.items() if key != "seconds"}
    for key in ("answers", "changed"):
        kept[key] = [row for row in receipt[key] if row["fact"] not in ids and row["prompt"] not in texts]
    return kept


def _ask(session: Session, prompt: str, changes: Sequence[Change], tensors: Mapping[str, Tensor]) -> Asked:
    """The prompt on its own route, on the bank as shipped and with the changes."""
    path, ids = session.routes([prompt])[0], session.running.encode(prompt)
    said = []
    for overlay in ({}, _overlay(changes)):
        arm = session.running.spare
        arm.fetch(Wish("fetched", path), overlay, _blobs(session, tensors))
        text = greedy_answers(arm.attached, [ids], _ROOM)[0]
        said.append(Said(text=text, logprob=float(logits(arm.attached, ids)[-1].float().log_softmax(-1).max())))
    return Asked(prompt=prompt, before=said[0], after=said[1])


def _taken_down(session: Session, fact: Fact, changes: Sequence[Change], tensors: Mapping[str, Tensor]) -> TakenDown:
    rows = what_is_left(session, fact, State({}, {}), State(_overlay(changes), tensors))
    worst = max(rows, key=lambda row: row["after"] / row["limit"])
    return TakenDown(
        fact=fact_digest(fact),
        alone=worst["none"],
        before=worst["before"],
        after=worst["after"],
        limit=worst["limit"],
        extracted=any(row["extracted"] for row in rows),
    )


def _overlay(changes: Sequence[Change]) -> Overlay:
    return {change.cluster: change.after for change in changes if change.after != BASE}


def _blobs(session: Session, tensors: Mapping[str, Tensor]) -> Callable[[str], Tensor]:
    return lambda sha256: tensors[sha256] if sha256 in tensors else session.blob(sha256)


def _share(name: str, recorded: Any, found: Any, alike: bool) -> Figure:
    if recorded is None or found is None or not recorded.n or not found.n:
        same = (recorded is None or not recorded.n) and (found is None or not found.n)
        return Figure(name, _words(recorded), _words(found), "exact", same)
    tolerance = 0.0 if alike else max(TOLERANCE, 1 / recorded.n)
    agreed = recorded.n == found.n and abs(recorded.share - found.share) <= tolerance
    return Figure(name, _words(recorded), _words(found), f"± {tolerance:.3g}" if tolerance else "exact", agreed)


def _words(found: Any) -> str:
    return "not measured" if found is None or not found.n else f"{found.k} of {found.n}"


def _blocks(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Figure]:
    """Digests and norms of the changed blocks."""
    before, now = ({str(row.get("cluster")): row for row in _rows(receipt.get("digests"))} for receipt in (recorded, found))
    for cluster in dict.fromkeys((*before, *now)):
        one, other = before.get(cluster, {}), now.get(cluster, {})
        digests = [f"{row.get('before', '–'):.12} → {row.get('after', '–'):.12}" for row in (one, other)]
        same = all(one.get(side) == other.get(side) for side in ("before", "after"))
        yield Figure(f"block {cluster}", digests[0], digests[1], "exact", same)
        norm, norm_now = one.get("norm"), other.get("norm")
        near = isinstance(norm, float) and isinstance(norm_now, float) and abs(norm - norm_now) <= NORM * max(1.0, norm_now)
        yield Figure(f"norm of the difference, {cluster}", norm, norm_now, f"± {NORM:g}, relative", near)


def _texts(title: str, recorded: object, found: object) -> Iterator[Figure]:
    """Answers before and after, by prompt."""
    before, now = ({str(row.get("prompt")): row for row in _rows(rows)} for rows in (recorded, found))
    for prompt in dict.fromkeys((*before, *now)):
        pair = [f"{row.get('before')!s} → {row.get('after')!s}" if row else "not there" for row in (before.get(prompt), now.get(prompt))]
        yield Figure(f"{title} “{prompt:.80}”", pair[0], pair[1], "exact", pair[0] == pair[1])


def _said(recorded: Asked, found: Asked, tolerance: float) -> Iterator[Figure]:
    for side in ("before", "after"):
        one, other = getattr(recorded, side), getattr(found, side)
        yield Figure(f"“{recorded.prompt:.80}”, {side}", one.text, other.text, "exact", one.text == other.text)
        near = abs(one.logprob - other.logprob) <= tolerance
        yield Figure(f"log p of its first token, {side}", one.logprob, other.logprob, f"± {tolerance:g}", near)


def _gone(recorded: TakenDown, found: TakenDown | None, alike: bool) -> Iterator[Figure]:
    name = f"p of the fact {recorded.fact:.12}…"
    if found is None:
        yield Figure(name, recorded.after, "it is neither in this bank nor given (--facts FILE)", "", None)
        return
    tolerance = SAME if alike else LOOSE
    for side in ("alone", "before", "after"):
        one, other = getattr(recorded, side), getattr(found, side)
        yield Figure(f"{name}, {side}", one, other, f"± {tolerance:g}", abs(one - other) <= tolerance)
    yield Figure(f"{name}, said greedily", recorded.extracted, found.extracted, "exact", recorded.extracted == found.extracted)


def _rows(rows: object) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
