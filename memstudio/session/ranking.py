"""What each block is worth to a smaller bank: by its documents, its norm, how often prompts fetch it, and what it does to their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from memstudio.anchor.wish import Wish
from memstudio.bank.overlay import resolve
from memstudio.bank.values import PRUNED, ClusterId, Fallback
from memstudio.errors import UserError
from memstudio.export.plan import Mask, standing
from memstudio.export.rank import Floats, RankBy, Ranking, by_chance, by_counts, by_documents, by_use, inherited, steadied
from memstudio.facts.read import prompts_of
from memstudio.facts.values import Fact, PromptSet, SetPrompt
from memstudio.jobs import Job
from memstudio.session.forced import forced
from memstudio.session.smaller import Fetched, lay, whole
from memstudio.session.use import Pair, pairs_of
from memstudio.session.used import added_up

if TYPE_CHECKING:
    from memstudio.session.session import Session

_BATCH = 256


def rank(
    session: Session,
    by: RankBy,
    facts: Sequence[Fact] | PromptSet | None = None,
    *,
    fallback: Fallback | None = None,
    seed: int = 0,
    job: Job | None = None,
) -> Ranking:
    """Rank the blocks as they stand at the head.

    facts: whose prompts are asked for `effect` and `use`, or a set of prompts, of which those without an answer are answered by the bank;
    None: the bank's own, its probes where it has none, and for `use` the prompt sets that the study counted, where it counted any.
    fallback: what stands in for a dropped block, which `effect` is measured against; None: as the bank has it. seed: of `random`.

    Raises:
        UserError: there is no prompt to rank by, or an over-long one of a fact.
    """
    tree, work = session.bank.tree, job or Job("rank")
    if by == "documents":
        return by_documents(tree)
    if by == "random":
        return by_chance(tree, seed)
    if by == "norm":
        return by_norm(session, work)
    counted = added_up(session.uses(runs=False)) if by == "use" and facts is None else None
    if counted is not None and counted.prompts:
        return replace(by_counts(tree, counted.fetched), of=f"{counted.prompts:,} prompts counted")
    given = session.facts() if facts is None else facts
    prompts = _prompts(session, given)
    if not given:
        raise UserError(f"{session.bank.name}: has no facts and no probes to rank by {by}: rank by documents or norm")
    if not any(prompt.route for prompt in prompts):
        raise UserError(f"nothing to rank by {by}: none of the facts or prompts has an answer and a route: rank by documents or norm")
    found = by_use(tree, [prompt.route for prompt in prompts]) if by == "use" else by_effect(session, prompts, fallback, work)
    return replace(found, of=f"{len(prompts):,} prompts given") if isinstance(given, PromptSet) else found


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, the number of its fact, and the route of its key; what the session hides is not passed over."""

    fact: int
    prompt: SetPrompt
    route: tuple[ClusterId, ...]


def _prompts(session: Session, given: Sequence[Fact] | PromptSet) -> list[Asked]:
    """The prompts of facts that have an answer, or those of a set, each a fact of its own."""
    if isinstance(given, PromptSet):
        asked = list(enumerate(given.prompts))
    else:
        answered = [(number, fact) for number, fact in enumerate(given) if fact.expected.strip()]
        asked = [(number, SetPrompt(text, answer=fact.expected)) for number, fact in answered for _, text in prompts_of(fact)]
    routes = session.routes([each.text if each.key is None else each.key for _, each in asked])
    return [Asked(*each, route) for each, route in zip(asked, routes, strict=True)]


def by_norm(session: Session, job: Job) -> Ranking:
    """The L2 norm of a block's numbers as it stands, times its scale; every block is read once."""
    return inherited("norm", session.bank.tree, _norms(session, standing(session.bank, session.overlay), job))


def by_effect(session: Session, prompts: Sequence[Asked], fallback: Fallback | None, job: Job) -> Ranking:
    """The log-probability (natural log) that each block adds to its prompts' answers, summed over them: causal.

    What a block adds is counted on top of the blocks above it alone, since a smaller bank never keeps it without them, and against what
    stands in where it and those below it are dropped (None: as the bank has it; the nearest of all siblings where that is a sibling). So
    the figures of a route add up to what the whole route does. Then they are `steadied` by the energies of the blocks: a phrasing more of a
    fact is no further draw, so the variance of a block's sum is the sum over its facts of their squared gains.
    """
    bank, gains = session.bank, np.diff(_reads(session, prompts, fallback, job), axis=0)
    of_fact: dict[tuple[ClusterId, int], float] = {}
    for number, prompt in enumerate(prompts):
        for cluster in prompt.route:
            of_fact[cluster, prompt.fact] = of_fact.get((cluster, prompt.fact), 0.0) + float(gains[cluster.level - 1, number])
    sums, noises = ([np.full(bank.tree.count(level), np.nan) for level in range(1, bank.tree.depth + 1)] for _ in range(2))
    for ((level, index), _), gain in of_fact.items():
        for scores, more in ((sums, gain), (noises, gain * gain)):
            scores[level - 1][index] = np.nan_to_num(scores[level - 1][index]) + more
    reached = tuple(mask & np.isfinite(each) for mask, each in zip(standing(bank, session.overlay), sums, strict=True))
    energies = [norms * norms for norms in _norms(session, reached, job)]
    return inherited("effect", bank.tree, steadied(sums, noises, energies))


def _reads(session: Session, prompts: Sequence[Asked], fallback: Fallback | None, job: Job) -> Floats:
    """The log-probability of each answer with the first so many levels of its route, float64 [levels + 1, prompts], the rest dropped.

    Prompts that fetch the same blocks are read together. job: prompts that were read.
    """
    depth, everything, pairs = session.bank.tree.depth, whole(session), _pairs(session, prompts)
    reads = np.zeros((depth + 1, len(prompts)))
    done, total = 0, reads.size
    for levels in range(depth + 1):
        groups: dict[Fetched, list[int]] = {}
        known: dict[tuple[ClusterId, ...], Fetched] = {}
        for number, prompt in enumerate(prompts):
            if prompt.route not in known:
                dropped = {**session.overlay, **dict.fromkeys(prompt.route[levels:], PRUNED)}
                smaller = replace(everything, overlay=dropped, fallback=fallback or everything.fallback)
                known[prompt.route] = smaller.fetched(session.bank, prompt.route)
            groups.setdefault(known[prompt.route], []).append(number)
        for slots, members in groups.items():
            for start in range(0, len(members), _BATCH):
                part = members[start : start + _BATCH]
                found = forced(lay(session, slots), [pairs[number] for number in part])
                reads[levels, part] = [read.logprob for read in found]
                done += len(part)
                job.progress(done, total)
    return reads


def _pairs(session: Session, prompts: Sequence[Asked]) -> list[Pair]:
    """Tokens of each prompt and of its answer; where it has none, of what its route answers.

    Raises:
        UserError: the anchor cannot read one of them; says which.
    """
    routes: dict[tuple[ClusterId, ...], list[int]] = {}
    for number, each in enumerate(prompts):
        routes.setdefault(each.route, []).append(number)
    found: dict[int, Pair] = {}
    for route, numbers in routes.items():
        session.running.spare.fetch(Wish("fetched", route), session.overlay, session.blob)
        for number, pair in zip(numbers, pairs_of(session, [prompts[number].prompt for number in numbers]), strict=True):
            if isinstance(pair, str):
                raise UserError(f"prompt {prompts[number].prompt.text!r:.60}: {pair}")
            found[number] = pair
    return [found[number] for number in range(len(prompts))]


def _norms(session: Session, wanted: Sequence[Mask], job: Job) -> list[Floats]:
    """The norms of the blocks under masks, float64 [clusters] a level, NaN elsewhere; only these blocks are read."""
    bank = session.bank
    norms = [np.full(len(mask), np.nan) for mask in wanted]
    total, done = sum(int(mask.sum()) for mask in wanted), 0
    for level, mask in enumerate(wanted, 1):
        for index in np.flatnonzero(mask).tolist():
            found = resolve(bank, session.overlay, ClusterId(level, index), session.blob)
            if found.row is not None:
                norms[level - 1][index] = float(found.row.float().norm()) * abs(found.scale)
            done += 1
            if done % 64 == 0 or done == total:
                job.progress(done, total)
    return norms
