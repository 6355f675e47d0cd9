"""What a build will take, before it is begun: the corpus looked at, a few windows encoded, a few steps taken, the rest multiplied."""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from memstudio.bank.block import FLOAT_DTYPES
from memstudio.builder.corpus import cut, tokens_of
from memstudio.builder.design import Design, design
from memstudio.builder.keys import RETRIEVER, load_encoder
from memstudio.builder.packs import IGNORE, Batch
from memstudio.builder.recipe import Recipe
from memstudio.builder.source import Source, find_source, load_source
from memstudio.builder.tasks import Task, open_store
from memstudio.builder.texts import files_of, read_texts
from memstudio.builder.train import Ground, passes, step
from memstudio.errors import UserError
from memstudio.jobs import Job

_LOOK_SECONDS, _LOOK_CHARACTERS = 3.0, 2_000_000
_ENCODED = 16
_STEPS = 2
_STATE_BYTES = 12
"""On disk for each parameter in training: the value and two moments, float32."""


@dataclass(frozen=True)
class Estimate:
    """seconds by_stage too; disk_bytes counts the work folder and the bank, memory_bytes the process at its largest.

    documents, windows and tokens are counted where the corpus is small, else projected from its first part; `exact` says which.
    """

    documents: int
    windows: int
    tokens: int
    exact: bool
    branching: list[int]
    widths: list[int | list[int]]
    layers: list[int]
    anchor_parameters: int
    fetched_parameters: int
    bank_parameters: int
    seconds: float
    by_stage: dict[str, float]
    disk_bytes: int
    bank_bytes: int
    memory_bytes: int
    notes: list[str]

    def lines(self) -> list[str]:
        """The same for a person."""
        about = "" if self.exact else "about "
        widths = " / ".join(str(width if isinstance(width, int) else f"{width[0]} to {width[-1]}") for width in self.widths)
        stages = ", ".join(f"{name} {_time(seconds)}" for name, seconds in self.by_stage.items())
        share = self.fetched_parameters / max(1, self.anchor_parameters)
        return [
            f"corpus: {about}{self.documents} documents, {self.windows} windows, {self.tokens} tokens",
            (f"bank: {' × '.join(map(str, self.branching))} clusters, widths {widths} on layers {_ranges(self.layers)}; "
            f"{self.bank_parameters / 1e6:.1f} M parameters, fetched {self.fetched_parameters / 1e6:.2f} M, {share:.2f} of the anchor"),
            f"time: about {_time(self.seconds)} ({stages})",
            (f"disk: {self.disk_bytes / 1e6:.0f} MB, the bank {self.bank_bytes / 1e6:.0f} MB of them; "
            f"memory: about {self.memory_bytes / 1e6:.0f} MB"),
            *self.notes,
        ]


def estimate(recipe: Recipe, *, job: Job | None = None, device: str = "auto", encoder: Path | None = None) -> Estimate:
    """Look at corpus and anchor for some seconds.

    Raises:
        UserError: documents, anchor or encoder that are not there or do not fit.
        Cancelled: the job was cancelled.
    """
    job = job or Job("estimate")
    job.title = "looking at the anchor"
    job.progress(0, 4)
    source = find_source(recipe.anchor)
    chat = recipe.chat if recipe.chat is not None else source.chat
    anchor = load_source(source, device=device, dtype=recipe.training.dtype, chat=chat)
    job.progress(1, 4)
    job.title = "looking at the documents"
    notes: list[str] = []
    paths = [Path(path) for path in recipe.corpus]
    size = sum(path.stat().st_size for root in paths for path, _ in files_of(root))
    began, characters, windows = time.monotonic(), 0, []
    for window in cut(read_texts(paths, notes.append), anchor, recipe.window):
        windows.append(window)
        characters += len(window.text)
        if characters > _LOOK_CHARACTERS or time.monotonic() - began > _LOOK_SECONDS:
            break
        job.breathe()
    if not windows:
        raise UserError(f"{', '.join(recipe.corpus)}: no text in it: name files or folders with documents")
    exact = characters <= _LOOK_CHARACTERS and time.monotonic() - began <= _LOOK_SECONDS
    reading = time.monotonic() - began
    some = windows[:: max(1, len(windows) // 256)]
    per_window = float(np.mean([len(ids) for ids in tokens_of(anchor, some)]))
    scale = 1.0 if exact else max(1.0, size / max(1, sum(len(window.text.encode()) for window in windows)))
    count = round(len(windows) * scale)
    tokens = round(count * per_window)
    shape = design(recipe, source, count)
    job.title = "trying the encoder"
    job.progress(2, 4)
    encoding = _encoding([window.text for window in some[:_ENCODED]], encoder)
    job.title = "trying some steps"
    job.progress(3, 4)
    ground = Ground(anchor, None, np.zeros((0, 0), np.int64), shape, recipe.training)  # type: ignore[arg-type]
    a_step = _step_seconds(ground, tokens_of(anchor, some)[0])
    times = passes(recipe.training, tokens)
    step_tokens = recipe.training.sequence * recipe.training.rows
    steps = (1 + 1 / (shape.branching[0] + 1)) * times * tokens / step_tokens / 0.8
    looked = min(count, 4 * recipe.probes * shape.clusters[-1])
    by_stage = {
        "read": reading * scale,
        "embed": encoding * count,
        "cluster": 1e-3 * sum(shape.clusters) * len(shape.branching) + 2e-5 * count * len(shape.branching),
        "train": steps * a_step,
        "probe": looked * (a_step * per_window / step_tokens * 1.2 + 0.01) + encoding * looked * 0.7,
        "write": 1.0 + shape.rows * 4e-9,
    }
    job.progress(4, 4)
    item = FLOAT_DTYPES[recipe.memory.dtype].itemsize
    bank_bytes = shape.rows * item + (0 if source.hub else source.weight_bytes) + 3 * tokens * 4
    return Estimate(
        documents=round(sum(1 for window in windows if window.last) * scale),
        windows=count,
        tokens=tokens,
        exact=exact,
        branching=shape.branching,
        widths=shape.widths,
        layers=shape.layers,
        anchor_parameters=source.parameters,
        fetched_parameters=shape.fetched,
        bank_parameters=shape.rows,
        seconds=sum(by_stage.values()),
        by_stage=by_stage,
        disk_bytes=bank_bytes + shape.rows * _STATE_BYTES + count * RETRIEVER.dim * 4 + tokens * 8,
        bank_bytes=bank_bytes,
        memory_bytes=_memory(source, shape, recipe),
        notes=[*notes[:20], *shape.notes],
    )


def _encoding(texts: list[str], encoder: Path | None) -> float:
    """Seconds a window takes to be encoded."""
    model = load_encoder(encoder)
    model.encode(texts[:1])
    began = time.monotonic()
    model.encode(texts)
    return (time.monotonic() - began) / len(texts)


def _step_seconds(ground: Ground, ids: list[int]) -> float:
    """Seconds of a training step, the first one aside."""
    import torch

    part = ground.part
    row = (ids * (part.sequence // len(ids) + 1))[: part.sequence]
    tensor = torch.tensor([row] * part.rows)
    positions = torch.arange(part.sequence).expand(part.rows, -1)
    targets = torch.cat([tensor[:, 1:], torch.full((part.rows, 1), IGNORE)], 1)
    paths = [tuple(0 for _ in ground.design.layouts)] * part.rows
    task = Task("trial", 0, np.zeros(0, np.int64), tuple((0, 1) for _ in ground.design.layouts), 1.0, 0.0)
    with TemporaryDirectory() as folder:
        store = open_store(task, Path(folder), ground.design, part.seed)
        try:
            times = []
            for _ in range(1 + _STEPS):
                began = time.monotonic()
                step(ground, store, Batch(paths, tensor, positions, targets), False, 1e-9)
                times.append(time.monotonic() - began)
        finally:
            store.close()
    return float(np.mean(times[1:]))


def _memory(source: Source, shape: Design, recipe: Recipe) -> int:
    """Weights, one step's activations and blocks with gradients, the journal, and what Python and torch occupy."""
    part = recipe.training
    item = FLOAT_DTYPES[part.dtype].itemsize
    moving = 16 if part.mode == "cotrain" else 0
    activations = part.rows * part.sequence * source.hidden_size * source.layers * 40
    return source.parameters * (item + moving) + shape.fetched * 4 * (2 * part.rows + 6) + activations + (128 << 20) + (700 << 20)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _ranges(layers: list[int]) -> str:
    whole = layers == list(range(layers[0], layers[-1] + 1))
    return f"{layers[0]} to {layers[-1]}" if whole and len(layers) > 1 else ", ".join(map(str, islice(layers, 12)))
