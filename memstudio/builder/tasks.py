"""Training in parts: each part is a job with its own folder, which any machine may run; the bank is merged from the folders.

Frozen anchor: one job a level-1 subtree, and one for the generic blocks, which sees 1/(k+1) as many steps as all of them together.
Co-training: one job, since the anchor moves with every block; it takes the generic blocks with probability 1/(k+1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memstudio.builder.design import Design
from memstudio.builder.packs import Ints
from memstudio.builder.store import Store, StoredRows
from memstudio.builder.tree import Grown

GENERIC, TOGETHER = "generic", "together"


@dataclass(frozen=True)
class Task:
    """A training job. windows: int64, those that it reads; blocks: (first, count) of each level; number: its own seed.

    share: of the steps that an epoch over its windows takes; generic: the odds that a step takes the generic blocks.
    """

    name: str
    number: int
    windows: Ints
    blocks: tuple[tuple[int, int], ...]
    share: float
    generic: float


def tasks(design: Design, grown: Grown, mode: str) -> list[Task]:
    """The jobs of a build, in the order of their numbers; a subtree without documents has none."""
    clusters = design.clusters
    every = np.arange(len(grown.paths))
    k = design.branching[0]
    if mode == "cotrain":
        return [Task(TOGETHER, 0, every, tuple((0, count + 1) for count in clusters), 1.0, 1 / (k + 1))]
    found = []
    for root in range(k):
        inside = np.flatnonzero(grown.paths[:, 0] == root)
        below = [count // k for count in clusters]
        if len(inside):
            found.append(Task(f"subtree-{root}", root, inside, tuple((root * n, n) for n in below), 1.0, 0.0))
    return [*found, Task(GENERIC, k, every, tuple((count, 1) for count in clusters), 1 / (k + 1), 1.0)]


def open_store(task: Task, folder: Path, design: Design, seed: int) -> Store:
    """A job's blocks on disk, where an earlier run left them; `folder` is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = [
        StoredRows(folder / f"level-{level}.f32", layout, level, first, count, seed)
        for level, (layout, (first, count)) in enumerate(zip(design.layouts, task.blocks, strict=True), 1)
        if layout.n
    ]
    return Store(folder, levels)


def complete(folder: Path) -> bool:
    """Whether a job's folder holds a training that came to its end."""
    return (folder / "done.json").is_file()


def by_rank(tasks_: Sequence[Task], rank: int, world: int) -> list[Task]:
    """The jobs of one of several processes, dealt round."""
    return list(tasks_[rank::world])
