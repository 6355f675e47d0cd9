"""Banks of any size that were never trained: real folders of format 1 whose tree is random and whose blocks are holes or random numbers.

What a bank's size costs (opening, routing, drawing, memory) is measured on the holes, which take no room; throughput and cold reads on
the random ones.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.clusters import Document
from memstudio.bank.layout import Layout
from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
from memstudio.bank.write import ClusterTexts, Hole, RowStream, write_bank
from memstudio.errors import UserError
from memstudio.jobs import Job

if TYPE_CHECKING:
    from torch import Tensor

Fill = Literal["sparse", "random"]
Floating = Literal["bfloat16", "float16", "float32"]
DIM = 384
_FEWEST = 3
"""Documents a leaf, at least."""
_RANDOM, _EXPONENT = np.uint16(0x81FF), np.uint16(116 << 7)
"""Of a bfloat16: the bits that are drawn (sign, mantissa, two of the exponent), and the exponent's others, with a bias of 127. Numbers
made so come as fast as their bytes."""
_SYLLABLES = tuple(consonant + vowel for consonant in "bdklmnrst" for vowel in "aeiou")
_CONTEXT = 2048
_SPECIAL = ("<unk>", "<s>", "</s>")


@dataclass(frozen=True, slots=True)
class Shape:
    """branching and widths, a number a level; layers and hidden: those of the anchor that is made where none is given."""

    branching: tuple[int, ...]
    widths: tuple[int, ...]
    layers: int = 4
    hidden: int = 64

    @property
    def clusters(self) -> tuple[int, ...]:
        """Clusters a level."""
        return tuple(math.prod(self.branching[: level + 1]) for level in range(len(self.branching)))

    @property
    def parameters(self) -> int:
        """Of the blocks of all clusters, the generic ones aside, over the anchor that is made."""
        each = Layout(self.hidden, (1,) * self.layers).n
        return sum(each * width * count for width, count in zip(self.widths, self.clusters, strict=True))


@dataclass(frozen=True, slots=True)
class AnchorShape:
    """A Llama's: layers, hidden size, inner width of its MLPs, attention heads (queries, keys and values), their size, and rows of the
    embedding, which is tied; None: as many as the tokenizer has words."""

    layers: int
    hidden: int
    inner: int = 256
    heads: int = 1
    kv_heads: int = 1
    head: int = 64
    vocabulary: int | None = None


ANCHORS = {
    "160m": AnchorShape(35, 512, 2048, 12, 12, 32, 50_304),
    "1.4b": AnchorShape(24, 2048, 5632, 16, 16, 128, 50_304),
    "qwen-0.5b": AnchorShape(24, 896, 4864, 14, 2, 64, 151_936),
}
"""The paper's anchors (arXiv 2510.02375; their vocabulary is our choice) and one of the size of Qwen 2.5 0.5B, without its biases."""


def _same_blocks(*branching: int) -> Shape:
    """A tree whose blocks are as large as those of any other of these, for an anchor of 24 layers, 2,048 wide."""
    return Shape(branching, (15, 14, 2, 2), 24, 2048)


SHAPES = {
    "seventy-thousand": Shape((16, 16, 16, 16), (8, 4, 2, 1)),
    "five-thousand": Shape((16, 16, 20), (8, 4, 2)),
    "0.02b": _same_blocks(2, 2, 2, 2),
    "0.2b": _same_blocks(4, 4, 5, 6),
    "2b": _same_blocks(8, 8, 8, 11),
    "21.1b": _same_blocks(16, 16, 16, 16),
    "paper-21.1b": Shape((16, 16, 16, 16), (768, 256, 16, 0), 24, 2048),
}
"""Shapes by name. paper-21.1b is the paper's largest bank (arXiv 2510.02375); 0.02b to 21.1b have blocks of one size and more and more of
them, so that what they cost differs by the bank's size alone. Their anchors are as wide and deep as the paper's, with narrow MLPs."""


def synthetic_bank(
    out: Path,
    *,
    branching: Sequence[int],
    widths: Sequence[int],
    anchor: Path | None = None,
    layers: int = 4,
    hidden: int = 64,
    seed: int = 0,
    fill: Fill = "sparse",
    dtype: Floating = "bfloat16",
    job: Job | None = None,
) -> Path:
    """Write a bank of that tree and those widths a level; the same arguments give the same bytes. Returns the folder.

    anchor: the Hugging Face folder of a model; None: one of random numbers, `layers` deep and `hidden` wide, with an inner width of 256
        and a tokenizer of bytes, is made.
    fill: sparse: the blocks are holes in the files (zeros that take no room; their digests are those of the zeros).

    Raises:
        UserError: a bank stands there already, the tree and the widths do not fit each other, or the folder is no model for a bank.
    """
    if len(branching) != len(widths) or min((*branching, 1)) < 1 or min((*widths, 0)) < 0:
        raise UserError(f"branching {list(branching)}, widths {list(widths)}: give one of each a level, branching from 1 and widths from 0")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: not an empty folder: choose another")
    shape, work = Shape(tuple(branching), tuple(widths), layers, hidden), job or Job("synthetic")
    if anchor is not None:
        return _write(out, shape, anchor, seed, fill, dtype, work)
    with TemporaryDirectory() as folder:
        return _write(
            out,
            shape,
            random_anchor(Path(folder) / "anchor", AnchorShape(layers, hidden, head=min(64, hidden)), seed),
            seed,
            fill,
            dtype,
            work,
        )


def _write(out: Path, shape: Shape, anchor: Path, seed: int, fill: Fill, dtype: Floating, work: Job) -> Path:
    from memstudio.anchor.load import load_anchor

    model = load_anchor(anchor, device="cpu", dtype="bfloat16")
    rng = np.random.default_rng(seed)
    work.progress(0, 3)
    centroids = _centroids(shape, rng)
    documents = _documents(shape, rng)
    texts = _texts(shape, documents, rng)
    work.progress(1, 3)
    on = list(range(len(model.mlps)))
    layouts = [Layout(model.hidden_size, (width,) * len(on)) for width in shape.widths]
    fields: dict[str, object] = {
        "name": out.name,
        "kind": "ffn",
        "activation": model.activation,
        "hidden_size": model.hidden_size,
        "layers": on,
        "dtype": dtype,
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
    blocks = [
        _blocks(count + 1, layout.n, fill, seed + level) for level, (count, layout) in enumerate(zip(shape.clusters, layouts, strict=True))
    ]
    folder = write_bank(
        out,
        fields,
        centroids=centroids,
        documents=documents,
        blocks=blocks,
        anchor=anchor,
        clusters=texts,
        readme=_readme(out.name, fill, seed),
    )
    work.progress(3, 3)
    return folder


def _readme(name: str, fill: Fill, seed: int) -> str:
    blocks = "holes: zeros that take no room, and bank.json holds the digests of those zeros" if fill == "sparse" else "random numbers"
    said = f"A synthetic bank, never trained, for measuring. Its tree, labels and documents are random (seed {seed})"
    return f"# {name}\n\n{said}; its blocks are {blocks}.\n"


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
    counts = [(_FEWEST + rng.gamma(0.8, 6.0, shape.clusters[-1])).astype(np.int64)]
    for k in reversed(shape.branching[1:]):
        counts.insert(0, counts[0].reshape(-1, k).sum(1))
    return counts


def _blocks(count: int, n: int, fill: Fill, seed: int) -> RowStream | Hole | None:
    """`count` rows of a level, random numbers of 2⁻¹¹ to 2⁻⁷ and either sign made one after the other, or a hole; None at width 0."""
    if not n:
        return None
    if fill == "sparse":
        return Hole(count)

    def rows() -> "Iterator[Tensor]":
        import torch

        rng = np.random.default_rng(seed)
        for _ in range(count):
            bits = np.frombuffer(rng.bytes(2 * n), "<u2") & _RANDOM | _EXPONENT
            yield torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16)

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


def random_anchor(folder: Path, shape: AnchorShape, seed: int = 0) -> Path:
    """A Hugging Face folder of a Llama of random bfloat16 numbers that reads and writes any text, byte by byte.

    Where the heads do not divide the hidden size, which the configuration of a Llama refuses, it is written down as a Mistral without a
    sliding window: the same sums.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = _write_tokenizer(folder)
    vocabulary = words if shape.vocabulary is None else shape.vocabulary
    kind = "Mistral" if shape.hidden % shape.heads else "Llama"
    config = {
        "architectures": [f"{kind}ForCausalLM"],
        "model_type": kind.lower(),
        **({"sliding_window": None} if kind == "Mistral" else {}),
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "max_position_embeddings": _CONTEXT,
        "rms_norm_eps": 1e-5,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "vocab_size": vocabulary,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "dtype": "bfloat16",
    }
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {"eos_token_id": 2, "pad_token_id": 0})
    _write_weights(folder, vocabulary, shape, seed)
    return folder


def _write_tokenizer(folder: Path) -> int:
    """A tokenizer of bytes; gives the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    words = [*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({word: at for at, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    named = dict(zip(("unk_token", "bos_token", "eos_token"), _SPECIAL, strict=True))
    options = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": _CONTEXT, "clean_up_tokenization_spaces": False}
    _write_json(folder / "tokenizer_config.json", {**options, **named, "pad_token": _SPECIAL[0]})
    return len(words)


def _write_weights(folder: Path, vocabulary: int, shape: AnchorShape, seed: int) -> None:
    """Under the names that transformers gives a Llama; each matrix keeps the size of what passes through it."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    hidden, queries, keys = shape.hidden, shape.heads * shape.head, shape.kv_heads * shape.head

    def matrix(out: int, into: int) -> "Tensor":
        drawn = torch.randn(out, into, generator=generator)
        return drawn.div_(into**0.5).bfloat16()

    ones = torch.ones(hidden, dtype=torch.bfloat16)
    weights = {"model.embed_tokens.weight": matrix(vocabulary, hidden), "model.norm.weight": ones.clone()}
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        for name, out in (("q", queries), ("k", keys), ("v", keys)):
            weights[f"{at}.self_attn.{name}_proj.weight"] = matrix(out, hidden)
        weights[f"{at}.self_attn.o_proj.weight"] = matrix(hidden, queries)
        weights |= {f"{at}.mlp.{name}_proj.weight": matrix(shape.inner, hidden) for name in ("gate", "up")}
        weights[f"{at}.mlp.down_proj.weight"] = matrix(hidden, shape.inner)
        weights |= {f"{at}.{name}_layernorm.weight": ones.clone() for name in ("input", "post_attention")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
