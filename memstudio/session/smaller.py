"""Asking what smaller banks would answer, without writing one: a prompt is run once under the same blocks, whichever banks fetch them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.anchor.engine import answers as greedy_answers
from memstudio.bank.overlay import ResolvedKey, resolved_key
from memstudio.bank.values import BASE, PRUNED, ClusterId, Fallback, Overlay, Precision
from memstudio.export.precision import PRECISIONS, coded
from memstudio.facts.score import scored, wanted
from memstudio.session.forced import forced

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.anchor.attach import Attached
    from memstudio.bank.bank import Bank
    from memstudio.export.plan import ExportPlan, Kept
    from memstudio.facts.values import Fact
    from memstudio.jobs import Job
    from memstudio.session.session import Session

_BATCH = 256
Held = tuple[ResolvedKey, Precision]
Fetched = tuple[Held | None, ...]
"""What lies in each slot and in which precision, level 1 first; None: nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Smaller:
    """A bank that keeps less: what is pruned in it beside its edits, and what stands in for a block that is not there.

    codes: int8 [clusters] a level, the precision of each block as a place in PRECISIONS; generic: that of the generic rows.
    """

    overlay: Overlay
    fallback: Fallback
    codes: tuple[NDArray[np.int8], ...]
    generic: Precision = "bank"

    def precision(self, key: ResolvedKey) -> Precision:
        """What the block of a key is stored in."""
        if key.kind == "generic" or key.cluster is None:
            return self.generic
        return PRECISIONS[int(self.codes[key.cluster.level - 1][key.cluster.index])]

    def fetched(self, bank: Bank, route: tuple[ClusterId, ...]) -> Fetched:
        """What a route of the bank fetches."""
        keys = [resolved_key(bank, self.overlay, cluster, self.fallback) for cluster in route]
        held = (None if key.kind == "zero" else (key, self.precision(key)) for key in keys)
        return (*held, *(None,) * (bank.tree.depth - len(route)))


def smaller_by(overlay: Overlay, plan: ExportPlan, kept: Kept, fallback: Fallback) -> Smaller:
    """The bank that an export of these blocks of a plan would write."""
    pruned = dict(overlay)
    codes: list[NDArray[np.int8]] = []
    for level, (here, ids) in enumerate(zip(plan.stands, kept.levels, strict=True), 1):
        dropped = here.copy()
        dropped[ids] = False
        pruned |= {ClusterId(level, index): PRUNED for index in np.flatnonzero(dropped).tolist()}
        codes.append(np.full(len(here), PRECISIONS.index("bank"), np.int8))
        codes[-1][ids] = kept.precisions[level - 1]
    return Smaller(pruned, fallback, tuple(codes), kept.generic)


def whole(session: Session, precision: Precision = "bank") -> Smaller:
    """The bank as it stands at the head, all of it in one precision."""
    tree = session.bank.tree
    codes = tuple(np.full(tree.count(level), PRECISIONS.index(precision), np.int8) for level in range(1, tree.depth + 1))
    return Smaller(session.overlay, session.bank.manifest.fallback, codes, precision)


class Asking:
    """The own prompts of facts, asked of any number of smaller banks on the spare arm. It keeps what was found and no session.

    runs: prompts that were run so far; seconds: what these took.
    """

    def __init__(self, session: Session, facts: Sequence[Fact], *, answered: bool = True) -> None:
        """
        answered: have the prompts answered, greedily; without it they are only read, which is faster, and none is right.

        Raises:
            UserError: a prompt is empty or over-long, no encoder on this machine.
        """
        anchor = session.running.anchor
        self._facts, self._answered = list(facts), answered
        self._routes = session.routes([fact.prompt for fact in facts])
        self._pairs = [(session.running.encode(fact.prompt), anchor.continuation(fact.prompt, fact.expected)) for fact in facts]
        self._room = 2 + max(len(anchor.continuation(fact.prompt, answer)) for fact in facts for answer in wanted(fact, "expected"))
        self._found: dict[tuple[Fetched, int], tuple[bool, float]] = {}
        self.runs, self.seconds = 0, 0.0

    def ask(self, session: Session, banks: Sequence[Smaller], job: Job) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
        """For each bank whether each prompt is answered right, bool [facts], and the log-probability (natural log) of its expected answer,
        float64 [facts]. What was asked before is not run again. job: prompts that were run.

        session: the one whose prompts these are, at the same revision.
        """
        fetched = [self._fetched(session, bank) for bank in banks]
        groups = self._groups(fetched)
        done, total = 0, sum(map(len, groups.values()))
        for slots, numbers in groups.items():
            for members in _parts(list(numbers)):
                self._run(session, slots, members)
                done += len(members)
                job.progress(done, total)
        rows = [[self._found[slots, number] for number, slots in enumerate(each)] for each in fetched]
        return [(np.array([right for right, _ in row], bool), np.array([logprob for _, logprob in row])) for row in rows]

    def left(self, session: Session, banks: Sequence[Smaller]) -> int:
        """How many prompts asking these banks would run."""
        return sum(map(len, self._groups([self._fetched(session, bank) for bank in banks]).values()))

    def try_some(self, session: Session, bank: Smaller, count: int, job: Job) -> None:
        """Run some of the prompts that are not known yet, about so many, to learn what they take."""
        done = 0
        for slots, numbers in self._groups([self._fetched(session, bank)]).items():
            if done < count:
                self._run(session, slots, list(numbers)[:_BATCH])
                done += len(numbers)
                job.breathe()

    def _groups(self, fetched: Sequence[Sequence[Fetched]]) -> dict[Fetched, dict[int, None]]:
        """The prompts that are to be run, by what they fetch."""
        groups: dict[Fetched, dict[int, None]] = {}
        for each in fetched:
            for number, slots in enumerate(each):
                if (slots, number) not in self._found:
                    groups.setdefault(slots, {})[number] = None
        return groups

    def _fetched(self, session: Session, smaller: Smaller) -> list[Fetched]:
        known = {route: smaller.fetched(session.bank, route) for route in dict.fromkeys(self._routes)}
        return [known[route] for route in self._routes]

    def _run(self, session: Session, slots: Fetched, numbers: Sequence[int]) -> None:
        """Run prompts under these blocks."""
        start, attached = time.perf_counter(), lay(session, slots)
        pairs = [self._pairs[number] for number in numbers]
        texts = greedy_answers(attached, [ids for ids, _ in pairs], self._room) if self._answered else [""] * len(pairs)
        for number, text, read in zip(numbers, texts, forced(attached, pairs), strict=True):
            fact = self._facts[number]
            right = scored(fact, "prompt", fact.prompt, text, self._routes[number], learned=False).correct
            self._found[slots, number] = (right, read.logprob)
        self.runs += len(numbers)
        self.seconds += time.perf_counter() - start


def lay(session: Session, slots: Fetched) -> Attached:
    """Put these blocks into the slots of the spare arm; a slot that holds its block already is left alone."""
    attached = session.running.spare.attached
    for level, held in enumerate(slots, 1):
        if held is None:
            attached.slots.fill(level, None)
        elif attached.slots.identity[level - 1] != held:
            attached.slots.fill(level, _row(session, level, held), held[0].scale, held)
    return attached


def _row(session: Session, level: int, held: Held) -> Tensor:
    bank, (key, precision) = session.bank, held
    if key.kind == "generic" or key.cluster is None:
        row = bank.generic(level)
    else:
        row = bank.block(key.cluster) if key.source == BASE.source else session.blob(key.source)
    return coded(row, bank.manifest.hidden_size, precision)


def _parts(numbers: list[int]) -> list[list[int]]:
    return [numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH)]
