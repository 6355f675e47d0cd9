"""What fewer bits cost: the share of a level's worth that is lost when its blocks are stored in a precision, measured on facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from memstudio.bank.values import PRUNED, ClusterId, Precision
from memstudio.export.plan import standing
from memstudio.export.precision import PRECISIONS, Choice, Losses, coded, offered
from memstudio.session.smaller import Asking, Smaller, whole

if TYPE_CHECKING:
    from memstudio.facts.values import Fact
    from memstudio.jobs import Job
    from memstudio.session.session import Session

ASKED = 400
"""Facts that are asked at most, the first of those given."""
_BLOCKS = 16
"""Of a level, whose numbers are looked at."""
_MOST = 0.99


def measured_losses(session: Session, choice: Choice, facts: Sequence[Fact], job: Job) -> Losses:
    """The share (0 … 0.99) of what each level adds to the log-probability of the facts' answers that a precision of the choice loses there.

    A level's loss is read with this level alone in the precision, its worth with the levels below it dropped. Where there is no fact with
    an answer, or a level adds nothing to them: the share of the level's squared numbers that is rounded off. Only a choice that mixes
    precisions needs them; for another they are empty.

    Raises:
        UserError: as `offered`.
    """
    precisions = [each for each in offered(session.bank, choice) if each != "bank"]
    if choice != "mixed":
        return {}
    asked = [fact for fact in facts if fact.expected.strip()][:ASKED]
    found = _by_facts(session, precisions, asked, job) if asked else {}
    levels = range(1, session.bank.tree.depth + 1)
    return {
        each: [found[each, level] if (each, level) in found else _by_numbers(session, each, level) for level in levels]
        for each in precisions
    }


def _by_facts(session: Session, precisions: Sequence[Precision], facts: Sequence[Fact], job: Job) -> dict[tuple[Precision, int], float]:
    """The losses of the levels that add something."""
    levels = range(1, session.bank.tree.depth + 1)
    changed = [(each, level) for each in precisions for level in levels]
    banks = [*(_first_levels(session, levels_) for levels_ in (0, *levels)), *(_one_level(session, *each) for each in changed)]
    sums = [float(logprobs.sum()) for _, logprobs in Asking(session, facts, answered=False).ask(session, banks, job)]
    worth = {level: sums[level] - sums[level - 1] for level in levels}
    full = sums[len(levels)]
    read = zip(changed, sums[len(levels) + 1 :], strict=True)
    return {(each, level): _share((full - sum_) / worth[level]) for (each, level), sum_ in read if worth[level] > 0}


def _first_levels(session: Session, levels: int) -> Smaller:
    """The bank with its first so many levels alone."""
    below = enumerate(standing(session.bank, session.overlay)[levels:], levels + 1)
    dropped = {ClusterId(level, int(index)): PRUNED for level, mask in below for index in np.flatnonzero(mask)}
    return replace(whole(session), overlay={**session.overlay, **dropped}, fallback="zero")


def _one_level(session: Session, precision: Precision, level: int) -> Smaller:
    """The bank with one level in a precision."""
    full = whole(session)
    codes = list(full.codes)
    codes[level - 1] = np.full_like(codes[level - 1], PRECISIONS.index(precision))
    return replace(full, codes=tuple(codes))


def _by_numbers(session: Session, precision: Precision, level: int) -> float:
    """The share of the squared numbers of some of a level's blocks that is rounded off."""
    bank = session.bank
    rows = [bank.block(ClusterId(level, int(index))).float() for index in np.flatnonzero(bank.held(level))[:_BLOCKS]]
    energy = sum(float(row.square().sum()) for row in rows)
    lost = sum(float((row - coded(row, bank.manifest.hidden_size, precision)).square().sum()) for row in rows if row.numel())
    return _share(lost / energy) if energy else 0.0


def _share(loss: float) -> float:
    return min(max(loss, 0.0), _MOST)
