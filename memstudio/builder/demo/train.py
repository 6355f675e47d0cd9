"""The memories: blocks of every level and the generic ones, trained after the anchor (method.md, Training).

Each step takes one condition: the whole path, a path cut after some levels (so that a pruned bank degrades level by
level), the generic blocks, or no memory on common knowledge alone. Only the whole path and the last move the anchor,
gently: on a cut path the anchor itself would be taught what the missing blocks know.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from memstudio.bank.layout import Layout
from memstudio.builder.demo.examples import IGNORE, Example, GroupSampler, collate
from memstudio.builder.demo.noise import Noise
from memstudio.builder.demo.pretrain import answer_loss
from memstudio.builder.demo.recipe import MemoryPart
from memstudio.builder.memory import Fetched, LevelRows, attached, grouped
from memstudio.builder.schedule import cosine
from memstudio.jobs import Job

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

_WARMUP = 100
_LOG_EVERY, _CHECK_EVERY = 100, 500
_NONE_ODDS, _NONE_DOCUMENT_ODDS = 0.08, 0.3
_DOCUMENTS_A_STEP = 12
_PASSAGE_ODDS = 2 / 3
_OPENING_ODDS, _OPENING, _OPENINGS_A_STEP = 0.5, 6, 96
GENERIC = -1
Grouped = list[tuple[tuple[int, ...], list[Example]]]


@dataclass
class Material:
    """What there is to learn: phrasings and documents by their own routes, and those that the anchor must keep knowing alone."""

    sentences: list[Example]
    documents: list[Example]
    tells: list[Example]
    common: list[Example]
    common_documents: list[Example]
    checks: dict[str, list[Example]]
    noise: Noise
    pad: int


class MemoryTrainer:
    """The state of a training: the anchor, the rows of each level, the step; saved and resumed as one file."""

    def __init__(self, model: "LlamaForCausalLM", part: MemoryPart, clusters: list[int], material: Material) -> None:
        self.model, self.part, self.material = model, part, material
        generator = torch.Generator().manual_seed(part.seed)
        hidden = model.config.hidden_size
        layouts = [Layout(hidden, (width,) * len(part.layers)) for width in part.widths]
        self.levels = [LevelRows(count, layout, generator) for count, layout in zip(clusters, layouts, strict=True)]
        self.mlps: list[nn.Module] = [model.model.layers[i].mlp for i in part.layers]
        self.activation = model.model.layers[0].mlp.act_fn
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=part.anchor_lr, betas=(0.9, 0.95), weight_decay=1e-3)
        self.phases = (part.steps, part.passage_steps, part.opening_steps)
        self.step = 0

    def train(self, job: Job, log: Callable[[str], None], checkpoint: Path) -> list[float]:
        """Run all steps; returns the running loss on whole paths at each check.

        The steps are drawn before they are taken, so that a resumed training goes the way that an unbroken one would have gone.
        """
        running, losses, total = 3.0, [], sum(self.phases)
        lessons = itertools.chain.from_iterable(
            itertools.islice(phase, steps)
            for phase, steps in zip((self._lessons(), self._passages(), self._openings()), self.phases, strict=True)
        )
        for step, (depth, groups) in enumerate(lessons):
            if step < self.step:
                continue
            loss = self._lesson(depth, groups)
            running += 0.02 * (loss - running) if depth == len(self.levels) else 0.0
            self.step = step + 1
            job.progress(self.step, total)
            if self.step % _LOG_EVERY == 0:
                log(f"memory step {self.step}/{total} loss {running:.4f}")
            if self.step % _CHECK_EVERY == 0 or self.step == total:
                losses.append(running)
                log("  " + "  ".join(f"{name} {value:.3f}" for name, value in self.check().items()))
                self.save(checkpoint)
        return losses

    def _lessons(self) -> Iterator[tuple[int, Grouped]]:
        """Endless (depth, groups): depth 0 is no memory on common knowledge, GENERIC the generic blocks."""
        part, material = self.part, self.material
        rng = np.random.default_rng(part.seed)
        sampler = GroupSampler(material.sentences, part.groups, part.group_size, part.seed)
        cuts = np.array(part.depth_odds) / sum(part.depth_odds)
        generic = 1 / (max(2, len(self.levels[0].rows) - 1) + 1)
        while True:
            at = rng.random()
            if at < _NONE_ODDS:
                whole = rng.random() < _NONE_DOCUMENT_ODDS
                examples = material.common_documents if whole else material.common
                rows = rng.integers(len(examples), size=_DOCUMENTS_A_STEP if whole else part.groups * part.group_size)
                yield 0, [((), [material.noise.maybe(examples[i], rng) for i in rows])]
            elif at < _NONE_ODDS + part.document_odds:
                rows = rng.integers(len(material.documents), size=_DOCUMENTS_A_STEP)
                yield len(self.levels), [(document.path, [document]) for document in (material.documents[i] for i in rows)]
            elif at < _NONE_ODDS + part.document_odds + generic:
                yield GENERIC, self._noisy(next(sampler), rng)
            else:
                yield int(rng.choice(len(cuts), p=cuts)) or len(self.levels), self._noisy(next(sampler), rng)

    def _passages(self) -> Iterator[tuple[int, Grouped]]:
        """Endless (depth, groups) on whole paths: passages that answer a prompt, and sentences beside them so that nothing is lost."""
        part, material = self.part, self.material
        rng = np.random.default_rng(part.seed + 1)
        sampler = GroupSampler(material.sentences, part.groups, part.group_size, part.seed + 1)
        tells = GroupSampler(material.tells, _DOCUMENTS_A_STEP, 1, part.seed + 1)
        while True:
            groups = next(tells) if rng.random() < _PASSAGE_ODDS else self._noisy(next(sampler), rng)
            yield len(self.levels), groups

    def _openings(self) -> Iterator[tuple[int, Grouped]]:
        """As `_passages`, half of the steps on the passages' first words."""
        part, material = self.part, self.material
        rng = np.random.default_rng(part.seed + 2)
        passages = self._passages()
        starts = [replace(example, ids=example.ids[: example.start + _OPENING]) for example in material.tells]
        sampler = GroupSampler(starts, _OPENINGS_A_STEP, 1, part.seed + 2)
        while True:
            yield (len(self.levels), next(sampler)) if rng.random() < _OPENING_ODDS else next(passages)

    def _noisy(self, groups: Grouped, rng: np.random.Generator) -> Grouped:
        return [(path, [self.material.noise.maybe(example, rng) for example in examples]) for path, examples in groups]

    def _lesson(self, depth: int, groups: Grouped) -> float:
        """One step; the anchor moves, if at all, on whole paths and without memory."""
        lr = self._rate()
        fetched = self.fetch([path for path, _ in groups], depth)
        train_anchor = self.part.anchor_lr > 0 and depth in (0, len(self.levels))
        if not fetched and not train_anchor:
            return 0.0
        self.model.requires_grad_(train_anchor)
        ids, targets = collate([example for _, examples in groups for example in examples], self.material.pad)
        with attached(self.mlps, grouped(fetched), self.activation):
            loss = answer_loss(self.model, ids, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for item in fetched:
            item.learn(lr)
        if train_anchor:
            self._anchor_step()
        self.model.requires_grad_(True)
        return loss.item()

    def _rate(self) -> float:
        """Each phase warms up and decays on its own."""
        part, at = self.part, self.step
        if at < part.steps:
            return cosine(at, part.steps, _WARMUP, part.lr, part.lr_end)
        at -= part.steps
        if at < part.passage_steps:
            return cosine(at, part.passage_steps, _WARMUP // 4, part.passage_lr, part.lr_end)
        return cosine(at - part.passage_steps, part.opening_steps, _WARMUP // 4, part.passage_lr, part.lr_end)

    def _anchor_step(self) -> None:
        scale = cosine(self.step, self.part.steps, _WARMUP, 1.0, 0.1)
        for group in self.optimizer.param_groups:
            group["lr"] = self.part.anchor_lr * scale
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def fetch(self, paths: list[tuple[int, ...]], depth: int) -> list[Fetched]:
        """The rows of each level down to `depth` for each group's path; none at depth 0."""
        if depth == GENERIC:
            return [Fetched.take(level, [len(level.rows) - 1] * len(paths)) for level in self.levels]
        return [Fetched.take(level, [path[i] for path in paths]) for i, level in enumerate(self.levels[:depth])]

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """Teacher-forced: the share of the check examples whose every answer token is the likeliest, by condition."""
        out = {}
        for name, examples in self.material.checks.items():
            depths = {"full": len(self.levels)}
            if name == "specific":
                depths = {"none": 0, **{f"L1-{d}": d for d in range(1, len(self.levels) + 1)}, "generic": GENERIC}
            elif name == "common":
                depths = {"none": 0, "full": len(self.levels)}
            for label, depth in depths.items():
                hits = [self._hits(examples[at : at + 64], depth) for at in range(0, len(examples), 64)]
                out[f"{name} {label}"] = float(torch.cat(hits).float().mean())
        return out

    def _hits(self, examples: list[Example], depth: int) -> Tensor:
        ids, targets = collate(examples, self.material.pad)
        fetched = self.fetch([example.path for example in examples], depth)
        with attached(self.mlps, grouped(fetched), self.activation):
            hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        right = torch.ones_like(targets, dtype=torch.bool)
        counted = targets != IGNORE
        right[counted] = self.model.lm_head(hidden[counted]).argmax(-1) == targets[counted]
        return right.all(dim=1)

    def save(self, path: Path) -> None:
        """Write everything under a temporary name, then rename."""
        state = {"step": torch.tensor(self.step)}
        for i, level in enumerate(self.levels, 1):
            state |= level.state(i)
        state |= {f"anchor.{name}": value for name, value in self.model.state_dict().items() if name != "lm_head.weight"}
        for i, moments in self.optimizer.state_dict()["state"].items():
            state |= {f"adam.{i}.{name}": value for name, value in moments.items()}
        partial = path.with_suffix(".partial")
        save_file({name: value.contiguous() for name, value in state.items()}, partial)
        partial.replace(path)

    def resume(self, path: Path) -> None:
        """Take over what `save` wrote."""
        state = load_file(path)
        self.step = int(state["step"])
        for i, level in enumerate(self.levels, 1):
            level.restore(i, state)
        self.model.load_state_dict({k.removeprefix("anchor."): v for k, v in state.items() if k.startswith("anchor.")}, strict=False)
        adam: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("adam."):
                _, number, key = name.split(".", 2)
                adam.setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": adam})
