"""The last stage: everything that was made goes into one bank folder."""

from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from memstudio.bank.clusters import Document
from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
from memstudio.bank.write import ClusterTexts, write_bank
from memstudio.builder.demo.keys import Keys, Routes
from memstudio.builder.demo.recipe import DemoRecipe
from memstudio.builder.demo.train import MemoryTrainer
from memstudio.builder.demo.values import DemoCorpus
from memstudio.builder.keys import RETRIEVER
from memstudio.builder.label import label_clusters
from memstudio.builder.tree import Grown
from memstudio.facts.formats.own import to_record


def write_built(
    recipe: DemoRecipe,
    corpus: DemoCorpus,
    keys: Keys,
    grown: Grown,
    routes: Routes,
    tokenizer: PreTrainedTokenizerFast,
    trainer: MemoryTrainer,
    work: Path,
    out: Path,
) -> None:
    """Write the bank folder; the anchor is rounded to the bank's dtype."""
    anchor = work / "anchor"
    trainer.model.to(getattr(torch, recipe.memory.dtype)).save_pretrained(anchor)
    tokenizer.save_pretrained(anchor)
    levels = list(zip(grown.centroids, recipe.memory.widths, strict=True))
    fields: dict[str, object] = {
        "name": recipe.name,
        "kind": "ffn",
        "activation": trainer.model.config.hidden_act,
        "hidden_size": recipe.anchor.hidden_size,
        "layers": recipe.memory.layers,
        "dtype": recipe.memory.dtype,
        "levels": [{"clusters": len(centroids), "width": width} for centroids, width in levels],
        "branching": recipe.tree.branching,
        "generic": True,
        "fallback": recipe.memory.fallback,
        "retriever": RETRIEVER.model_dump(mode="json"),
        "recipe": recipe.as_json(),
    }
    write_bank(
        out,
        fields,
        centroids=grown.centroids,
        documents=grown.documents,
        blocks=[level.rows for level in trainer.levels],
        anchor=anchor,
        clusters=_texts(corpus, keys, grown, routes),
        facts=[to_record(fact) for fact in corpus.facts],
        routes=routes.prompts.astype(np.int32),
        readme=_card(recipe, corpus, grown),
    )


def _texts(corpus: DemoCorpus, keys: Keys, grown: Grown, routes: Routes) -> ClusterTexts:
    texts = [document.text for document in corpus.documents]
    cards = [
        ClusterCard(
            ClusterId(level, index),
            label.label,
            tuple(label.terms),
            int(grown.documents[level - 1][index]),
            tuple(Exemplar(corpus.documents[i].id, texts[i]) for i in label.exemplars),
        )
        for level, labels in enumerate(label_clusters(texts, keys.documents, grown), 1)
        for index, label in enumerate(labels)
    ]
    paths = ([index for index in path if index >= 0] for path in routes.documents.tolist())
    return ClusterTexts(cards, [Document(d.id, d.text, tuple(path)) for d, path in zip(corpus.documents, paths, strict=True)])


def _card(recipe: DemoRecipe, corpus: DemoCorpus, grown: Grown) -> str:
    kinds = {kind: sum(fact.kind == kind for fact in corpus.facts) for kind in ("common", "specific", "guessable")}
    levels = ", ".join(f"{len(c)} clusters of width {w}" for c, w in zip(grown.centroids, recipe.memory.widths, strict=True))
    return (
        f"# {recipe.name}\n\nAn anchor with a bank of memory blocks, level by level: {levels}.\n\n"
        f"Trained on {len(corpus.documents)} passages about {len(corpus.entities)} entities and on {len(corpus.facts)} facts: "
        f"{kinds['common']} common, {kinds['specific']} specific, {kinds['guessable']} guessable. The anchor was trained first, on the\n"
        "common facts alone; then the blocks, the anchor moving gently with them. The facts come from reference packages and\n"
        "tables and may be out of date: use them to study memory banks, not as a reference.\n"
    )
