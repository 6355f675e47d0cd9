"""What fewer bits cost: the share of a bank's worth that is lost when all its blocks are stored in a precision, measured on its facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from memstudio.bank.values import PRUNED, ClusterId, Precision
from memstudio.errors import UserError
from memstudio.export.plan import standing
from memstudio.export.precision import Choice, Losses, coded, offered
from memstudio.session.smaller import Asking, Smaller, whole

if TYPE_CHECKING:
    from memstudio.facts.values import Fact
    from memstudio.jobs import Job
    from memstudio.session.session import Session

ASKED = 400
"""Facts that are asked at most, the first of those given."""
_BLOCKS = 64
_MOST = 0.99


def measured_losses(session: Session, choice: Choice, facts: Sequence[Fact], job: Job) -> Losses:
    """The share (0 … 0.99) of what memory adds to the log-probability of the facts' answers that each precision of a choice loses.

    Where there is no fact with an answer, or memory adds nothing to them: the share of the blocks' squared numbers that is rounded off.
    Only a choice that mixes precisions needs them; for another they are empty.

    Raises:
        UserError: as `offered`.
    """
    precisions = [each for each in offered(session.bank, choice) if each != "bank"]
    if choice != "mixed":
        return {}
    asked = [fact for fact in facts if fact.expected.strip()][:ASKED]
    found = _by_facts(session, precisions, asked, job) if asked else None
    return found if found is not None else _by_numbers(session, precisions)


def _by_facts(session: Session, precisions: Sequence[Precision], facts: Sequence[Fact], job: Job) -> Losses | None:
    banks = [_nothing(session), whole(session), *(whole(session, each) for each in precisions)]
    none, full, *coarse = (float(logprobs.sum()) for _, logprobs in Asking(session, facts).ask(banks, job))
    if not full > none:
        return None
    return {each: _share((full - sum_) / (full - none)) for each, sum_ in zip(precisions, coarse, strict=True)}


def _nothing(session: Session) -> Smaller:
    full = whole(session)
    pruned = {
        ClusterId(level, int(index)): PRUNED
        for level, mask in enumerate(standing(session.bank, session.overlay), 1)
        for index in np.flatnonzero(mask)
    }
    return Smaller(pruned, "zero", full.codes)


def _by_numbers(session: Session, precisions: Sequence[Precision]) -> Losses:
    bank = session.bank
    blocks = [
        ClusterId(level, int(index))
        for level in range(1, bank.tree.depth + 1)
        for index in np.flatnonzero(bank.held(level))[: _BLOCKS // bank.tree.depth + 1]
    ]
    if not blocks:
        raise UserError(f"{bank.name}: holds no block of its own to store in fewer bits")
    rows = [bank.block(cluster).float() for cluster in blocks]
    whole_energy = sum(float(row.square().sum()) for row in rows) or 1.0
    return {
        each: _share(sum(float((row - coded(row, bank.manifest.hidden_size, each)).square().sum()) for row in rows) / whole_energy)
        for each in precisions
    }


def _share(loss: float) -> float:
    return min(max(loss, 0.0), _MOST)
