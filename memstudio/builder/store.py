"""The blocks of one training job on disk: float32 rows with their Adam moments, of which only the fetched ones are ever in memory.

Steps change rows in memory; a checkpoint writes what changed as one journal file, then into place. A kill at any moment leaves the last
checkpoint: either the journal is whole and is put in place again, or it is not and never was.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from memstudio.bank.layout import Layout
from memstudio.builder.memory import adam, start

DECAY = 1e-3
_JOURNAL, _STATE = "journal.safetensors", "state.json"


class StoredRows:
    """The blocks `first` to `first + count - 1` of a level: a sparse file of [count, 3, n] float32 (values, mean, square).

    A block that was never stepped is made from the seed when it is read, so a fresh store occupies no disk.
    """

    def __init__(self, path: Path, layout: Layout, level: int, first: int, count: int, seed: int) -> None:
        self.layout = layout
        self.level, self.first, self.count = level, first, count
        self.steps = np.zeros(count, np.int64)
        self.changed: dict[int, Tensor] = {}
        self._seed = seed
        self._bytes = 3 * 4 * layout.n
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.ftruncate(self._file, count * self._bytes)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def read(self, which: Tensor) -> Tensor:
        """The blocks `which` [U] (numbers in the level), [U, n]."""
        return torch.stack([self._state(int(index) - self.first)[0] for index in which]).clone()

    def step(self, which: Tensor, values: Tensor, gradient: Tensor, lr: float) -> None:
        """One AdamW step on the blocks `which` [U], whose fetched values were `values` [U, n]."""
        for index, row, slope in zip(which.tolist(), values, gradient, strict=True):
            at = index - self.first
            state = self._state(at).clone()
            self.steps[at] += 1
            count = torch.tensor([[float(self.steps[at])]])
            state[0] = adam(row[None], state[1:2], state[2:3], count, slope[None], lr, DECAY)[0]
            self.changed[at] = state

    def _state(self, at: int) -> Tensor:
        if at in self.changed:
            return self.changed[at]
        if self.steps[at]:
            raw = os.pread(self._file, self._bytes, at * self._bytes)
            return torch.frombuffer(bytearray(raw), dtype=torch.float32).view(3, -1)
        fresh = torch.zeros(3, self.layout.n)
        seed = np.random.SeedSequence([self._seed, self.level, self.first + at]).generate_state(1, np.uint64)[0]
        start(fresh[:1], self.layout, torch.Generator().manual_seed(int(seed >> np.uint64(1))))
        return fresh

    def put(self, at: int, state: Tensor) -> None:
        """Write one block's state [3, n] into its place in the file."""
        os.pwrite(self._file, state.contiguous().numpy().tobytes(), at * self._bytes)

    def flush(self) -> None:
        """Have the file on the disk."""
        os.fsync(self._file)


class Store:
    """All levels of one job, and where its training stands; opened where an earlier run left it."""

    def __init__(self, folder: Path, levels: Sequence[StoredRows]) -> None:
        self.folder = folder
        self.levels = tuple(levels)
        self.step = 0
        self.losses: list[float] = []
        journal, state = folder / _JOURNAL, folder / _STATE
        if state.exists():
            self._take(json.loads(state.read_text()))
        if journal.exists():
            self._settle(load_file(journal))

    @property
    def changed_bytes(self) -> int:
        """What a checkpoint would write."""
        return sum(len(level.changed) * 12 * level.layout.n for level in self.levels)

    def checkpoint(self, step: int, losses: Sequence[float]) -> None:
        """Keep everything as it stands after `step` steps."""
        self.step, self.losses = step, list(losses)
        tensors = {f"{level.level}.{at}": state for level in self.levels for at, state in level.changed.items()}
        described = {"step": step, "losses": self.losses, "steps": [level.steps.tolist() for level in self.levels]}
        tensors["state"] = torch.frombuffer(bytearray(json.dumps(described).encode()), dtype=torch.uint8)
        partial = self.folder / "journal.partial"
        save_file(tensors, partial)
        _sync(partial)
        partial.replace(self.folder / _JOURNAL)
        self._settle(tensors)

    def close(self) -> None:
        """Close the files."""
        for level in self.levels:
            level.close()

    def _settle(self, tensors: dict[str, Tensor]) -> None:
        """Put a journal in its place; doing it twice does no harm."""
        by_level = {level.level: level for level in self.levels}
        for name, value in tensors.items():
            if name != "state":
                level, at = name.split(".")
                by_level[int(level)].put(int(at), value)
        for level_rows in self.levels:
            level_rows.flush()
            level_rows.changed.clear()
        raw = tensors["state"].numpy().tobytes()
        partial = self.folder / "state.partial"
        partial.write_bytes(raw)
        _sync(partial)
        partial.replace(self.folder / _STATE)
        (self.folder / _JOURNAL).unlink(missing_ok=True)
        self._take(json.loads(raw))

    def _take(self, state: dict[str, object]) -> None:
        steps = state["steps"]
        self.step, self.losses = int(str(state["step"])), list(state["losses"])  # type: ignore[call-overload]
        for level, counts in zip(self.levels, steps, strict=True):  # type: ignore[call-overload]
            level.steps[:] = counts


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
