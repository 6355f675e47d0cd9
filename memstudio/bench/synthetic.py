"""Banks of any size that were never trained: real folders of format 1 whose tree is random and whose blocks are holes or random bytes.

What a bank's size costs (opening, drawing, routing, memory) is measured on the holes, which take no room; throughput and cold reads on
the random ones.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.clusters import Document
from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
from memstudio.bank.write import ClusterTexts, Hole, RowStream, write_bank
from memstudio.jobs import Job

if TYPE_CHECKING:
    from torch import Tensor

Fill = Literal["holes", "random"]
DIM = 384
_SYLLABLES = tuple(consonant + vowel for consonant in "bdklmnrst" for vowel in "aeiou")


@dataclass(frozen=True, slots=True)
class Shape:
    """branching and widths, a number a level; documents: at least so many a leaf."""

    branching: tuple[int, ...]
    widths: tuple[int, ...]
    documents: int = 3

    @property
    def clusters(self) -> tuple[int, ...]:
        """Clusters a level."""
        return tuple(math.prod(self.branching[: level + 1]) for level in range(len(self.branching)))


SHAPES = {
    "seventy-thousand": Shape((16, 16, 16, 16), (8, 4, 2, 1)),
    "five-thousand": Shape((16, 16, 20), (8, 4, 2)),
}
"""Shapes by name."""


def synthetic_bank(out: Path, shape: Shape, anchor: Path, *, fill: Fill = "holes", seed: int = 0, job: Job | None = None) -> Path:
    """Write a bank of that shape for an anchor (a Hugging Face folder); the same seed gives the same bank.

    Raises:
        UserError: the folder is no model that a bank can be made for.
    """
    from memstudio.anchor.load import load_anchor
    from memstudio.bank.layout import Layout

    model = load_anchor(anchor, device="cpu", dtype="float32")
    rng = np.random.default_rng(seed)
    work = job or Job("synthetic")
    work.progress(0, 3)
    centroids = _centroids(shape, rng)
    documents = _documents(shape, rng)
    work.progress(1, 3)
    layers = list(range(len(model.mlps)))
    layouts = [Layout(model.hidden_size, (width,) * len(layers)) for width in shape.widths]
    counts = [count + 1 for count in shape.clusters]
    fields: dict[str, object] = {
        "name": out.name,
        "kind": "ffn",
        "activation": model.activation,
        "hidden_size": model.hidden_size,
        "layers": layers,
        "dtype": "bfloat16",
        "levels": [{"clusters": count, "width": width} for count, width in zip(shape.clusters, shape.widths, strict=True)],
        "branching": list(shape.branching),
        "generic": True,
        "fallback": "generic",
        "retriever": {
            "encoder": "sentence-transformers/all-MiniLM-L6-v2",
            "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "dim": DIM,
            "max_tokens": 256,
            "pooling": "mean",
        },
        "recipe": {"synthetic": {"fill": fill, "seed": seed}},
    }
    folder = write_bank(
        out,
        fields,
        centroids=centroids,
        documents=documents,
        blocks=[
            (Hole(count) if fill == "holes" else _random_rows(count, layout.n, seed + level)) if layout.n else None
            for level, (count, layout) in enumerate(zip(counts, layouts, strict=True))
        ],
        anchor=anchor,
        clusters=_texts(shape, documents, rng),
        readme=f"# {out.name}\n\nA synthetic bank, never trained: {fill}, seed {seed}.\n",
    )
    work.progress(3, 3)
    return folder


def _centroids(shape: Shape, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Unit vectors, children around their parent, closer level by level."""
    found: list[NDArray[np.float32]] = []
    above = np.zeros((1, DIM), np.float32)
    for level, k in enumerate(shape.branching):
        away = rng.standard_normal((above.shape[0] * k, DIM), dtype=np.float32) * (0.7**level / math.sqrt(DIM))
        rows = np.repeat(above, k, 0) + away
        above = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        found.append(above)
    return found


def _documents(shape: Shape, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Documents a cluster: those of a leaf spread widely, those above are sums."""
    counts = [(shape.documents + rng.gamma(0.8, 6.0, shape.clusters[-1])).astype(np.int64)]
    for k in reversed(shape.branching[1:]):
        counts.insert(0, counts[0].reshape(-1, k).sum(1))
    return counts


def _random_rows(count: int, n: int, seed: int) -> RowStream:
    """Rows of small random numbers, made one after the other."""

    def rows() -> "Iterator[Tensor]":
        import torch

        generator = torch.Generator().manual_seed(seed)
        for _ in range(count):
            yield torch.randn(n, generator=generator) * 0.02

    return RowStream(count, rows)


def _texts(shape: Shape, documents: Sequence[NDArray[np.int64]], rng: np.random.Generator) -> ClusterTexts:
    """Labels of three made-up words a cluster, and one document for every sixteenth leaf."""
    cards: list[ClusterCard] = []
    texts: list[Document] = []
    for level, count in enumerate(shape.clusters, 1):
        syllables = rng.integers(0, len(_SYLLABLES), (count, 3, 3))
        for index in range(count):
            words = tuple("".join(_SYLLABLES[part] for part in word) for word in syllables[index].tolist())
            near: tuple[Exemplar, ...] = ()
            if level == len(shape.branching) and index % 16 == 0:
                path = tuple(index // math.prod(shape.branching[at:]) for at in range(1, level + 1))
                near = (Exemplar(f"synthetic/{index}", f"{' '.join(words)} and nothing else."),)
                texts.append(Document(near[0].document, near[0].text, path))
            cards.append(ClusterCard(ClusterId(level, index), " · ".join(words), words, int(documents[level - 1][index]), near))
    return ClusterTexts(cards, texts)
