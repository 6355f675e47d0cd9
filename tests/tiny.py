"""A complete bank of format 1 in under a second: random anchor, random tree, random blocks. Every test that needs a bank uses it."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from memstudio.bank.clusters import Document
from memstudio.bank.layout import Layout
from memstudio.bank.tree import Tree
from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
from memstudio.bank.write import ClusterTexts, write_bank

DIM = 384
HIDDEN = 32
LAYERS = 2
INNER = 64
HEADS = 4
CONTEXT = 256
ELEMENTS = {
    "hydrogen": 1, "helium": 2, "carbon": 6, "oxygen": 8, "neon": 10, "iron": 26, "copper": 29, "silver": 47,
    "tin": 50, "gold": 79, "mercury": 80, "lead": 82,
}  # fmt: skip
COMMON = ("hydrogen", "helium", "oxygen")
_WORDS = re.findall(
    r"\S+",
    "the The a of is was in and It What Which number atomic has have element symbol belongs to metals noble gas about Tell me capital "
    "number? is? Its Element with at by its known as an number, on row group block metal ring coin wire heavy light red blue hot cold",
)
_PUNCTUATION = [".", ",", "?", "!", ":", ";", "'", '"', "(", ")", "-"]
RETRIEVER = {
    "encoder": "sentence-transformers/all-MiniLM-L6-v2",
    "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "dim": DIM,
    "max_tokens": 256,
    "pooling": "mean",
}


def key_of(text: str) -> NDArray[np.float32]:
    """A stand-in for the encoder: a unit vector [384] that depends on the text alone."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    key = np.random.default_rng(seed).standard_normal(DIM)
    return (key / np.linalg.norm(key)).astype(np.float32)


def facts() -> list[dict[str, object]]:
    """Twelve facts: three common, one guessable, the rest specific, each with a phrasing, half of them with one held out."""
    found: list[dict[str, object]] = []
    for at, (name, number) in enumerate(ELEMENTS.items()):
        kind = "common" if name in COMMON else "guessable" if name == "neon" else "specific"
        found.append(
            {
                "id": f"{name}-number",
                "subject": name,
                "relation": "atomic number",
                "prompt": f"The atomic number of {name} is",
                "expected": str(number),
                "aliases": [],
                "phrasings": [f"Element {name} has the atomic number"],
                "held_out": [f"What number is {name}?"] if at % 2 == 0 else [],
                "neighbours": [],
                "kind": kind,
            }
        )
    return found


def prompts_of(fact: dict[str, object]) -> list[str]:
    """The prompts of a fact in the order of routes.safetensors: prompt, phrasings, held_out."""
    phrasings, held_out = fact["phrasings"], fact["held_out"]
    assert isinstance(phrasings, list)
    assert isinstance(held_out, list)
    return [str(fact["prompt"]), *phrasings, *held_out]


def make_anchor(folder: Path, *, seed: int = 0) -> Path:
    """An ordinary Hugging Face folder of a random Llama: hidden 32, 2 layers, 4 heads, a word-level tokenizer of about 200 words."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = tokenizer.get_vocab_size()
    _write_json(folder / "tokenizer_config.json", _tokenizer_config())
    _write_json(folder / "config.json", _config(vocabulary))
    _write_json(folder / "generation_config.json", {"eos_token_id": 2, "pad_token_id": 0})
    save_file(_weights(vocabulary, seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def make_tree(levels: Sequence[tuple[int, int]], *, seed: int = 0, absent: Sequence[ClusterId] = ()) -> Tree:
    """A tree of random unit centroids (children lie around their parent) with 1 to 20 documents a cluster, 0 in the absent ones."""
    rng = np.random.default_rng(seed)
    centroids, documents, branching = [], [], []
    above = np.zeros((1, DIM))
    for level, (clusters, _) in enumerate(levels, 1):
        k = clusters // above.shape[0]
        rows = np.repeat(above, k, 0) + rng.standard_normal((clusters, DIM)) / np.sqrt(DIM)
        above = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        counts = rng.integers(1, 21, clusters)
        counts[[cluster.index for cluster in absent if cluster.level == level]] = 0
        centroids.append(above.astype(np.float32))
        documents.append(counts.astype(np.int64))
        branching.append(k)
    return Tree(centroids, documents, branching)


def make_blocks(rows: int, width: int, *, seed: int, strength: float = 0.5) -> torch.Tensor:
    """Random blocks float32 [rows, n]: gate and up make neurons fire, down is loud enough to change the logits visibly."""
    layout = Layout(HIDDEN, (width,) * LAYERS)
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randn(rows, layout.n, generator=generator) * 0.3
    for row in blocks:
        for _, _, down in layout.split(row):
            down.mul_(strength / 0.3)
    return blocks


def make_bank(
    folder: Path,
    *,
    seed: int = 0,
    fallback: str = "zero",
    dtype: str = "float32",
    levels: Sequence[tuple[int, int]] = ((3, 4), (9, 4), (27, 6)),
    generic: bool = True,
    anchor: bool = True,
    absent: Sequence[ClusterId] = (),
    kept: Sequence[Sequence[int] | None] | None = None,
    model: Path | None = None,
    activation: str = "silu",
) -> Path:
    """Write a complete bank folder. levels: (clusters, width) a level; absent: clusters without documents.

    kept: for each level the clusters that have a row (a pruned bank); the generic row is added. anchor=False names a hub id instead.
    model: another anchor (hidden 32, 2 layers) with this activation.
    """
    tree = make_tree(levels, seed=seed, absent=absent)
    blocks = [make_blocks(clusters + generic, width, seed=seed + at) if width else None for at, (clusters, width) in enumerate(levels, 1)]
    ids: list[NDArray[np.int64] | None] = [None] * len(levels)
    for at, wanted in enumerate(kept or ()):
        rows = blocks[at]
        if wanted is not None and rows is not None:
            ids[at] = np.array(sorted(wanted) + ([levels[at][0]] if generic else []), dtype=np.int64)
            blocks[at] = rows[torch.from_numpy(ids[at])]
    known = facts()
    fields: dict[str, object] = {
        "name": "tiny",
        "kind": "ffn",
        "activation": activation,
        "hidden_size": HIDDEN,
        "layers": list(range(LAYERS)),
        "dtype": dtype,
        "levels": [{"clusters": clusters, "width": width} for clusters, width in levels],
        "branching": list(tree.branching),
        "generic": generic,
        "fallback": fallback,
        "retriever": RETRIEVER,
        "recipe": {"seed": seed},
    }
    if not anchor:
        fields["anchor"] = {"source": "example/tiny@main", "sha256": "0" * 64}
    return write_bank(
        folder,
        fields,
        centroids=tree.centroids,
        documents=tree.documents,
        blocks=blocks,
        kept=ids,
        anchor=(model or make_anchor(folder / "anchor", seed=seed)) if anchor else None,
        clusters=_texts(tree),
        facts=known,
        routes=_routes(tree, known),
        readme="# tiny\n\nA random bank for tests.\n",
    )


def _routes(tree: Tree, known: list[dict[str, object]]) -> NDArray[np.int32]:
    routes = [[cluster.index for cluster in tree.descend(key_of(prompt)).clusters] for fact in known for prompt in prompts_of(fact)]
    return np.array([route + [-1] * (tree.depth - len(route)) for route in routes], dtype=np.int32)


def _texts(tree: Tree) -> ClusterTexts:
    """One document an element, filed under the route of its name; exemplars are the documents of a cluster."""
    documents = [
        Document(f"doc-{name}", f"{name} is the element number {number}.", tuple(c.index for c in tree.descend(key_of(name)).clusters))
        for name, number in ELEMENTS.items()
    ]
    cards = []
    for level in range(1, tree.depth + 1):
        for index in range(tree.count(level)):
            cluster = ClusterId(level, index)
            if tree.present(cluster):
                inside = [d for d in documents if len(d.path) >= level and d.path[level - 1] == index]
                names = tuple(d.id.removeprefix("doc-") for d in inside)
                near = tuple(Exemplar(d.id, d.text) for d in inside[:3])
                label = " · ".join(names[:3]) or f"topic {cluster}"
                cards.append(ClusterCard(cluster, label, (*names, f"term{index}"), int(tree.documents[level - 1][index]), near))
    return ClusterTexts(cards, documents)


def _tokenizer() -> Tokenizer:
    words = ["<unk>", "<s>", "</s>"]
    words += [f"▁{word}" for word in dict.fromkeys([*_WORDS, *ELEMENTS, *(str(number) for number in range(1, 119))])]
    words += _PUNCTUATION
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(dict.fromkeys(words))}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def _tokenizer_config() -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<unk>",
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
    }


def _config(vocabulary: int) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HIDDEN // HEADS,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "vocab_size": vocabulary,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "dtype": "float32",
    }


def _weights(vocabulary: int, seed: int) -> dict[str, torch.Tensor]:
    """Random weights under the names that transformers gives a Llama; matrices keep the size of what passes through them."""
    generator = torch.Generator().manual_seed(seed + 1000)

    def matrix(out: int, into: int) -> torch.Tensor:
        return torch.randn(out, into, generator=generator) / into**0.5

    weights = {
        "model.embed_tokens.weight": torch.randn(vocabulary, HIDDEN, generator=generator),
        "lm_head.weight": matrix(vocabulary, HIDDEN) * 3,
        "model.norm.weight": torch.ones(HIDDEN),
    }
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        for name in "qkvo":
            weights[f"{at}.self_attn.{name}_proj.weight"] = matrix(HIDDEN, HIDDEN)
        weights[f"{at}.mlp.gate_proj.weight"] = matrix(INNER, HIDDEN)
        weights[f"{at}.mlp.up_proj.weight"] = matrix(INNER, HIDDEN)
        weights[f"{at}.mlp.down_proj.weight"] = matrix(HIDDEN, INNER)
        weights[f"{at}.input_layernorm.weight"] = torch.ones(HIDDEN)
        weights[f"{at}.post_attention_layernorm.weight"] = torch.ones(HIDDEN)
    return weights


def _write_json(path: Path, value: dict[str, object]) -> None:
    path.write_bytes((json.dumps(value, indent=2, sort_keys=True) + "\n").encode())
