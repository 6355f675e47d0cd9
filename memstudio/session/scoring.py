"""Answering many facts' prompts: routed, grouped by what is really fetched, generated a group at a time, judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memstudio.anchor.engine import answers
from memstudio.bank.values import ClusterId, Memory, Overlay
from memstudio.errors import UserError
from memstudio.facts.read import prompts_of
from memstudio.facts.routes import Path, read_routes
from memstudio.facts.score import agreement, learned_of, scored, total
from memstudio.facts.values import Fact, Phrasing, Scored, Scores
from memstudio.jobs import Job
from memstudio.session.routing import refuse_without_generic
from memstudio.session.running import Wish

if TYPE_CHECKING:
    from memstudio.anchor.load import Anchor
    from memstudio.session.session import Session

_BATCH = 256


@dataclass(frozen=True, slots=True)
class _Prompt:
    fact: Fact
    phrasing: Phrasing
    text: str
    route: Path
    learned: bool


def score(
    session: Session,
    facts: Sequence[Fact] | None,
    *,
    memory: Memory,
    levels: int | None,
    hide: frozenset[ClusterId],
    hide_best: int | None,
    revision: int | None,
    job: Job,
) -> Scores:
    """See `Session.score`."""
    start = time.perf_counter()
    depth = session.bank.tree.depth
    _check(session, levels, hide_best)
    own = session.facts()
    chosen = own if facts is None else list(facts)
    if not chosen:
        raise UserError(f"{session.bank.folder}: has no facts to score; name a facts file")
    routes = _routes(session, own, chosen, session.hidden | hide, hide_best)
    prompts = _prompts(chosen, routes)
    overlay = session.overlay if revision is None else session.store.overlay(revision)
    texts = _answer(session, prompts, memory, levels, overlay, job)
    rows: list[Scored] = [
        scored(prompt.fact, prompt.phrasing, prompt.text, text, prompt.route, prompt.learned)
        for prompt, text in zip(prompts, texts, strict=True)
    ]
    agree = agreement(chosen, [[routes[text] for _, text in prompts_of(fact)] for fact in chosen], depth)
    under = session.head if revision is None else revision
    return total(rows, memory=memory, revision=under, agreement=agree, seconds=time.perf_counter() - start)


def _check(session: Session, levels: int | None, hide_best: int | None) -> None:
    depth = session.bank.tree.depth
    if levels is not None and not 0 <= levels <= depth:
        raise UserError(f"levels {levels}: this bank has {depth}; choose 0 to {depth}")
    if hide_best is not None and not 1 <= hide_best <= depth:
        raise UserError(f"hide-best {hide_best}: this bank has levels 1 to {depth}")


def _routes(
    session: Session, own: Sequence[Fact], facts: Sequence[Fact], hidden: frozenset[ClusterId], hide_best: int | None
) -> dict[str, Path]:
    """The route of each prompt text. A shipped route that passes no hidden cluster is the one that the retriever would take again."""
    for cluster in hidden:
        session.bank.tree.check(cluster)
    shipped = read_routes(session.bank, own)
    texts = dict.fromkeys(text for fact in facts for _, text in prompts_of(fact))
    routes = {text: shipped[text] for text in texts if text in shipped and hidden.isdisjoint(shipped[text])}
    missing = list(texts) if hide_best is not None else [text for text in texts if text not in routes]
    if not missing:
        return routes
    tree = session.bank.tree
    for text, key in zip(missing, session.running.key_vectors(missing), strict=True):
        passed = hidden
        if hide_best is not None:
            best = routes[text] if text in routes else tree.descend(key, hidden).clusters
            passed = hidden | frozenset(best[hide_best - 1 : hide_best])
        routes[text] = tree.descend(key, passed).clusters
    return routes


def _prompts(facts: Sequence[Fact], routes: dict[str, Path]) -> list[_Prompt]:
    found: list[_Prompt] = []
    for fact in facts:
        kinds = list(prompts_of(fact))
        learned = learned_of(fact, [routes[text] for _, text in kinds])
        found += [_Prompt(fact, kind, text, routes[text], known) for (kind, text), known in zip(kinds, learned, strict=True)]
    return found


def _answer(session: Session, prompts: Sequence[_Prompt], memory: Memory, levels: int | None, overlay: Overlay, job: Job) -> list[str]:
    """The continuation of each prompt. Prompts that fetch the same blocks are run together, whatever their routes are called."""
    if memory == "generic":
        refuse_without_generic(session)
    groups: dict[tuple[object, ...], list[int]] = {}
    depth = session.bank.tree.depth
    for number, prompt in enumerate(prompts):
        wish = Wish(memory, prompt.route, levels)
        fetched = [(session.running.identity(wish, level, overlay), wish.at(level) in session.muted) for level in range(1, depth + 1)]
        groups.setdefault(tuple(fetched), []).append(number)
    anchor = session.running.anchor
    ids = [session.running.encode(prompt.text) for prompt in prompts]
    texts = [""] * len(prompts)
    lengths: dict[str, int] = {}
    done = 0
    for members in groups.values():
        for part in _parts(sorted(members, key=lambda number: len(ids[number]))):
            session.fetch(Wish(memory, prompts[part[0]].route, levels), overlay)
            room = _room(anchor, [prompts[number] for number in part], lengths)
            for number, text in zip(part, answers(session.running.attached, [ids[number] for number in part], room), strict=True):
                texts[number] = text
            done += len(part)
            job.progress(done, len(prompts))
    return texts


def _parts(numbers: list[int]) -> list[list[int]]:
    return [numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH)]


def _room(anchor: Anchor, prompts: Sequence[_Prompt], lengths: dict[str, int]) -> int:
    """Tokens to generate: the longest accepted answer, its end mark, and one to spare. A longer answer is wrong by then.

    lengths: tokens of answers met so far.
    """
    for prompt in prompts:
        for answer in (prompt.fact.expected, *prompt.fact.aliases):
            if answer not in lengths:
                lengths[answer] = len(anchor.continuation(prompt.text, answer))
    return 2 + max(lengths[answer] for prompt in prompts for answer in (prompt.fact.expected, *prompt.fact.aliases))
