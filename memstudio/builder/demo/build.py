"""From the demo's recipe to its bank folder, stage by stage; each stage is kept in a work folder and not done again.

corpus → keys → tree → tokenizer → anchor → memories → bank. The work folder lies beside the bank and can be removed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.builder.built import Built
from memstudio.builder.demo.recipe import DemoRecipe
from memstudio.errors import UserError
from memstudio.jobs import Job

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from memstudio.builder.demo.lessons import Lessons
    from memstudio.builder.demo.train import MemoryTrainer

Log = Callable[[str], None]


def build(
    recipe: DemoRecipe, out: Path, *, job: Job | None = None, log: Log = print, resume: bool = True, encoder: Path | None = None
) -> Built:
    """Build the bank that the recipe describes into the folder `out`.

    Raises:
        UserError: an `out` that holds something else, a missing package or encoder.
    """
    started = time.monotonic()
    job = job or Job("build")
    if out.exists() and any(out.iterdir()) and not (out / "bank.json").exists() and not (out / "recipe.yaml").exists():
        raise UserError(f"{out}: not empty and no bank: name a new folder")
    try:
        losses = _stages(recipe, out, job, log, resume, encoder)
    except ModuleNotFoundError as error:
        raise UserError(f"building needs the package {error.name}: pip install 'memstudio[build,demo-corpus]'") from error
    counts = zip(recipe.tree.branching, recipe.memory.widths, strict=True)
    levels: list[dict[str, object]] = []
    clusters = 1
    for level, (branching, width) in enumerate(counts, 1):
        clusters *= branching
        levels.append({"level": level, "clusters": clusters, "width": width})
    return Built(out, levels, losses, time.monotonic() - started)


def _stages(recipe: DemoRecipe, out: Path, job: Job, log: Log, resume: bool, encoder: Path | None) -> list[float]:
    """All stages in order; returns the losses of the memories."""
    from memstudio.builder.demo.cluster import grow
    from memstudio.builder.demo.finish import write_built
    from memstudio.builder.demo.generate import generate
    from memstudio.builder.demo.keys import encode_corpus, route_corpus
    from memstudio.builder.demo.lessons import Lessons
    from memstudio.builder.demo.tokenizer import train_tokenizer
    from memstudio.builder.demo.train import Material, MemoryTrainer

    work = out.with_name(out.name + ".build")
    work.mkdir(parents=True, exist_ok=True)
    corpus = generate(recipe.corpus.seed)
    log(f"corpus: {len(corpus.entities)} entities, {len(corpus.facts)} facts, {len(corpus.documents)} documents")
    keys = encode_corpus(corpus, work, encoder, log)
    grown = grow(keys.documents, recipe.tree.branching, recipe.tree.cap, recipe.tree.seed)
    routes = route_corpus(keys, grown, recipe.tree.branching)
    log(f"tree: {' / '.join(str(int((documents > 0).sum())) for documents in grown.documents)} clusters hold documents")
    texts = [f"{prompt} {fact.expected}." for fact in corpus.facts for prompt in (fact.prompt, *fact.phrasings)]
    texts += [f"{document.prompt or ''} {document.text}" for document in corpus.documents]
    tokenizer = train_tokenizer(texts, recipe.anchor.vocabulary)
    log(f"tokenizer: {len(tokenizer)} tokens")
    lessons = Lessons(corpus, tokenizer, routes)
    model = _anchor(recipe, tokenizer, lessons, work, job, log)
    noise = lessons.noise(recipe.memory.noise)
    material = Material(
        lessons.sentences, lessons.documents, lessons.tells, lessons.common, lessons.common_documents, lessons.checks, noise, lessons.pad
    )
    trainer = MemoryTrainer(model, recipe.memory, [len(c) for c in grown.centroids], material)
    losses = _memories(trainer, recipe, work, job, log, resume)
    write_built(recipe, corpus, keys, grown, routes, tokenizer, trainer, work, out)
    log(f"bank: {out}")
    return losses


def _anchor(
    recipe: DemoRecipe, tokenizer: "PreTrainedTokenizerFast", lessons: "Lessons", work: Path, job: Job, log: Log
) -> "LlamaForCausalLM":
    from safetensors.torch import load_file, save_file

    from memstudio.builder.demo.pretrain import make_anchor, train_anchor
    from memstudio.builder.keys import digest_of

    job.title = "training the anchor"
    model = make_anchor(recipe.anchor, tokenizer)
    log(f"anchor: {sum(p.numel() for p in model.parameters())} parameters")
    path = work / f"anchor-{digest_of(recipe.corpus.model_dump(), recipe.anchor.model_dump(), len(lessons.common))}.safetensors"
    if path.exists():
        model.load_state_dict(load_file(path), strict=False)
        return model
    noise = lessons.noise(recipe.anchor.noise)
    train_anchor(model, recipe.anchor, lessons.common, lessons.common_documents, lessons.words, noise, lessons.pad, job, log)
    partial = path.with_suffix(".partial")
    save_file({name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}, partial)
    partial.replace(path)
    return model


def _memories(trainer: "MemoryTrainer", recipe: DemoRecipe, work: Path, job: Job, log: Log, resume: bool) -> list[float]:
    from memstudio.builder.keys import digest_of

    job.title = "training the memories"
    checkpoint = work / f"memories-{digest_of(recipe.as_json())}.safetensors"
    if resume and checkpoint.exists():
        trainer.resume(checkpoint)
        log(f"memories: resumed at step {trainer.step}")
    return trainer.train(job, log, checkpoint)
