"""Training of one job's blocks on its windows (method.md, Training): a frozen anchor, or one that moves with them.

Only fetched blocks get gradients and optimiser state. Logits are made a few hundred positions at a time, so that a large vocabulary costs
no memory.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import ceil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from memstudio.anchor.load import Anchor
from memstudio.builder.corpus import Corpus
from memstudio.builder.design import Design
from memstudio.builder.memory import Fetched, attached, grouped
from memstudio.builder.packs import IGNORE, Batch, Ints, collate, epoch, epochs
from memstudio.builder.recipe import TrainingPart
from memstudio.builder.schedule import cosine
from memstudio.builder.store import Store
from memstudio.builder.tasks import Task
from memstudio.jobs import Job

_SPACE = re.compile(r"(?<=\S)\s+(?=\S)")
_CLIP = 1.0
_WARMUP = 0.03
_HEAD_ROWS = 512
_KEEP_BYTES, _KEEP_SECONDS = 64 << 20, 60.0
_MOST_EPOCHS, _MANY_TOKENS = 40, 2_000_000
_FEWEST_STEPS = 20


@dataclass
class Ground:
    """What every job of a build stands on."""

    anchor: Anchor
    corpus: Corpus
    paths: Ints
    design: Design
    part: TrainingPart

    @property
    def mlps(self) -> list[nn.Module]:
        """The MLPs that carry memory."""
        return [self.anchor.mlps[layer] for layer in self.design.layers]

    @property
    def lengths(self) -> Ints:
        """Tokens of each window as a step reads it."""
        return self.corpus.lengths + self.anchor.turn_tokens

    def ids(self, window: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """A window's tokens. A chat anchor reads it as a turn and its answer, parted somewhere else each time."""
        if not self.anchor.chat:
            return self.corpus.ids(window).astype(np.int64)
        text, end = self.corpus.text(window), self.anchor.tokenizer.eos_token_id
        cut = self.cut(text, rng)
        ids = [*self.anchor.encode(text[:cut]), *self.anchor.bare(text[cut:].lstrip())]
        return np.array([*ids, end] if isinstance(end, int) and self.corpus.last(window) else ids, np.int64)

    def cut(self, text: str, rng: np.random.Generator) -> int:
        """Where a window is parted into a turn and its answer: behind a word, never before the first or behind the last."""
        places = [match.start() for match in _SPACE.finditer(text)]
        return places[int(rng.integers(len(places)))] if places else max(1, len(text) // 2)


def passes(part: TrainingPart, tokens: int) -> float:
    """Times that each window is read: as asked, else many for a small corpus and one for a large one."""
    return part.epochs or float(min(_MOST_EPOCHS, max(1.0, _MANY_TOKENS / max(1, tokens))))


def steps_of(task: Task, ground: Ground) -> int:
    """How many steps a job takes."""
    one = epoch(task.windows, ground.paths, ground.lengths, ground.part.sequence, ground.part.rows, np.random.default_rng(0))
    return max(_FEWEST_STEPS, ceil(task.share * passes(ground.part, ground.corpus.tokens) * len(one)))


def train(task: Task, ground: Ground, store: Store, job: Job, log: Callable[[str], None]) -> list[float]:
    """Run a job to its end from wherever its store stands; the running loss at each checkpoint.

    A training that was cut short goes the way that an unbroken one would have gone: steps are drawn before they are taken.
    """
    part, total = ground.part, steps_of(task, ground)
    moving = _Moving(ground.anchor, part.anchor_lr, store) if task.generic not in (0.0, 1.0) else None
    make = partial(epoch, task.windows, ground.paths, ground.lengths, part.sequence, part.rows)
    running, losses = (store.losses[-1] if store.losses else 0.0), list(store.losses)
    kept = time.monotonic()
    for number, packs in enumerate(islice(epochs(make, part.seed + 7919 * task.number), total)):
        if number < store.step:
            continue
        rng = np.random.default_rng([part.seed, task.number, number])
        generic = bool(rng.random() < task.generic)
        batch = collate(packs, ground.ids, ground.paths, rng)
        loss = step(ground, store, batch, generic, cosine(number, total, ceil(total * _WARMUP), part.lr, part.lr_end), moving)
        running = loss if not running else running + 0.05 * (loss - running)
        late = time.monotonic() - kept > _KEEP_SECONDS or store.changed_bytes > _KEEP_BYTES
        if late or number + 1 == total:
            losses.append(running)
            if moving is not None:
                moving.save(number + 1)
            store.checkpoint(number + 1, losses)
            kept = time.monotonic()
            log(f"{task.name}: step {number + 1}/{total}, loss {running:.3f}")
        job.progress(number + 1, total)
    (store.folder / "done.json").write_text(json.dumps({"steps": total, "loss": running}))
    return losses


def step(ground: Ground, store: Store, batch: Batch, generic: bool, lr: float, moving: "_Moving | None" = None) -> float:
    """One step on the blocks of a batch's paths, or on the generic ones; the loss before it, nats a token."""
    clusters, device = ground.design.clusters, ground.anchor.device
    fetched = []
    for level in store.levels:
        at = level.level - 1
        rows = [clusters[at] if generic else path[at] for path in batch.paths]
        fetched.append(Fetched.take(level, rows, device))
    with attached(ground.mlps, grouped(fetched), ground.anchor.mlps[0].get_submodule("act_fn")):
        loss = backward(ground.anchor, batch)
    gradients = [item.values.grad for item in fetched if item.values.grad is not None]
    gradients += moving.gradients if moving is not None else []
    norm = torch.linalg.vector_norm(torch.stack([gradient.norm() for gradient in gradients])) if gradients else torch.tensor(0.0)
    if norm > _CLIP:
        for gradient in gradients:
            gradient.mul_(_CLIP / norm)
    for item in fetched:
        item.learn(lr)
    if moving is not None:
        moving.step(lr / ground.part.lr)
    return loss


def backward(anchor: Anchor, batch: Batch) -> float:
    """Run a batch, leave the gradients of its mean cross entropy in whatever asks for them; the loss in nats a token.

    The output layer works on a few positions at a time, each with its own small backward pass; what comes together is the same gradient.
    """
    targets = batch.targets.to(anchor.device)
    counted = targets != IGNORE
    states = hidden_states(anchor, batch)[counted]
    wanted = targets[counted]
    leaf = states.detach().requires_grad_(states.requires_grad)
    total = 0.0
    for at in range(0, len(wanted), _HEAD_ROWS):
        scores = head(anchor, leaf[at : at + _HEAD_ROWS])
        loss = F.cross_entropy(scores.float(), wanted[at : at + _HEAD_ROWS], reduction="sum") / len(wanted)
        total += loss.item()
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
    if leaf.grad is not None:
        states.backward(leaf.grad)  # type: ignore[no-untyped-call]
    return total


def hidden_states(anchor: Anchor, batch: Batch) -> Tensor:
    """The states [B, T, d] that the output layer reads; windows packed in a row do not see each other."""
    base: nn.Module = anchor.model.base_model
    out = base(input_ids=batch.ids.to(anchor.device), position_ids=batch.positions.to(anchor.device), use_cache=False)
    states: Tensor = out.last_hidden_state
    return states


def head(anchor: Anchor, states: Tensor) -> Tensor:
    """Logits [n, vocabulary] of states [n, d]."""
    scores: Tensor = anchor.model.get_output_embeddings()(states)
    return scores


class _Moving:
    """The anchor's own training beside its blocks: AdamW at a small rate, kept with each checkpoint of the blocks."""

    def __init__(self, anchor: Anchor, lr: float, store: Store) -> None:
        self._model, self._lr, self._folder = anchor.model, lr, store.folder
        self._model.requires_grad_(True)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=1e-3)
        if store.step:
            self._load(self._path(store.step))

    @property
    def gradients(self) -> list[Tensor]:
        """The gradients of the last backward pass."""
        return [parameter.grad for parameter in self._model.parameters() if parameter.grad is not None]

    def step(self, scale: float) -> None:
        """One step at `scale` times the rate; the gradients are forgotten."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._lr * scale
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def save(self, number: int) -> None:
        """Keep weights and moments as they stand after `number` steps; the checkpoint before stays until the blocks follow."""
        tensors = {f"anchor.{name}": value.detach().cpu().clone() for name, value in self._model.named_parameters()}
        for at, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{at}.{name}": value.detach().cpu().clone() for name, value in moments.items()}
        beside = self._path(number).with_suffix(".partial")
        save_file(tensors, beside)
        older = [path for path in self._folder.glob("anchor-*.safetensors") if path != self._path(number)]
        beside.replace(self._path(number))
        for path in older[:-1]:
            path.unlink()

    def _load(self, path: Path) -> None:
        state = load_file(path)
        adam: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("adam."):
                _, number, key = name.split(".", 2)
                adam.setdefault(int(number), {})[key] = value
        load_weights(self._model, path)
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": adam})

    def _path(self, number: int) -> Path:
        return self._folder / f"anchor-{number:09d}.safetensors"


def load_weights(model: nn.Module, path: Path) -> None:
    """Take over an anchor's weights as co-training left them."""
    found = load_file(path)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(found[f"anchor.{name}"])
