"""Checking evidence of what a study did: everything is measured anew on the bank as shipped, and each figure compared.

Where it runs with what it was measured with (torch, machine, device, dtype, threads) figures must be the same; elsewhere shares may part
by one prompt or TOLERANCE of `export.agreement`, log-probabilities by LOOSE.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from memstudio import __version__
from memstudio.anchor.engine import answers as greedy_answers
from memstudio.anchor.engine import logits
from memstudio.anchor.wish import Wish
from memstudio.bank.files import inside
from memstudio.bank.values import BASE, Change, Overlay
from memstudio.errors import UserError
from memstudio.export import agreement
from memstudio.export.agreement import LOOSE, SAME, Figure, exact
from memstudio.export.evidence import (
    FACTS,
    PATCH,
    Asked,
    Environment,
    Evidence,
    Likely,
    Receipt,
    Said,
    TakenDown,
    fact_digest,
    odd_files,
)
from memstudio.export.manifest import bank_ref
from memstudio.export.page import drawn
from memstudio.export.patch import Patch, read_patch
from memstudio.export.silence import Gone
from memstudio.facts.receipt import ROOM
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session.measuring import measure_states
from memstudio.session.takedown import State, what_is_left

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.session.session import Session

_TOP = 5


def check(session: Session, folder: Path, evidence: Evidence, *, facts: Sequence[Fact] = (), job: Job | None = None) -> Iterator[Figure]:
    """Measure again what the evidence says, on a session with the bank as shipped; figure by figure.

    facts: those that were taken down, where the bank does not hold them itself.

    Raises:
        UserError: the evidence is of another bank.
    """
    work = job or Job("verify")
    if evidence.bank.digest != session.bank.digest:
        raise UserError(
            f"{folder}: is evidence on bank {evidence.bank.name!r} ({evidence.bank.digest:.12}…), "
            f"this is {session.bank.name!r} ({session.bank.digest:.12}…): name the bank that it is about"
        )
    odd = odd_files(folder, evidence, lambda _: work.breathe())
    for name in sorted({*evidence.files, *odd}):
        yield exact(f"file {name}", "as listed", odd.get(name, "as listed"))
    named = f"{session.bank.name} {session.bank.digest:.12}…"
    yield exact("bank", named, named if evidence.bank == bank_ref(session.bank) else "is described otherwise")
    yield from _pages(folder, evidence, odd)
    if any(name.startswith(PATCH) or name == FACTS for name in odd):
        yield Figure("all that was measured", "", "the files that it rests on are not those of the evidence", "", None)
        return
    try:
        patch = read_patch(folder / PATCH, session.bank)
        updated = _facts_of(folder, evidence)
    except UserError as error:
        yield Figure("patch and facts", "to be read", str(error), "exact", False)
        return
    yield exact("titles of the revisions", [step.title for step in evidence.revisions], list(patch.titles))
    if misfits := patch.misfits({}):
        yield Figure("start of the patch", "the bank as shipped", f"another state of {misfits[0].cluster}", "exact", False)
        return
    with session.with_blobs(patch.tensors):
        yield from _measured_again(session, evidence, patch, updated, facts, work)


def unchecked(evidence: Evidence) -> list[str]:
    """What the folder says and nobody can measure again: each revision as it was measured then, between states that are not in it."""
    lines = []
    for step in evidence.revisions:
        shares = ", ".join(f"{name.replace('_', ' ')} {k} of {n}" for name, (k, n) in step.shares.items())
        if shares or step.broken:
            against = f"; went on against the gate ({'; '.join(step.broken)}): {step.reason}" if step.broken else ""
            lines.append(f"revision {step.number}, as measured then: {shares or 'nothing'}{against}")
    return lines


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
    session: Session, evidence: Evidence, patch: Patch, updated: Sequence[Fact], facts: Sequence[Fact], job: Job
) -> Iterator[Figure]:
    same = agreement.alike(environment(session), evidence.environment)
    tolerance = SAME if same else LOOSE
    known = {fact_digest(fact): dataclasses.replace(fact, target="") for fact in (*session.facts(), *facts)}
    erased = [known[row.fact] for row in evidence.taken_down if row.fact in known]
    complete = len(erased) == len(evidence.taken_down)
    receipt = measure_states(session, patch.changes, patch.tensors, [*updated, *erased], job=job, limit=evidence.sample)
    yield from agreement.receipts(evidence.receipt, without(receipt, Gone(tuple(erased))), same, complete)
    for asked in evidence.prompts:
        job.breathe()
        tokens = [tuple(likely.token for likely in said.top) for said in (asked.before, asked.after)]
        yield from agreement.prompts(asked, ask(session, asked.prompt, patch.changes, patch.tensors, tokens), tolerance)
    for row in evidence.taken_down:
        job.breathe()
        found = what_is_left_of(session, known[row.fact], patch.changes, patch.tensors) if row.fact in known else None
        yield from agreement.taken_down(row, found, tolerance)


def _pages(folder: Path, evidence: Evidence, odd: Mapping[str, str]) -> Iterator[Figure]:
    """Whether page and pictures say what evidence.json says: they are drawn again."""
    for name, raw in drawn(evidence).items():
        if name in odd:
            continue
        if evidence.environment.memstudio != __version__:
            yield Figure(f"what {name} shows", "", f"memstudio {__version__} may draw it otherwise", "", None)
        else:
            same = inside(folder, name).read_bytes() == raw
            yield exact(f"what {name} shows", "evidence.json", "evidence.json" if same else "something else")


def _facts_of(folder: Path, evidence: Evidence) -> list[Fact]:
    from memstudio.facts.read import read_facts

    return read_facts(inside(folder, FACTS)) if FACTS in evidence.files else []


def without(receipt: Mapping[str, Any], gone: Gone) -> Receipt:
    """The receipt without a word of what was taken down, and without seconds, which nobody can measure again."""
    kept = {key: value for key, value in receipt.items() if key != "seconds"}
    for key in ("answers", "changed"):
        kept[key] = [
            row
            for row in receipt[key]
            if row["fact"] not in gone.ids
            and not gone.told_in(row["prompt"])
            and not gone.answered_in(row["prompt"], row["before"], row["after"])
        ]
    return Receipt.model_validate_json(json.dumps(kept))


def ask(
    session: Session,
    prompt: str,
    changes: Sequence[Change],
    tensors: Mapping[str, Tensor],
    tokens: Sequence[Sequence[int]] | None = None,
) -> Asked:
    """The prompt on its own route, on the bank as shipped and with the changes. tokens: (before, after), else the likeliest."""
    path, ids = session.routes([prompt])[0], session.running.encode(prompt)
    said = []
    for number, overlay in enumerate(({}, _overlay(changes))):
        arm = session.running.spare
        arm.fetch(Wish("fetched", path), overlay, _blobs(session, tensors))
        text = greedy_answers(arm.attached, [ids], ROOM)[0]
        logs = logits(arm.attached, ids)[-1].float().log_softmax(-1)
        known = [token for token in tokens[number] if token < logs.numel()] if tokens is not None else logs.topk(_TOP).indices.tolist()
        words = [session.running.anchor.decode([token], special=True) for token in known]
        top = tuple(Likely.model_construct(token=t, text=word, logprob=float(logs[t])) for t, word in zip(known, words, strict=True))
        said.append(Said.model_construct(text=text, top=top))
    return Asked.model_construct(prompt=prompt, before=said[0], after=said[1])


def what_is_left_of(session: Session, fact: Fact, changes: Sequence[Change], tensors: Mapping[str, Tensor]) -> TakenDown:
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
