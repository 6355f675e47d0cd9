"""Answering prompts for the benchmark: any state of the bank, grouped by what is really fetched, on the spare arm."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from memstudio.anchor.engine import answers, logits
from memstudio.anchor.wish import Wish, identities
from memstudio.bank.values import BASE, Change, ClusterId, Overlay
from memstudio.editing.reach import Path, has_own_block, residents
from memstudio.facts.read import prompts_of
from memstudio.facts.score import is_correct
from memstudio.facts.values import Fact
from memstudio.jobs import Job

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.session.session import Session

_BATCH, _ROOM = 256, 16
Prompt = tuple[str, Path]


@dataclass(frozen=True)
class State:
    """A state of the bank: what differs from it as shipped, and the new blocks among that."""

    overlay: Overlay = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def after(self, changes: Sequence[Change], tensors: Mapping[str, Tensor]) -> State:
        """The state once `changes` are made."""
        overlay = {**self.overlay, **{change.cluster: change.after for change in changes}}
        return State({cluster: state for cluster, state in overlay.items() if state != BASE}, {**self.tensors, **tensors})


SHIPPED = State()


class Asking:
    """A session's bank and model; remembers what the bank as shipped answers."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.facts = session.facts()
        self._shipped: dict[Prompt, str] = {}

    def ask(self, prompts: Sequence[Prompt], state: State) -> list[str]:
        """The greedy answer of each prompt, up to its first mark."""
        session, arm = self.session, self.session.running.spare
        groups: dict[object, list[Prompt]] = {}
        for prompt in dict.fromkeys(prompts):
            groups.setdefault(identities(session.bank, Wish("fetched", prompt[1]), state.overlay), []).append(prompt)
        found: dict[Prompt, str] = {}
        for group in groups.values():
            arm.fetch(Wish("fetched", group[0][1]), state.overlay, state.tensors.__getitem__)
            for start in range(0, len(group), _BATCH):
                part = group[start : start + _BATCH]
                found |= zip(part, answers(arm.attached, [session.running.encode(text) for text, _ in part], _ROOM), strict=True)
        return [found[prompt] for prompt in prompts]

    def before(self, prompts: Sequence[Prompt]) -> list[str]:
        """What the bank as shipped answers, each prompt asked once."""
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._shipped]
        self._shipped |= zip(missing, self.ask(missing, SHIPPED), strict=True)
        return [self._shipped[prompt] for prompt in prompts]

    def routed(self, texts: Sequence[str]) -> list[Prompt]:
        """The texts with their routes."""
        return list(zip(texts, self.session.routes(texts), strict=True))

    def living(self, blocks: Sequence[ClusterId], without: set[str]) -> list[Prompt]:
        """Co-resident prompts: those of other facts that fetch one of the blocks."""
        return [(found.text, found.path) for found in residents(self.facts, self.session.routes, blocks, without)]

    def outside(self, blocks: set[ClusterId], count: int, seed: int) -> list[Prompt]:
        """A seeded sample of the bank's prompts that fetch none of the blocks."""
        texts = [text for fact in self.facts for _, text in prompts_of(fact)]
        free = [prompt for prompt in self.routed(texts) if blocks.isdisjoint(prompt[1])]
        return random.Random(seed).sample(free, min(count, len(free)))

    def reference(self, prompt: Prompt, state: State) -> Tensor:
        """Logits of the reference path; the slots are filled anew."""
        arm = self.session.running.spare
        arm.attached.slots.clear()
        arm.fetch(Wish("fetched", prompt[1]), state.overlay, state.tensors.__getitem__)
        return logits(arm.attached, self.session.running.encode(prompt[0]))

    def identical(self, prompts: Sequence[Prompt], references: Sequence[Tensor], state: State) -> int:
        """On how many prompts the logits are those of `references`, bit by bit."""
        return sum(torch.equal(self.reference(prompt, state), wanted) for prompt, wanted in zip(prompts, references, strict=True))


def choose_requests(asking: Asking, count: int, seed: int, withhold: int, job: Job) -> list[Fact]:
    """Specific facts that have a withheld phrasing which is answered rightly, each with another value of its relation as target.

    withhold: so many of the trained phrasings are kept from the editor too, and counted as withheld.
    """
    job.breathe()
    bank = asking.session.bank
    known = [fact for fact in asking.facts if fact.kind == "specific" and fact.held_out]
    held = asking.before(asking.routed([fact.held_out[0] for fact in known]))
    right = [fact for fact, answer in zip(known, held, strict=True) if is_correct(answer, fact.expected, fact.aliases)]
    chance = random.Random(seed)
    requests: list[Fact] = []
    for fact in chance.sample(right, len(right)):
        others = sorted({other.expected for other in asking.facts if other.relation == fact.relation} - {fact.expected, *fact.aliases})
        path = asking.session.routes([fact.prompt])[0]
        if len(requests) < count and others and any(has_own_block(bank, {}, cluster) for cluster in path):
            hidden = tuple(chance.sample(fact.phrasings, min(withhold, max(0, len(fact.phrasings) - 1))))
            seen = tuple(text for text in fact.phrasings if text not in hidden)
            requests.append(dataclasses.replace(fact, target=chance.choice(others), phrasings=seen, held_out=(*fact.held_out, *hidden)))
    return requests
