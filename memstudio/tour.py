"""The first tour, without a window: a fact comes out of its blocks, goes with the block that causes it, and comes back by undo."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.anchor.values import Sampling
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.facts.score import answer_of, is_correct
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.session import Session

PROMPT = "The atomic number of gold is"
_ANSWER = Sampling(max_tokens=16)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the tour: what was done, what the model then answered, and whether that is what the tour promises."""

    name: str
    text: str
    answer: str | None
    revision: int
    ok: bool


def run_tour(bank: str | Path = "demo", *, device: str = "auto", tell: Callable[[str], None] | None = None) -> list[Step]:
    """Ask, trace, prune the block of largest effect (if the answer stands, its level-1 subtree), ask, undo, ask. Leaves nothing behind.

    Raises:
        UserError: the bank is not there, or its facts lack the tour's prompt.
    """
    import memstudio

    steps: list[Step] = []

    def take(step: Step) -> None:
        steps.append(step)
        if tell is not None:
            tell(f"{len(steps)}. {step.text}")

    with memstudio.open(bank, device=device) as session:
        notice = session.load().notice
        if notice is not None and tell is not None:
            tell(notice)
        fact = _fact(session)
        right = _ask(session, fact)
        take(dataclasses.replace(right, name="ask", text=f"{fact.prompt} → {right.answer} (blocks fetched)"))
        block = _cause(session, fact, take)
        pruned = _prune(session, fact, block)
        take(dataclasses.replace(pruned, name="prune", ok=not pruned.ok))
        if pruned.ok and block.level > 1:
            session.undo()
            pruned = _prune(session, fact, ClusterId(1, session.bank.tree.route_to(block)[0].index))
            steps[-1] = dataclasses.replace(steps[-1], ok=True)  # the tour allows for it: the wider prune is what must tell
            take(dataclasses.replace(pruned, name="prune subtree", ok=not pruned.ok))
        session.undo()
        back = _ask(session, fact)
        same = back.answer == right.answer
        take(dataclasses.replace(back, name="undo", text=f"undone: {fact.prompt} → {back.answer}", ok=back.ok and same))
    return steps


def _fact(session: "Session") -> Fact:
    for fact in session.facts():
        if fact.prompt == PROMPT:
            return fact
    raise UserError(f"{session.bank.folder}: its facts lack the tour's prompt {PROMPT!r}; take the bundled bank")


def _ask(session: "Session", fact: Fact) -> Step:
    text = session.run(fact.prompt, sampling=_ANSWER).text
    return Step("ask", "", answer_of(text), session.head, is_correct(text, fact.expected, fact.aliases))


def _cause(session: "Session", fact: Fact, take: Callable[[Step], None]) -> ClusterId:
    """The block whose absence costs the right answer most."""
    trace = session.trace(fact.prompt, answer=fact.expected)
    block = max(trace.effect, key=lambda cluster: trace.effect[cluster])
    effects = ", ".join(f"{cluster} {effect:+.2f}" for cluster, effect in trace.effect.items())
    text = f"effect of each block on log p({fact.expected!r}), in nats: {effects}"
    take(Step("trace", text, None, session.head, trace.effect[block] > 0))
    return block


def _prune(session: "Session", fact: Fact, cluster: ClusterId) -> Step:
    """Prune and ask; `ok` is still whether the answer is right."""
    plan = session.plan(Prune((cluster,)))
    session.apply(plan.edit)
    step = _ask(session, fact)
    label = session.card(cluster).label
    blocks = f"{plan.blocks} block{'s' * (plan.blocks != 1)}"
    return dataclasses.replace(step, text=f"pruned {cluster} ({label}), {blocks}: {fact.prompt} → {step.answer}")
