"""From a recipe to a bank folder, stage by stage; each stage is kept in a work folder and not done again.

corpus → keys → tree → tokenizer → anchor → memories → bank. The work folder lies beside the bank and can be removed.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memstudio.builder.recipe import Recipe, load_recipe
from memstudio.errors import UserError
from memstudio.jobs import Job

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from memstudio.builder.cluster import Floats, Grown, Ints
    from memstudio.builder.demo.values import DemoCorpus
    from memstudio.builder.examples import Example
    from memstudio.builder.train import MemoryTrainer

Log = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """What `build` made: losses are the running loss on whole paths at each check of the training."""

    path: Path
    levels: list[dict[str, int]]
    losses: list[float]
    seconds: float


@dataclass(frozen=True)
class Keys:
    """float32 [n, dim] vectors: of the documents' texts, of doc prompts ("Tell me about …"), of every prompt fact by fact."""

    documents: "Floats"
    tells: "Floats"
    prompts: "Floats"


def build(recipe_path: Path, out: Path, *, job: Job | None = None, log: Log = print, resume: bool = True, encoder: Path | None = None) -> Built:
    """Build the bank that the recipe describes into the folder `out`.

    Raises:
        UserError: a bad recipe, an `out` that holds something else, a missing package or encoder.
    """
    started = time.monotonic()
    job = job or Job("build")
    recipe = load_recipe(recipe_path)
    if out.exists() and any(out.iterdir()) and not (out / "bank.json").exists() and not (out / "recipe.yaml").exists():
        raise UserError(f"{out}: not empty and no bank: name a new folder")
    work = out.with_name(out.name + ".build")
    work.mkdir(parents=True, exist_ok=True)
    corpus = _corpus(recipe)
    log(f"corpus: {len(corpus.entities)} entities, {len(corpus.facts)} facts, {len(corpus.documents)} documents")
    keys = _keys(recipe, corpus, work, encoder, log)
    grown = _tree(recipe, keys)
    routes = _routes(recipe, keys, grown)
    tokenizer = _tokenizer(recipe, corpus)
    log(f"tokenizer: {len(tokenizer)} tokens")
    examples = _Examples(corpus, tokenizer, routes)
    model = _anchor(recipe, tokenizer, examples, work, job, log)
    trainer, losses = _memories(recipe, model, examples, grown, work, job, log, resume)
    _write(recipe, corpus, keys, grown, routes, tokenizer, trainer, work, out)
    levels = [{"level": at, "clusters": len(c), "width": w} for at, (c, w) in enumerate(zip(grown.centroids, recipe.memory.widths, strict=True), 1)]
    return Built(out, levels, losses, time.monotonic() - started)


def _corpus(recipe: Recipe) -> "DemoCorpus":
    try:
        from memstudio.builder.demo.generate import generate

        return generate(recipe.corpus.seed)
    except ModuleNotFoundError as error:
        raise UserError(f"the demo corpus needs the package {error.name}: pip install 'memstudio[demo-corpus]'") from error


def _key_of(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _prompts(corpus: "DemoCorpus") -> list[str]:
    """Every prompt, fact by fact: prompt, phrasings, held_out (the order of routes.safetensors)."""
    return [text for fact in corpus.facts for text in (fact.prompt, *fact.phrasings, *fact.held_out)]


def _keys(recipe: Recipe, corpus: "DemoCorpus", work: Path, encoder: Path | None, log: Log) -> Keys:
    documents = [document.text for document in corpus.documents]
    tells = [document.prompt or "" for document in corpus.documents]
    prompts = _prompts(corpus)
    path = work / f"keys-{_key_of(documents, tells, prompts)}.npz"
    if not path.exists():
        from memstudio.anchor.router import Encoder, find_encoder

        retriever = _retriever()
        model = Encoder(find_encoder(retriever, encoder), max_tokens=retriever.max_tokens, pooling=retriever.pooling, dim=retriever.dim)
        log(f"keys: encoding {len(documents)} documents and {len(prompts)} prompts")
        told = [i for i, text in enumerate(tells) if text]
        tell_keys = np.zeros((len(tells), retriever.dim), np.float32)
        tell_keys[told] = model.encode([tells[i] for i in told])
        arrays = {"documents": model.encode(documents), "tells": tell_keys, "prompts": model.encode(prompts)}
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, documents=arrays["documents"], tells=arrays["tells"], prompts=arrays["prompts"])
        partial.replace(path)
    with np.load(path, allow_pickle=False) as arrays:
        return Keys(arrays["documents"], arrays["tells"], arrays["prompts"])


def _retriever() -> Any:
    from memstudio.anchor.router import MINILM, MINILM_SHA256
    from memstudio.bank.manifest import RetrieverRef

    return RetrieverRef(encoder=MINILM, sha256=MINILM_SHA256, dim=384, max_tokens=256, pooling="mean")


def _tree(recipe: Recipe, keys: Keys) -> "Grown":
    from memstudio.builder.cluster import grow

    return grow(keys.documents, recipe.tree.branching, recipe.tree.cap, recipe.tree.seed)


@dataclass(frozen=True)
class _Routes:
    """int64 [n, levels], −1 where a route ended."""

    documents: "Ints"
    tells: "Ints"
    prompts: "Ints"


def _routes(recipe: Recipe, keys: Keys, grown: "Grown") -> _Routes:
    from memstudio.builder.cluster import descend_all

    present = [documents > 0 for documents in grown.documents]
    tells, prompts = (descend_all(k, grown.centroids, present, recipe.tree.branching) for k in (keys.tells, keys.prompts))
    return _Routes(grown.paths, tells, prompts)


def _tokenizer(recipe: Recipe, corpus: "DemoCorpus") -> "PreTrainedTokenizerFast":
    from memstudio.builder.tokenizer import train_tokenizer

    texts = [f"{prompt} {fact.expected}." for fact in corpus.facts for prompt in (fact.prompt, *fact.phrasings)]
    texts += [f"{document.prompt or ''} {document.text}" for document in corpus.documents]
    return train_tokenizer(texts, recipe.anchor.vocabulary)


class _Examples:
    """The corpus as training examples, in the sets that the stages ask for."""

    def __init__(self, corpus: "DemoCorpus", tokenizer: "PreTrainedTokenizerFast", routes: _Routes) -> None:
        self._tokenizer = tokenizer
        self.pad = int(tokenizer.pad_token_id)
        self.sentences: list[Example] = []
        self.common: list[Example] = []
        self.checks: dict[str, list[Example]] = {"specific": [], "common": [], "held": []}
        self.words: list[int] = []
        known = {entity.id for entity in corpus.entities if entity.kind == "common"}
        at = 0
        for fact in corpus.facts:
            rows = []
            for text in (fact.prompt, *fact.phrasings, *fact.held_out):
                rows.append(self._example(text, f" {fact.expected}.", routes.prompts[at]))
                at += 1
            trained = rows[: 1 + len(fact.phrasings)]
            self.sentences += trained
            if fact.id.rsplit("/", 1)[0] in known:
                self.common += trained
            if fact.kind != "guessable":
                self.checks[fact.kind].append(trained[0])
            if fact.kind == "specific":
                learned = {row.path[-1] for row in trained}
                self.checks["held"] += [row for row in rows[len(trained) :] if row.path[-1] in learned]
            self.words += self._ids(f" {fact.expected}") + self._ids(f" {fact.subject}")
        for name, examples in self.checks.items():
            self.checks[name] = examples[:: max(1, len(examples) // 320)]
        tells = [
            self._example(d.prompt, f" {d.text}", routes.tells[i]) for i, d in enumerate(corpus.documents) if d.prompt
        ]
        texts = [self._example("", d.text, routes.documents[i]) for i, d in enumerate(corpus.documents) if not d.prompt]
        self.documents = tells * 2 + texts
        self.common_documents = [
            self._example(d.prompt or "", f" {d.text}" if d.prompt else d.text, ()) for d in corpus.documents if d.entity in known
        ]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _example(self, prompt: str, answer: str, path: "Sequence[int] | Ints") -> "Example":
        from memstudio.builder.examples import Example

        ids = self._ids(prompt) if prompt else []
        return Example((*ids, *self._ids(answer), int(self._tokenizer.eos_token_id)), max(1, len(ids)), tuple(int(i) for i in path))


def _anchor(
    recipe: Recipe, tokenizer: "PreTrainedTokenizerFast", examples: _Examples, work: Path, job: Job, log: Log
) -> "LlamaForCausalLM":
    from safetensors.torch import load_file, save_file

    from memstudio.builder.pretrain import make_anchor, train_anchor

    model = make_anchor(recipe.anchor, tokenizer)
    log(f"anchor: {sum(p.numel() for p in model.parameters())} parameters")
    path = work / f"anchor-{_key_of(recipe.corpus.model_dump(), recipe.anchor.model_dump(), len(examples.common))}.safetensors"
    if path.exists():
        model.load_state_dict(load_file(path), strict=False)
        return model
    train_anchor(model, recipe.anchor, examples.common, examples.common_documents, examples.words, examples.pad, job, log)
    state = {name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}
    partial = path.with_suffix(".partial")
    save_file(state, partial)
    partial.replace(path)
    return model


def _memories(
    recipe: Recipe, model: "LlamaForCausalLM", examples: _Examples, grown: "Grown", work: Path, job: Job, log: Log, resume: bool
) -> "tuple[MemoryTrainer, list[float]]":
    from memstudio.builder.train import Material, MemoryTrainer

    material = Material(examples.sentences, examples.documents, examples.common, examples.common_documents, examples.checks, examples.pad)
    trainer = MemoryTrainer(model, recipe.memory, [len(c) for c in grown.centroids], material)
    checkpoint = work / f"memories-{_key_of(recipe.as_json())}.safetensors"
    if resume and checkpoint.exists():
        trainer.resume(checkpoint)
        log(f"memories: resumed at step {trainer.step}")
    losses = trainer.train(job, log, checkpoint)
    return trainer, losses


def _write(
    recipe: Recipe,
    corpus: "DemoCorpus",
    keys: Keys,
    grown: "Grown",
    routes: _Routes,
    tokenizer: "PreTrainedTokenizerFast",
    trainer: "MemoryTrainer",
    work: Path,
    out: Path,
) -> None:
    import torch

    from memstudio.bank.clusters import Document
    from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
    from memstudio.bank.write import ClusterTexts, write_bank
    from memstudio.builder.label import label_clusters

    dtype = getattr(torch, recipe.memory.dtype)
    anchor = work / "anchor"
    trainer.model.to(dtype).save_pretrained(anchor)
    tokenizer.save_pretrained(anchor)
    texts = [document.text for document in corpus.documents]
    labels = label_clusters(texts, keys.documents, grown)
    cards = [
        ClusterCard(
            ClusterId(level, index),
            label.label,
            tuple(label.terms),
            int(grown.documents[level - 1][index]),
            tuple(Exemplar(corpus.documents[i].id, texts[i]) for i in label.exemplars),
        )
        for level, clusters in enumerate(labels, 1)
        for index, label in enumerate(clusters)
    ]
    documents = [Document(d.id, d.text, tuple(int(i) for i in path if i >= 0)) for d, path in zip(corpus.documents, routes.documents, strict=True)]
    fields: dict[str, object] = {
        "name": recipe.name,
        "kind": "ffn",
        "activation": trainer.model.config.hidden_act,
        "hidden_size": recipe.anchor.hidden_size,
        "layers": recipe.memory.layers,
        "dtype": recipe.memory.dtype,
        "levels": [{"clusters": len(c), "width": w} for c, w in zip(grown.centroids, recipe.memory.widths, strict=True)],
        "branching": recipe.tree.branching,
        "generic": True,
        "fallback": recipe.memory.fallback,
        "retriever": _retriever().model_dump(mode="json"),
        "recipe": recipe.as_json(),
    }
    write_bank(
        out,
        fields,
        centroids=grown.centroids,
        documents=grown.documents,
        blocks=[level.rows for level in trainer.levels],
        anchor=anchor,
        clusters=ClusterTexts(cards, documents),
        facts=[asdict(fact) for fact in corpus.facts],
        routes=routes.prompts.astype(np.int32),
        readme=_card(recipe, corpus, grown),
    )


def _card(recipe: Recipe, corpus: "DemoCorpus", grown: "Grown") -> str:
    kinds = {kind: sum(fact.kind == kind for fact in corpus.facts) for kind in ("common", "specific", "guessable")}
    levels = " / ".join(f"{len(c)} clusters of width {w}" for c, w in zip(grown.centroids, recipe.memory.widths, strict=True))
    return (
        f"# {recipe.name}\n\nAn anchor with a bank of memory blocks: {levels}.\n\n"
        f"Trained on {len(corpus.documents)} passages about {len(corpus.entities)} entities and {len(corpus.facts)} facts "
        f"({kinds['common']} common, {kinds['specific']} specific, {kinds['guessable']} guessable).\n"
        f"The anchor was trained first, on the common facts alone; the blocks after it. The facts are those of public reference\n"
        f"packages and tables and may be out of date; use them to study memory banks, not as a reference.\n"
    )
