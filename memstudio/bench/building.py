"""The benchmark of building: a bank for an anchor over documents that it has never seen, beside a LoRA of as many parameters on the same
documents and steps, and beside putting the nearest document into the context; and what a training step costs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from memstudio.bench.baselines import weights_kept
from memstudio.bench.strangers import write_strangers
from memstudio.builder.build import build
from memstudio.builder.corpus import Corpus
from memstudio.builder.packs import IGNORE, Batch, collate, epoch, epochs
from memstudio.builder.recipe import Recipe, make_recipe
from memstudio.builder.schedule import cosine
from memstudio.builder.tasks import open_store, tasks
from memstudio.builder.train import Ground, backward, passes, step
from memstudio.builder.tree import Grown
from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.session.opening import open_session

if TYPE_CHECKING:
    from memstudio.anchor.load import Anchor
    from memstudio.facts.values import Fact
    from memstudio.session.session import Session

DOCUMENTS = 160
WIDTHS = [8, 40]
_LORA_LR = 3e-3
_TARGETS = ["gate_proj", "up_proj", "down_proj"]
_TIMED, _ROUNDS = 3, 5


def strangers_recipe(anchor: Path, folder: Path, documents: int = DOCUMENTS, seed: int = 0) -> Recipe:
    """A bank for `anchor` over documents about places that are nowhere, written into `folder`."""
    corpus = write_strangers(folder / "documents", documents, seed)
    memory = {"widths": WIDTHS, "layers": "all"}
    return make_recipe({"name": "strangers", "anchor": str(anchor), "corpus": [str(corpus)], "memory": memory, "probes": 8})


def measure_building(anchor: Path, folder: Path, documents: int, seed: int, job: Job) -> dict[str, Any]:
    """Build, ask the probes under every condition, do the same with the peers; JSON values.

    Raises:
        UserError: as `build`; peft is not installed.
    """
    recipe = strangers_recipe(anchor, folder, documents, seed)
    out = folder / "bank"
    built = build(recipe, out, job=job, log=lambda _: None, device="cpu")
    with open_session(out, device="cpu", readonly=True) as session:
        probes = session.facts()
        shares = {name: session.score(probes, memory=name).proportions["accuracy"] for name in ("fetched", "generic", "none")}
        job.title = "the nearest document in the context"
        with_context = session.score(_in_context(session, probes), memory="none").proportions["accuracy"]
        job.title = "LoRA"
        trained, seconds = _lora(session, recipe, out, probes, job)
        found = {**shares, "document in context": with_context, "lora": trained}
        ground, grown = _ground(session, recipe, out)
        job.title = "speed"
        speed = _speed(ground, grown, folder)
    return {
        "documents": documents,
        "windows": len(ground.corpus),
        "tokens": ground.corpus.tokens,
        "probes": len(probes),
        "recall": {name: {"share": p.share, "low": p.low, "high": p.high, "n": p.n} for name, p in found.items()},
        "perplexity": session.bank.manifest.recipe.get("perplexity"),
        "bank_parameters": ground.design.rows,
        "lora_seconds": seconds,
        "build_seconds": built.seconds,
        "speed": speed,
    }


def _in_context(session: Session, probes: list[Fact]) -> list[Fact]:
    """The same probes, each with the document before it that is nearest to its prompt."""
    documents: dict[str, str] = {}
    for leaf in range(session.bank.tree.count(session.bank.tree.depth)):
        cluster = type(session.routes([probes[0].prompt])[0][-1])(session.bank.tree.depth, leaf)
        if session.bank.tree.present(cluster):
            documents |= {near.document: near.text for near in session.bank.documents_of(cluster)}
    names = sorted(documents)
    keys = session.running.key_vectors([documents[name] for name in names])
    asked = session.running.key_vectors([probe.prompt for probe in probes])
    nearest = [names[at] for at in (asked @ keys.T).argmax(1).tolist()]
    return [
        dataclasses.replace(probe, prompt=f"{documents[name]}\n\n{probe.prompt}") for probe, name in zip(probes, nearest, strict=True)
    ]


def _ground(session: Session, recipe: Recipe, out: Path) -> tuple[Ground, Grown]:
    """The build's own corpus and tree, from its work folder."""
    from memstudio.builder.design import design
    from memstudio.builder.source import find_source
    from memstudio.builder.tree import descend_all

    work = out.with_name(out.name + ".build")
    corpus = Corpus(next(work.glob("corpus-*")))
    tree = session.bank.tree
    keys = np.memmap(next(work.glob("keys-*.f32")), np.float32, "r", shape=(len(corpus), tree.dim))
    centroids, documents = [np.asarray(level) for level in tree.centroids], [np.asarray(level) for level in tree.documents]
    paths = descend_all(keys, centroids, [level > 0 for level in documents], list(tree.branching))
    shape = design(recipe, find_source(recipe.anchor), len(corpus))
    return Ground(session.running.anchor, corpus, paths, shape, recipe.training), Grown(centroids, documents, paths)


def _batches(ground: Ground, seed: int) -> Iterator[Batch]:
    """Endless steps over the whole corpus, as a build reads it."""
    every = np.arange(len(ground.corpus))
    make = partial(epoch, every, ground.paths, ground.lengths, ground.part.sequence, ground.part.rows)
    for number, packs in enumerate(epochs(make, seed)):
        yield collate(packs, ground.ids, ground.paths, np.random.default_rng([seed, number]))


def _lora(session: Session, recipe: Recipe, out: Path, probes: list[Fact], job: Job) -> tuple[Any, float]:
    """The share of probes that the anchor answers alone after a LoRA on all its MLPs was trained on the same documents."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UserError("lora needs the package peft: pip install 'memstudio[bench]'") from error
    ground, grown = _ground(session, recipe, out)
    anchor = session.running.anchor
    each = sum(sum(getattr(mlp, name).weight.shape) for mlp in anchor.mlps for name in _TARGETS)
    rank = max(1, round(ground.design.rows / each))
    steps = sum(_steps(ground, len(task.windows), task.share) for task in tasks(ground.design, grown, "frozen"))
    torch.manual_seed(0)
    began = time.monotonic()
    with weights_kept(session):
        wrapped = get_peft_model(anchor.model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_TARGETS))
        parameters = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=_LORA_LR, betas=(0.9, 0.95), weight_decay=1e-3)
        for number, batch in enumerate(islice(_batches(ground, 1), steps)):
            for group in optimizer.param_groups:
                group["lr"] = cosine(number, steps, steps // 30, _LORA_LR, _LORA_LR / 10)
            optimizer.zero_grad(set_to_none=True)
            backward(anchor, batch)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            job.progress(number + 1, steps)
        wrapped.merge_and_unload()
        seconds = time.monotonic() - began
        share = session.score(probes, memory="none").proportions["accuracy"]
    return share, seconds


def _steps(ground: Ground, windows: int, share: float) -> int:
    one = len(epoch(np.arange(windows), ground.paths, ground.lengths, ground.part.sequence, ground.part.rows, np.random.default_rng(0)))
    return round(share * passes(ground.part, ground.corpus.tokens) * one)


def _speed(ground: Ground, grown: Grown, folder: Path) -> dict[str, float]:
    """Tokens a second of a training step, and of the frozen anchor's plain forward and backward pass on the same batches, in turns."""
    batches = list(islice(_batches(ground, 2), _TIMED))
    task = tasks(ground.design, grown, "cotrain")[0]
    store = open_store(task, folder / "speed", ground.design, 0)
    tokens = sum(int((batch.targets != IGNORE).sum()) for batch in batches)
    try:
        times: dict[str, list[float]] = {"training": [], "plain": []}
        for turn in range(1 + _ROUNDS):
            began = time.perf_counter()
            for batch in batches:
                step(ground, store, batch, False, 1e-6)
            between = time.perf_counter()
            for batch in batches:
                _plain(ground.anchor, batch)
            if turn:
                times["training"].append(between - began)
                times["plain"].append(time.perf_counter() - between)
    finally:
        store.close()
    training, plain = (tokens / float(np.median(times[name])) for name in ("training", "plain"))
    return {"training_tokens_per_second": training, "plain_tokens_per_second": plain, "ratio": training / plain}


def _plain(anchor: Anchor, batch: Batch) -> None:
    """A forward and backward pass of transformers' own, through all layers to the embeddings; no weight gets a gradient."""
    with _embeddings_ask(anchor):
        scores = anchor.model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).logits
        F.cross_entropy(scores.flatten(0, 1).float(), batch.targets.flatten(), ignore_index=IGNORE).backward()  # type: ignore[no-untyped-call]


@contextmanager
def _embeddings_ask(anchor: Anchor) -> Iterator[None]:
    handle = anchor.model.get_input_embeddings().register_forward_hook(lambda _, __, output: output.requires_grad_())
    try:
        yield
    finally:
        handle.remove()
