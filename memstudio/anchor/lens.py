"""What a direction in the residual stream says about the next token: a projection, never a cause.

A value row v of layer l, written into the residual stream, moves the logit of token i by (g ⊙ v)·u_i up to the final norm's scale,
where g is the gain of the final norm (and of the norm after the MLP, where the anchor has one) and u_i the unembedding. Random
directions have a largest logit too, so tokens are named only where they stand out against those.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from memstudio.anchor.load import Anchor
from memstudio.anchor.values import Neuron
from memstudio.bank.block import Layout
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError

THRESHOLD = 4.0
"""The z-score from which a token is named: its logit above the mean largest logit of random directions of the same norm, in units of
the standard deviation of that largest logit (64 seeded directions)."""
_RANDOM = 64
_CHUNK = 64
_POST_NORMS = ("post_feedforward_layernorm", "post_mlp_layernorm")


class Lens:
    """The way from a layer's MLP output to the logits of one anchor, with the norms' scales left out."""

    def __init__(self, anchor: Anchor) -> None:
        """
        Raises:
            UserError: the anchor's final norm or unembedding is not where decoder models have it.
        """
        decoder = _decoder(anchor)
        norm = getattr(decoder, "norm", None) or getattr(decoder, "final_layernorm", None)
        unembedding: Callable[[], nn.Module | None] = anchor.model.get_output_embeddings
        head = unembedding()
        if not isinstance(norm, nn.Module) or head is None or not isinstance(head.weight, Tensor):
            raise UserError(f"{anchor.folder}: {anchor.architecture} has no final norm and unembedding that a trace can project through")
        self.anchor = anchor
        self.norm = norm
        self.head = head.weight
        self.gain, self.centred = _linear_part(norm, anchor)
        self._posts = [_post_gain(layer, anchor) for layer in _layers(decoder)]
        self._baselines: dict[int, tuple[float, float]] = {}

    def scale(self, x: Tensor, norm: nn.Module | None = None) -> Tensor:
        """What the final norm (or another) divides x [..., d] by: [..., 1]."""
        norm = self.norm if norm is None else norm
        eps = getattr(norm, "variance_epsilon", getattr(norm, "eps", 1e-6))
        wide = x.float()
        if self.centred:
            wide = wide - wide.mean(-1, keepdim=True)
        return (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt()

    def into_stream(self, added: Tensor, totals: Sequence[Tensor], layers: Sequence[int]) -> Tensor:
        """The share of `added` [n, ..., d] in what these n layers write to the residual stream, float32; totals: the whole MLP outputs
        [..., d] of each.

        The same unless the anchor has a norm after the MLP; then that norm's scale is held fixed.
        """
        wide = added.float()
        for at, (total, layer) in enumerate(zip(totals, layers, strict=True)):
            post = self._posts[layer]
            if post is not None:
                wide = wide.clone() if wide is added else wide
                wide[at] *= post / (total.float().pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        return wide

    def direction(self, token: int, against: int) -> Tensor:
        """The direction [d], float32, along which what is written to the final residual stream adds to the logit of `token` minus that of
        `against`, times what the final norm divides by (`scale`), which is held fixed: direct logit attribution is their quotient."""
        direction = self.gain * (self.head[token].float() - self.head[against].float())
        return direction - direction.mean() if self.centred else direction

    def promoted(self, rows: Tensor, layer: int, count: int = 5) -> list[tuple[tuple[str, ...], float]]:
        """For each direction [n, d] that the MLP of `layer` may write: the tokens it promotes most, at most `count` and only those above
        `THRESHOLD`, and the z-score of the first."""
        mean, deviation = self._baseline(layer)
        found: list[tuple[tuple[str, ...], float]] = []
        for start in range(0, rows.shape[0], _CHUNK):
            part = rows[start : start + _CHUNK].to(self.head.device).float()
            norms = part.norm(dim=-1, keepdim=True)
            best = self._project(part, layer).topk(min(count, self.head.shape[0]))
            z = torch.where(norms > 0, (best.values / norms.clamp(min=1e-30) - mean) / deviation, 0.0)
            for scores, tokens in zip(z.tolist(), best.indices.tolist(), strict=True):
                named = tuple(self.anchor.piece(token) for token, score in zip(tokens, scores, strict=True) if score >= THRESHOLD)
                found.append((named, float(scores[0])))
        return found

    def promoted_each(self, rows: Sequence[Tensor], layers: Sequence[int]) -> list[tuple[tuple[str, ...], float]]:
        """As `promoted`, for directions [d] of layers of their own; those of layers without a norm after the MLP are projected together."""
        groups: dict[int, list[int]] = {}
        for number, layer in enumerate(layers):
            groups.setdefault(-1 if self._posts[layer] is None else layer, []).append(number)
        found: dict[int, tuple[tuple[str, ...], float]] = {}
        for numbers in groups.values():
            named = self.promoted(torch.stack([rows[number] for number in numbers]), layers[numbers[0]])
            found |= zip(numbers, named, strict=True)
        return [found[number] for number in range(len(layers))]

    def promotion(self, rows: Tensor, layer: int, token: int) -> Tensor:
        """For each direction [..., d] that the MLP of `layer` may write: how far it promotes one token, as the z-score of `promoted`."""
        mean, deviation = self._baseline(layer)
        rows, post = rows.to(self.head.device).float(), self._posts[layer]
        norms = rows.norm(dim=-1)
        wide = rows if post is None else rows * post
        if self.centred:
            wide = wide - wide.mean(-1, keepdim=True)
        own = wide @ (self.gain * (self.head[token].float() - self._middle))
        return torch.where(norms > 0, (own / norms.clamp(min=1e-30) - mean) / deviation, 0.0)

    @cached_property
    def _middle(self) -> Tensor:
        """The mean of all unembedding rows [d]."""
        return self.head.float().mean(0)

    def _project(self, rows: Tensor, layer: int) -> Tensor:
        """Logits [n, vocabulary] of directions [n, d], their mean over the vocabulary taken away (softmax does not see it)."""
        post = self._posts[layer]
        rows = rows if post is None else rows * post
        if self.centred:
            rows = rows - rows.mean(-1, keepdim=True)
        logits = (rows * self.gain) @ self.head.float().T
        return logits - logits.mean(-1, keepdim=True)

    def _baseline(self, layer: int) -> tuple[float, float]:
        """Mean and standard deviation of the largest logit of random unit directions; logits grow linearly with the norm."""
        key = -1 if self._posts[layer] is None else layer
        if key not in self._baselines:
            random = torch.randn(_RANDOM, self.gain.shape[0], generator=torch.Generator().manual_seed(0))
            unit = (random / random.norm(dim=-1, keepdim=True)).to(self.head.device)
            largest = self._project(unit, layer).amax(-1)
            self._baselines[key] = float(largest.mean()), max(float(largest.std()), 1e-12)
        return self._baselines[key]


def block_neurons(
    lens: Lens, layout: Layout, layers: tuple[int, ...], row: Tensor, cluster: ClusterId, count: int = 12
) -> tuple[Neuron, ...]:
    """The memory neurons of a block's row [n] whose value rows stand out most, without any prompt: `activation` is NaN (not measured).

    Neurons that name no token come last and fill up to `count`.
    """
    found: list[tuple[float, Neuron]] = []
    for layer, (_, _, down) in zip(layers, layout.split(row), strict=True):
        for index, (named, z) in enumerate(lens.promoted(down, layer)):
            found.append((z, Neuron(cluster, layer, index, float("nan"), named)))
    found.sort(key=lambda pair: -pair[0])
    return tuple(neuron for _, neuron in found[:count])


def _decoder(anchor: Anchor) -> nn.Module:
    """The module whose `layers` hold the MLPs."""
    for module in anchor.model.modules():
        layers = getattr(module, "layers", None)
        if isinstance(layers, nn.ModuleList) and any(part is anchor.mlps[0] for part in layers[0].modules()):
            return module
    raise UserError(f"{anchor.folder}: {anchor.architecture} has no list of layers that a trace can follow")


def _layers(decoder: nn.Module) -> list[nn.Module]:
    return list(decoder.get_submodule("layers").children())


def _post_gain(layer: nn.Module, anchor: Anchor) -> Tensor | None:
    """Gain [d] of the norm between MLP and residual stream; None where there is none."""
    for name in _POST_NORMS:
        norm = getattr(layer, name, None)
        if isinstance(norm, nn.Module):
            return _linear_part(norm, anchor)[0]
    return None


def _linear_part(norm: nn.Module, anchor: Anchor) -> tuple[Tensor, bool]:
    """Gain [d] of a norm in float32, and whether it takes the mean away first, found by asking it: a vector of +1 and −1 has mean 0
    and size 1, so what comes out is the gain, however the class writes it down (Gemma's weight is the gain minus 1)."""
    device, dtype = anchor.device, anchor.model.dtype
    signs = torch.ones(anchor.hidden_size, device=device, dtype=dtype)
    signs[1::2] = -1
    with torch.inference_mode():
        out, zero, ones = norm(torch.stack([signs, torch.zeros_like(signs), torch.ones_like(signs)])[None])[0].float()
    gain = ((out - zero) * signs.float()).clone()
    return gain, bool((ones - zero).abs().max() < 1e-3 * gain.abs().max().clamp(min=1e-6))
