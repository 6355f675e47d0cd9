"""Scoring 1,000 facts over 500 routes: all at once, against one prompt at a time the reference way.

Routes are given, so neither side routes. The peer fetches a prompt's blocks into the slots and generates its answer alone; it answers a
sample of the prompts a round, since all of them would take minutes, and a prompt's mean stands for the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.speed.timing import seconds
from memstudio.bench.synthetic import synthetic_bank
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.session.scoring import Prompt
    from memstudio.session.session import Session

FACTS, ROUTES = 1_000, 500
TREE = (8, 8, 8)
"""512 leaves."""


def measure(device: str, job: Job) -> list[Figure]:
    """On a small anchor, where the overhead of each step counts."""
    with _small_bank() as folder:
        return [figure(folder, "the demo's anchor", device, job, rounds=2, sample=40)]


@contextmanager
def _small_bank() -> Iterator[Path]:
    """A bank of random blocks on the demo's anchor, with the demo's widths and 512 leaves."""
    from memstudio.paths import demo_bank

    with TemporaryDirectory(prefix="memstudio-speed-") as name:
        yield synthetic_bank(Path(name) / "bank", branching=TREE, widths=(4, 4, 14), anchor=demo_bank() / "anchor", fill="random")


def prompts_for(session: Session, seed: int = 0) -> list[Prompt]:
    """1,000 of the demo's own prompts, two on each of 500 leaves, in no order."""
    import memstudio
    from memstudio.bank.values import ClusterId
    from memstudio.session.scoring import Prompt

    rng = np.random.default_rng(seed)
    with memstudio.open("demo") as demo:
        facts = demo.facts()[:FACTS]
    leaves = rng.permutation(np.repeat(rng.permutation(session.bank.tree.count(3))[:ROUTES], FACTS // ROUTES))
    routes = [session.bank.tree.route_to(ClusterId(3, int(leaf))) for leaf in leaves]
    return [Prompt(fact, "prompt", fact.prompt, route, learned=False) for fact, route in zip(facts, routes, strict=True)]


def figure(folder: Path, name: str, device: str, job: Job, rounds: int, sample: int) -> Figure:
    """Medians of `rounds`, in each of which the peer answers `sample` prompts, half of them before ours and half after."""
    import memstudio
    from memstudio.session.scoring import How, answered

    with memstudio.open(folder, device=device) as session:
        prompts = prompts_for(session)
        texts: list[str] = []
        alone: dict[int, str] = {}

        def ours() -> None:
            texts[:] = answered(session, prompts, How(), {}, Job("score"))

        def peer(part: range) -> None:
            for number in part:
                alone[number] = one_alone(session, prompts[number])

        own, single, half = [], [], sample // 2
        peer(range(2))
        for at in range(rounds):
            job.progress(at, rounds)
            parts = [range(start, start + half) for start in (at * sample, at * sample + half)]
            spent = seconds(partial(peer, parts[0]), device)
            own.append(seconds(ours, device))
            single.append((spent + seconds(partial(peer, parts[1]), device)) / (2 * half))
        same = sum(texts[number] == text for number, text in alone.items())
    all_alone = median(single) * FACTS
    return Figure(
        f"scoring 1,000 facts over 500 routes, {name}",
        "s",
        median(own),
        "one prompt at a time, fetched and generated alone",
        all_alone,
        all_alone / median(own),
        Limit("at least", 5.0 if device == "cpu" else 20.0),
        rounds,
        {"peer_prompts_a_round": sample, "same_answers": same, "of": len(alone), "tree": list(TREE)},
    )


def one_alone(session: Session, prompt: Prompt) -> str:
    """The answer of one prompt by itself: its blocks fetched into the slots, a batch of one."""
    from memstudio.anchor.engine import answers
    from memstudio.anchor.wish import Wish
    from memstudio.session.scoring import room_of

    anchor = session.running.anchor
    session.fetch(Wish("fetched", prompt.route))
    return answers(session.running.attached, [session.running.encode(prompt.text)], room_of(anchor, prompt, "expected", {}))[0]
