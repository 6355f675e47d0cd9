"""What each block is worth to a smaller bank: by its documents, its norm, how often prompts fetch it, and what it does to their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memstudio.anchor.wish import Wish, identities
from memstudio.bank.overlay import resolve
from memstudio.bank.values import ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.export.plan import standing
from memstudio.export.rank import RankBy, Ranking, by_chance, by_documents, by_use, inherited
from memstudio.facts.read import prompts_of
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session.forced import forced

if TYPE_CHECKING:
    from memstudio.session.session import Session

_BATCH = 256


def rank(session: Session, by: RankBy, facts: Sequence[Fact] | None = None, *, seed: int = 0, job: Job | None = None) -> Ranking:
    """Rank the blocks as they stand at the head.

    facts: whose prompts are asked for `effect` and `use`; None: the bank's own, its probes where it has none. seed: of `random`.

    Raises:
        UserError: there is no prompt to rank by.
    """
    tree, work = session.bank.tree, job or Job("rank")
    if by == "documents":
        return by_documents(tree)
    if by == "random":
        return by_chance(tree, seed)
    if by == "norm":
        return by_norm(session, session.overlay, work)
    asked = session.facts() if facts is None else list(facts)
    if not asked:
        raise UserError(f"{session.bank.name}: has no facts and no probes to rank by {by}: rank by documents or norm")
    prompts = _prompts(session, asked)
    if not any(prompt.route for prompt in prompts):
        raise UserError(f"none of the {len(asked):,} facts has an answer and a route: rank by documents or norm")
    if by == "use":
        return by_use(tree, [prompt.route for prompt in prompts])
    return by_effect(session, prompts, session.overlay, work)


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, its answer, and the route of its key; what the session hides is not passed over."""

    text: str
    answer: str
    route: tuple[ClusterId, ...]


def _prompts(session: Session, facts: Sequence[Fact]) -> list[Asked]:
    pairs = [(text, fact.expected) for fact in facts if fact.expected.strip() for _, text in prompts_of(fact)]
    routes = session.routes([text for text, _ in pairs])
    return [Asked(text, answer, route) for (text, answer), route in zip(pairs, routes, strict=True)]


def by_norm(session: Session, overlay: Overlay, job: Job) -> Ranking:
    """The L2 norm of a block's numbers as it stands, times its scale; every block is read once."""
    bank = session.bank
    stands = standing(bank, overlay)
    scores = [np.full(len(mask), np.nan) for mask in stands]
    total, done = sum(int(mask.sum()) for mask in stands), 0
    for level, mask in enumerate(stands, 1):
        for index in np.flatnonzero(mask).tolist():
            found = resolve(bank, overlay, ClusterId(level, index), session.blob)
            if found.row is not None:
                scores[level - 1][index] = float(found.row.float().norm()) * abs(found.scale)
            done += 1
            if done % 64 == 0 or done == total:
                job.progress(done, total)
    return inherited("norm", bank.tree, scores)


def by_effect(session: Session, prompts: Sequence[Asked], overlay: Overlay, job: Job) -> Ranking:
    """The log-probability (natural log) that each block adds to its prompts' answers, summed over them: causal.

    What a block adds is counted on top of the blocks above it alone, since a smaller bank never keeps it without them; so the
    figures of a route add up to what the whole route does. Prompts that fetch the same blocks are read together.
    """
    depth = session.bank.tree.depth
    anchor = session.running.anchor
    pairs = [(session.running.encode(prompt.text), anchor.continuation(prompt.text, prompt.answer)) for prompt in prompts]
    reads = np.zeros((depth + 1, len(prompts)))
    done, total = 0, (depth + 1) * len(prompts)
    for levels in range(depth + 1):
        groups: dict[object, list[int]] = {}
        for number, prompt in enumerate(prompts):
            groups.setdefault(identities(session.bank, Wish("fetched", prompt.route, levels), overlay), []).append(number)
        for members in groups.values():
            for start in range(0, len(members), _BATCH):
                part = members[start : start + _BATCH]
                session.running.spare.fetch(Wish("fetched", prompts[part[0]].route, levels), overlay, session.blob)
                found = forced(session.running.spare.attached, [pairs[number] for number in part])
                reads[levels, part] = [read.logprob for read in found]
                done += len(part)
                job.progress(done, total)
    scores = [np.full(session.bank.tree.count(level), np.nan) for level in range(1, depth + 1)]
    for number, prompt in enumerate(prompts):
        for level, index in prompt.route:
            here = scores[level - 1]
            here[index] = np.nan_to_num(here[index]) + reads[level, number] - reads[level - 1, number]
    return inherited("effect", session.bank.tree, scores)
