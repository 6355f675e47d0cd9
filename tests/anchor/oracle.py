"""An independent reader and runner of a bank folder: json, bytes and formulas alone, nothing of memstudio, torch or transformers.

It reads the folder by its published format (bank.json, safetensors headers, blocks row by row) and runs a Llama in float32 numpy
with the memory formula of the method. The product must agree with it to 1e-4.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_TYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I64": np.dtype("<i8"), "U8": np.dtype("u1"), "I32": np.dtype("<i4")}


def tensor(path: Path, name: str) -> NDArray[np.generic]:
    """One tensor of a safetensors file: 8 bytes of header length, the JSON header, then the bytes."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    entry = json.loads(raw[8 : 8 + length])[name]
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    if entry["dtype"] == "BF16":
        wide = np.frombuffer(raw[begin:end], "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(entry["shape"])
    return np.frombuffer(raw[begin:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])


def block(folder: Path, level: int, index: int) -> list[tuple[Floats, Floats, Floats]]:
    """(gate [r, d], up [r, d], down [r, d]) of a block for each layer that carries memory, in float32."""
    manifest = json.loads((folder / "bank.json").read_text())
    path = folder / f"blocks/level-{level}.safetensors"
    names = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    at = int(np.flatnonzero(tensor(path, "clusters") == index)[0]) if "clusters" in names else index
    row = tensor(path, "blocks")[at]
    d, width = manifest["hidden_size"], manifest["levels"][level - 1]["width"]
    widths = width if isinstance(width, list) else [width] * len(manifest["layers"])
    values = _dequantised(row, tensor(path, "scales")[at], manifest["dtype"], d) if "scales" in names else row.astype(np.float32)
    parts, start = [], 0
    for r in widths:
        three = values[start : start + 3 * r * d].reshape(3, r, d)
        parts.append((three[0], three[1], three[2]))
        start += 3 * r * d
    return parts


def _dequantised(row: NDArray[np.generic], scales: NDArray[np.generic], dtype: str, d: int) -> Floats:
    codes = row.astype(np.int32)
    if dtype == "int4":
        codes = np.stack([codes & 15, codes >> 4], 1).reshape(-1)[: len(scales) * d]
    zero = 8 if dtype == "int4" else 128
    return ((codes - zero).reshape(-1, d) * scales.astype(np.float32)[:, None]).reshape(-1).astype(np.float32)


def logits(folder: Path, ids: Sequence[int], route: Mapping[int, int]) -> Floats:
    """Logits [T, vocabulary] of the bank's Llama anchor with the blocks `route` = {level: index} (the generic one by the cluster count)."""
    manifest = json.loads((folder / "bank.json").read_text())
    config = json.loads((folder / "anchor" / "config.json").read_text())
    weights = folder / "anchor" / "model.safetensors"

    def weight(name: str) -> Floats:
        return tensor(weights, name).astype(np.float32)

    blocks = [block(folder, level, route[level]) for level in sorted(route)]
    x = weight("model.embed_tokens.weight")[list(ids)]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        x = x + _attention(_norm(x, weight(f"{at}.input_layernorm.weight"), config), weight, at, config)
        h = _norm(x, weight(f"{at}.post_attention_layernorm.weight"), config)
        y = (_silu(h @ weight(f"{at}.mlp.gate_proj.weight").T) * (h @ weight(f"{at}.mlp.up_proj.weight").T)) @ weight(
            f"{at}.mlp.down_proj.weight"
        ).T
        if layer in manifest["layers"]:
            for parts in blocks:
                gate, up, down = parts[manifest["layers"].index(layer)]
                y = y + (_silu(h @ gate.T) * (h @ up.T)) @ down
        x = x + y
    head = "model.embed_tokens.weight" if config.get("tie_word_embeddings") else "lm_head.weight"
    return (_norm(x, weight("model.norm.weight"), config) @ weight(head).T).astype(np.float32)


def _attention(x: Floats, weight, at: str, config: dict) -> Floats:
    heads, shared = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    T = x.shape[0]
    q = (x @ weight(f"{at}.self_attn.q_proj.weight").T).reshape(T, heads, size)
    k = (x @ weight(f"{at}.self_attn.k_proj.weight").T).reshape(T, shared, size)
    v = (x @ weight(f"{at}.self_attn.v_proj.weight").T).reshape(T, shared, size)
    theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
    angles = np.arange(T)[:, None] * theta ** (-np.arange(0, size, 2) / size)
    q, k = _turned(q, angles), _turned(k, angles)
    out = np.empty((T, heads, size), np.float32)
    for head in range(heads):
        group = head // (heads // shared)
        scores = q[:, head] @ k[:, group].T / np.sqrt(size)
        scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        out[:, head] = (shares / shares.sum(1, keepdims=True)) @ v[:, group]
    return out.reshape(T, heads * size) @ weight(f"{at}.self_attn.o_proj.weight").T


def _turned(x: Floats, angles: NDArray[np.float64]) -> Floats:
    """Rotary positions: the two halves of a head turn as one complex number."""
    half = x.shape[-1] // 2
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1).astype(np.float32)


def _norm(x: Floats, gain: Floats, config: dict) -> Floats:
    return (x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * gain).astype(np.float32)


def _silu(x: Floats) -> Floats:
    return x / (1 + np.exp(-x))
