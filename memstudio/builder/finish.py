"""The last stage: tree, blocks, labels, documents and probes go into one bank folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memstudio.anchor.load import quiet
from memstudio.bank.clusters import Document
from memstudio.bank.files import anchor_files, folder_digest
from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
from memstudio.bank.write import ClusterTexts, write_bank
from memstudio.builder.corpus import Corpus
from memstudio.builder.keys import RETRIEVER
from memstudio.builder.label import label_clusters
from memstudio.builder.merge import Merged
from memstudio.builder.probe import Probed
from memstudio.builder.recipe import Recipe
from memstudio.builder.source import Source
from memstudio.builder.train import Ground, load_weights
from memstudio.builder.tree import Floats, Grown
from memstudio.facts.formats.own import to_record


def write_built(
    recipe: Recipe, source: Source, ground: Ground, keys: Floats, grown: Grown, levels: Sequence[Merged], probed: Probed, out: Path
) -> None:
    """Write the bank folder; an anchor that comes from the model cache and did not move is named, not copied."""
    design, corpus = ground.design, ground.corpus
    fields: dict[str, object] = {
        "name": recipe.title,
        "kind": "ffn",
        "activation": ground.anchor.activation,
        "hidden_size": source.hidden_size,
        "layers": design.layers,
        "dtype": recipe.memory.dtype,
        "levels": [{"clusters": count, "width": width} for count, width in zip(design.clusters, design.widths, strict=True)],
        "branching": design.branching,
        "generic": True,
        "fallback": recipe.memory.fallback,
        "retriever": RETRIEVER.model_dump(mode="json"),
        "prompt": "chat" if ground.anchor.chat else "plain",
        "recipe": {**recipe.as_json(), "perplexity": {name: round(value, 3) for name, value in probed.perplexity.items()}},
    }
    moved = out.with_name(out.name + ".build") / "anchor"
    folder = moved if recipe.training.mode == "cotrain" else source.folder
    named = source.hub and recipe.training.mode == "frozen"
    if named:
        fields["anchor"] = {"source": source.hub, "sha256": folder_digest(source.folder)}
    write_bank(
        out,
        fields,
        centroids=grown.centroids,
        documents=grown.documents,
        blocks=[level.stream() if level.layout.n else None for level in levels],
        anchor=None if named else folder,
        clusters=_texts(corpus, keys, grown),
        probes=[to_record(fact) for fact in probed.probes] or None,
        routes=probed.routes.astype(np.int32) if probed.probes else None,
        readme=_card(recipe, source, ground, grown, probed),
    )


def write_moved(ground: Ground, source: Source, weights: Path, folder: Path) -> None:
    """The anchor as co-training left it, as a model folder of its own."""
    load_weights(ground.anchor.model, weights)
    shutil.rmtree(folder, ignore_errors=True)
    with quiet():
        ground.anchor.model.save_pretrained(folder)
    for name in anchor_files(source.folder):
        if not name.endswith((".safetensors", ".index.json")) and name != "config.json":
            shutil.copyfile(source.folder / name, folder / name)


def _texts(corpus: Corpus, keys: Floats, grown: Grown) -> ClusterTexts:
    names = corpus.names
    labels = label_clusters((corpus.text(at) for at in range(len(corpus))), keys, grown)
    cards = [
        ClusterCard(
            ClusterId(level, index),
            label.label,
            tuple(label.terms),
            int(grown.documents[level - 1][index]),
            tuple(Exemplar(names[at], corpus.text(at)) for at in label.exemplars),
        )
        for level, found in enumerate(labels, 1)
        for index, label in enumerate(found)
        if grown.documents[level - 1][index]
    ]
    documents = [Document(names[at], corpus.text(at), tuple(path)) for at, path in enumerate(grown.paths.tolist())]
    return ClusterTexts(cards, documents)


def _card(recipe: Recipe, source: Source, ground: Ground, grown: Grown, probed: Probed) -> str:
    shape = zip(grown.documents, ground.design.widths, strict=True)
    levels = ", ".join(f"{int((documents > 0).sum())} clusters of width {width}" for documents, width in shape)
    trained = "the anchor frozen" if recipe.training.mode == "frozen" else "the anchor trained with them"
    perplexity = ", ".join(f"{name} {value:.2f}" for name, value in probed.perplexity.items())
    return (
        f"# {recipe.title}\n\nA bank of memory blocks for {source.architecture} ({source.parameters} parameters), {trained}:\n{levels}.\n\n"
        f"Trained on {len(ground.corpus)} windows of {ground.corpus.summary['documents']} documents, {ground.corpus.tokens} tokens.\n"
        f"Perplexity on {probed.windows} of these windows: {perplexity}.\n"
        f"{len(probed.probes)} probes stand in for facts: spans of the documents, asked for by the text before them.\n"
    )
