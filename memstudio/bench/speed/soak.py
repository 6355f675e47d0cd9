"""A long session: prompts over random routes, with edits, undos and A/B in between. What it holds as it goes on, and whether any answer
was wrong: each hundredth is asked again of a fresh process, at the revision that stood then."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from memstudio.anchor.values import Sampling
from memstudio.bank.values import BASE, ClusterId, parse_cluster
from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.speed.resident import resident
from memstudio.bench.synthetic import synthetic_bank
from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.session import open_session
from memstudio.session.arm_wish import NO_MEMORY, ArmWish

if TYPE_CHECKING:
    from memstudio.session import Session

PROMPTS = 10_000
EVERY = 100
"""How many prompts lie between two that are checked."""
_TOKENS = Sampling(4)
_EDITS, _BACK, _ARMS = 10, 5, 25
"""An edit every so many prompts; it is undone so many later, but for each fifth; two states side by side every so many."""
_MARKS = 11
_PATIENCE_S = 1800


@dataclass(frozen=True, slots=True)
class Mark:
    """After so many prompts: bytes of the process's own memory and of mapped files, open files, and what torch holds on a card."""

    prompts: int
    own_bytes: int
    mapped_bytes: int
    files: int
    card_bytes: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt that is asked again. route: its last cluster. answers: digest of its logits, its text, and what the arms said."""

    number: int
    revision: int
    text: str
    route: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Soaked:
    """marks: the first once all that is read once was read, the last at the end. wrong: numbers of prompts."""

    marks: tuple[Mark, ...]
    edits: int
    undone: int
    checked: int
    wrong: tuple[int, ...]


def measure(device: str, job: Job) -> list[Figure]:
    """10,000 prompts on a bank of 584 blocks.

    Raises:
        UserError: not on Linux.
    """
    with TemporaryDirectory(prefix="memstudio-soak-") as name:
        bank = synthetic_bank(Path(name) / "bank", branching=(8, 8, 8), widths=(8, 8, 8), fill="random")
        found = soak(bank, Path(name) / "study", PROMPTS, job, device=device)
    first, last = found.marks[0], found.marks[-1]
    detail = {"marks": [asdict(mark) for mark in found.marks], "edits": found.edits, "undone": found.undone}
    against, flat = f"after {first.prompts:,}", Limit("at most", 1.05)
    own, files = last.own_bytes / first.own_bytes, last.files / first.files
    figures = [
        Figure(f"memory after {PROMPTS:,} prompts", "MB", last.own_bytes / 1e6, against, first.own_bytes / 1e6, own, flat, 1, detail),
        Figure("open files", "files", last.files, against, first.files, files, Limit("at most", 1.0), 1),
        Figure(f"wrong answers of {found.checked}", "answers", len(found.wrong), "a fresh process", None, None, None, 1),
    ]
    if last.card_bytes:
        card = Figure(
            "memory on the card", "MB", last.card_bytes / 1e6, against, first.card_bytes / 1e6, last.card_bytes / first.card_bytes, flat, 1
        )
        figures.insert(1, card)
    return figures


def soak(bank: Path, study: Path, prompts: int, job: Job, *, device: str = "cpu", every: int = EVERY, seed: int = 0) -> Soaked:
    """Ask `prompts` of a bank, its edits in `study`, and then each `every`th once more in a fresh process.

    Raises:
        UserError: not on Linux, or the fresh process did not come to its end.
    """
    marks: list[Mark] = []
    asked: list[Asked] = []
    with one_thread(), open_session(bank, study=study, device=device) as session:
        walk = _Walk(session, seed)
        for number in range(1, prompts + 1):
            job.progress(number, prompts)
            kept = walk.step(number, check=number % every == 0)
            if kept is not None:
                asked.append(kept)
            if number % max(1, prompts // (_MARKS - 1)) == 0:
                marks.append(_mark(number, device))
        edits, undone = walk.edits, walk.undone
    wrong = _asked_again(bank, study, asked, device)
    return Soaked(tuple(marks), edits, undone, len(asked), wrong)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: for so small a model two cost more than they bring, and both processes compute alike."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Walk:
    """What is done in the session, at random but the same for a seed."""

    def __init__(self, session: "Session", seed: int) -> None:
        self._session, self._random = session, random.Random(seed)
        self._leaves = session.bank.tree.count(session.bank.tree.depth)
        self.edits = self.undone = 0

    def step(self, number: int, *, check: bool) -> Asked | None:
        """One prompt, then perhaps an edit or its undo; gives the prompt that is to be asked again."""
        session, tree = self._session, self._session.bank.tree
        leaf = ClusterId(tree.depth, self._random.randrange(self._leaves))
        text = f"What is said of {self._random.randrange(10**6)} and {self._random.randrange(100)}?"
        kept = None
        if check:
            kept = Asked(number, session.head, text, str(leaf), answers(session, text, leaf))
        elif number % _ARMS == 0:
            _arms(session, text, leaf)
        else:
            session.run(text, route=[leaf], sampling=_TOKENS)
        if number % _EDITS == 0:
            self._edit(tree.route_to(leaf)[self._random.randrange(tree.depth)], self.edits)
        elif number % _EDITS == _BACK and self.edits % 5 and session.head:
            session.undo()
            self.undone += 1
        if number % 1000 == 0:  # else what differs from the bank as shipped would itself grow
            session.checkout(0)
        return kept

    def _edit(self, cluster: ClusterId, number: int) -> None:
        """Prune, scale or rewrite a block that stands as shipped."""
        from memstudio.editing.prune import Prune
        from memstudio.editing.rewrite import Rewrite
        from memstudio.editing.scale import Scale

        if self._session.state(cluster) != BASE:
            return
        self.edits += 1
        block = self._session.bank.block(cluster)
        edits = (lambda: Prune((cluster,), orphan=True), lambda: Scale((cluster,), 0.5), lambda: Rewrite(cluster, block * 1.5))
        self._session.apply(edits[number % len(edits)]())


def answers(session: "Session", text: str, leaf: ClusterId) -> tuple[str, ...]:
    """All that a session says to a prompt: its logits as a digest, its text, and both states of the bank beside no memory."""
    logits = session.logits(text, route=[leaf])
    run = session.run(text, route=[leaf], sampling=_TOKENS)
    return (sha256(logits.numpy().tobytes()).hexdigest(), run.text, *_arms(session, text, leaf))


def _arms(session: "Session", text: str, leaf: ClusterId) -> tuple[str, ...]:
    route = session.bank.tree.route_to(leaf)
    return session.arms(text, [NO_MEMORY, ArmWish(revision=0, route=route), ArmWish(route=route)], _TOKENS).texts()


def _mark(prompts: int, device: str) -> Mark:
    now = resident()
    card = 0
    if device.startswith("cuda"):
        import torch

        card = torch.cuda.memory_allocated(device)
    return Mark(prompts, now.own_bytes, now.mapped_bytes, now.files, card)


def _asked_again(bank: Path, study: Path, asked: Sequence[Asked], device: str) -> tuple[int, ...]:
    """The numbers of prompts that a process of its own answers differently."""
    file = study / "asked.json"
    file.write_text(json.dumps([asdict(each) for each in asked]), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "memstudio.bench.speed.soak", device, str(bank), str(study), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=os.environ)
    if done.returncode:
        raise UserError(f"{bank}: the fresh process ended: {(done.stderr.strip().splitlines() or ['no word of it'])[-1]}")
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def differing(device: str, bank: Path, study: Path, asked: Sequence[dict[str, Any]]) -> list[int]:
    """Ask again, each at its revision; the numbers of those that are answered otherwise."""
    with one_thread(), open_session(bank, study=study, device=device) as session:
        wrong = []
        for each in asked:
            session.checkout(each["revision"])
            if list(answers(session, each["text"], parse_cluster(each["route"]))) != list(each["answers"]):
                wrong.append(each["number"])
        return wrong


if __name__ == "__main__":
    device, bank, study, file = sys.argv[1:]
    sys.stdout.write(json.dumps(differing(device, Path(bank), Path(study), json.loads(Path(file).read_text("utf-8")))) + "\n")
