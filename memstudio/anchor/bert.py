"""The forward pass of a BERT encoder, the family that sentence encoders such as MiniLM belong to, in numpy.

transformers takes seconds to be imported before it can encode a word, and choosing what to fetch is what this product waits for all
day. `read_bert` checks a model folder against its configuration before anything is allocated; what it does not know is left to
transformers (see `router.py`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import TensorFile, inside, read_header
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.errors import UserError

Floats = NDArray[np.float32]

_MAX_CONFIG_BYTES = 1 << 20
_MAX_LAYERS = 100
_TOKENS_AT_ONCE = 2048
"""Sequences are run in groups of about so many tokens: what a layer works on then stays in the processor's cache."""
_PIECE = 1 << 14
"""Numbers that the activation takes at a time, for the same reason."""


@dataclass(frozen=True, slots=True)
class BertShape:
    """What config.json says of a BERT encoder."""

    hidden: int
    inner: int
    layers: int
    heads: int
    words: int
    positions: int
    types: int
    eps: float


class Bert:
    """Weights of one encoder, float32, mapped and read-only; used from any thread."""

    def __init__(self, shape: BertShape, file: TensorFile, weights: dict[str, Floats]) -> None:
        self.shape = shape
        self._file = file
        self._weights = weights

    def states(self, ids: NDArray[np.int64]) -> Floats:
        """The last hidden states float32 [sequences, tokens, hidden] of word pieces [sequences, tokens], none of them padding.

        Raises:
            UserError: a word piece that the encoder does not have, more of them than it has positions, or a file that was cut short.
        """
        self._file.check_unshrunk()
        count, length = ids.shape
        if length > self.shape.positions:
            raise UserError(f"the key has {length} word pieces, the encoder takes at most {self.shape.positions}: shorten it")
        if ids.size and (ids.min() < 0 or ids.max() >= self.shape.words):
            raise UserError(f"the encoder's tokenizer gives word piece {ids.max()}, it has {self.shape.words}: files of two models")
        found = np.empty((count, length, self.shape.hidden), np.float32)
        step = max(1, _TOKENS_AT_ONCE // length)
        for start in range(0, count, step):
            found[start : start + step] = self._group(ids[start : start + step])
        return found

    def _group(self, ids: NDArray[np.int64]) -> Floats:
        """`states` of sequences that are run together."""
        count, length = ids.shape
        w, hidden = self._weights, self.shape.hidden
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
        x += w["embeddings.position_embeddings.weight"][:length]
        x = self._norm(x.reshape(-1, hidden), "embeddings.LayerNorm")
        for layer in range(self.shape.layers):
            at = f"encoder.layer.{layer}"
            x = self._norm(x + self._attention(x, f"{at}.attention", count), f"{at}.attention.output.LayerNorm")
            inner = _gelu(self._linear(x, f"{at}.intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        return x.reshape(count, length, hidden)

    def _attention(self, x: Floats, at: str, count: int) -> Floats:
        """Self-attention of x [sequences · tokens, hidden], every token seeing all of its own sequence."""
        size = self.shape.hidden // self.shape.heads

        def split(name: str) -> Floats:
            made: Floats = self._linear(x, f"{at}.self.{name}").reshape(count, -1, self.shape.heads, size).transpose(0, 2, 1, 3)
            return made

        query, key, value = split("query"), split("key"), split("value")
        scores = np.matmul(query, key.transpose(0, 1, 3, 2)) * np.float32(size**-0.5)  # (B, H, T, T)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        seen = np.matmul(scores, value).transpose(0, 2, 1, 3).reshape(x.shape)
        return self._linear(seen, f"{at}.output.dense")

    def _linear(self, x: Floats, at: str) -> Floats:
        made: Floats = x @ self._weights[f"{at}.weight"].T
        made += self._weights[f"{at}.bias"]
        return made

    def _norm(self, x: Floats, at: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(self.shape.eps))
        made: Floats = centred / spread * self._weights[f"{at}.weight"] + self._weights[f"{at}.bias"]
        return made


def read_bert(folder: Path) -> Bert | None:
    """The encoder of a model folder, or None where it is of another kind than is known here.

    Raises:
        UserError: it is of this kind, and its weights are not what config.json describes.
    """
    shape = _read_shape(folder)
    if shape is None:
        return None
    file = read_header(inside(folder, "model.safetensors"))
    if any(entry.dtype != "F32" for name, entry in file.tensors.items() if name.endswith((".weight", ".bias"))):
        return None
    wanted = _shapes(shape)
    for name, dimensions in wanted.items():
        file.entry(name, "F32", dimensions)
    return Bert(shape, file, {name: cast(Floats, np.asarray(file.array(name, "F32", dimensions))) for name, dimensions in wanted.items()})


def _read_shape(folder: Path) -> BertShape | None:
    try:
        config = strict_json(read_limited(inside(folder, "config.json"), _MAX_CONFIG_BYTES))
    except ValueError:
        raise UserError(f"{folder}/config.json: not valid JSON: copy the encoder again") from None
    if not isinstance(config, dict) or not _known(config):
        return None
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings")
    found = [_natural(folder, config, name) for name in names]
    hidden, inner, layers, heads, words, positions = found
    if layers > _MAX_LAYERS or hidden % heads:
        raise UserError(f"{folder}/config.json: {layers} layers of {heads} heads over {hidden} numbers: not an encoder's configuration")
    eps = config.get("layer_norm_eps", 1e-12)
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise UserError(f"{folder}/config.json: layer_norm_eps must be a small positive number")
    types = _natural(folder, {"type_vocab_size": 2, **config}, "type_vocab_size")
    return BertShape(hidden, inner, layers, heads, words, positions, types, eps)


def _known(config: dict[str, Any]) -> bool:
    """Whether this is the architecture that stands here: BERT as published, read in both directions."""
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
        and "quantization_config" not in config
    )


def _natural(folder: Path, config: dict[str, Any], name: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 1 << 31:
        raise UserError(f"{folder}/config.json: {name} is {str(value)[:80]}, must be a whole number from 1")
    return value


def _shapes(shape: BertShape) -> dict[str, tuple[int, ...]]:
    """Every tensor that is used, with its shape."""
    d, inner = shape.hidden, shape.inner
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape.words, d),
        "embeddings.position_embeddings.weight": (shape.positions, d),
        "embeddings.token_type_embeddings.weight": (shape.types, d),
        "embeddings.LayerNorm.weight": (d,),
        "embeddings.LayerNorm.bias": (d,),
    }
    for layer in range(shape.layers):
        at = f"encoder.layer.{layer}"
        linear = {f"attention.self.{name}": (d, d) for name in ("query", "key", "value")}
        linear |= {"attention.output.dense": (d, d), "intermediate.dense": (inner, d), "output.dense": (d, inner)}
        for name, dimensions in linear.items():
            found[f"{at}.{name}.weight"], found[f"{at}.{name}.bias"] = dimensions, dimensions[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            found[f"{at}.{name}.weight"] = found[f"{at}.{name}.bias"] = (d,)
    return found


def _gelu(x: Floats) -> Floats:
    """x · Φ(x), in place on a contiguous array; erf after Abramowitz and Stegun 7.1.26, within 1.5e-7."""
    flat = x.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        part = flat[start : start + _PIECE]
        away = np.abs(part) * np.float32(0.5**0.5)
        t = 1 / (1 + np.float32(0.3275911) * away)
        tail = np.full_like(t, 1.061405429)
        for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            tail *= t
            tail += np.float32(coefficient)
        tail *= t * np.exp(-away * away)  # 1 − erf(|x| / √2)
        part *= np.where(part < 0, tail, 2 - tail) * np.float32(0.5)
    return x
