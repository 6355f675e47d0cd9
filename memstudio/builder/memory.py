"""The bank in training: float32 rows a level, fetched a few at a time, with lazy Adam state for each row.

Only fetched rows get gradients and optimiser state; a row's bias correction counts its own steps, so a block
that is seldom fetched trains as one that is fetched often.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from memstudio.bank.layout import Layout

_BETA1, _BETA2, _EPSILON = 0.9, 0.95, 1e-8


class LevelRows:
    """All blocks of one level: rows float32 [clusters + 1, n], the generic block last, with their Adam moments."""

    def __init__(self, clusters: int, layout: Layout, generator: torch.Generator) -> None:
        self.layout = layout
        self.rows = torch.zeros(clusters + 1, layout.n)
        self.mean = torch.zeros_like(self.rows)
        self.square = torch.zeros_like(self.rows)
        self.steps = torch.zeros(clusters + 1)
        # method.md, Memory kinds: gate and up truncated normal, down zero, so that the start changes nothing.
        start = torch.empty_like(self.rows)
        nn.init.trunc_normal_(start, std=layout.hidden_size**-0.5, a=-1.0, b=1.0, generator=generator)
        for row, values in zip(self.rows, start, strict=True):
            for (gate, up, _), (g, u, _) in zip(layout.split(row), layout.split(values), strict=True):
                gate.copy_(g)
                up.copy_(u)

    def step(self, which: Tensor, values: Tensor, gradient: Tensor, lr: float) -> None:
        """One Adam step on the rows `which` [U], whose fetched values were `values` [U, n]."""
        self.steps[which] += 1
        mean = self.mean[which].lerp_(gradient, 1 - _BETA1)
        square = self.square[which].lerp_(gradient * gradient, 1 - _BETA2)
        self.mean[which], self.square[which] = mean, square
        count = self.steps[which, None]
        root = (square / (1 - _BETA2**count)).sqrt_().add_(_EPSILON)
        self.rows[which] = values - lr * (mean / (1 - _BETA1**count)) / root

    def state(self, level: int) -> dict[str, Tensor]:
        """Everything that a resumed training needs, by name."""
        return {f"{name}.{level}": getattr(self, name) for name in ("rows", "mean", "square", "steps")}

    def restore(self, level: int, state: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for name in ("rows", "mean", "square", "steps"):
            getattr(self, name).copy_(state[f"{name}.{level}"])


@dataclass
class Fetched:
    """The rows of one step: values [U, n] with gradients, which rows they are, and each group's row among them [G]."""

    level: LevelRows
    which: Tensor
    values: Tensor
    of_group: Tensor

    @classmethod
    def take(cls, level: LevelRows, rows: list[int]) -> "Fetched":
        which, of_group = torch.unique(torch.tensor(rows), return_inverse=True)
        return cls(level, which, level.rows[which].requires_grad_(), of_group)

    def learn(self, lr: float) -> None:
        """Step on the gradients that a backward pass left."""
        gradient = self.values.grad
        if gradient is not None:
            self.level.step(self.which, self.values.detach(), gradient, lr)


Weights = tuple[Tensor, Tensor, Tensor]
Activation = Callable[[Tensor], Tensor]


def grouped(fetched: list[Fetched]) -> list[Weights]:
    """Per memory layer gate, up, down [G, r, d], the levels side by side."""
    levels = [_layers(item) for item in fetched]
    side_by_side = []
    for layer in zip(*levels, strict=True):
        gates, ups, downs = zip(*layer, strict=True)
        side_by_side.append((torch.cat(gates, 1), torch.cat(ups, 1), torch.cat(downs, 1)))
    return side_by_side


def _layers(item: Fetched) -> list[Weights]:
    """The row format of one level: layer after layer gate, up, down [r, d]."""
    layout, out, at = item.level.layout, [], 0
    for width in layout.widths:
        size = width * layout.hidden_size
        gate, up, down = item.values[:, at : at + 3 * size].view(-1, 3, width, layout.hidden_size)[item.of_group].unbind(1)
        out.append((gate, up, down))
        at += 3 * size
    return out


@contextmanager
def attached(mlps: list[nn.Module], weights: list[Weights], activation: Activation) -> Iterator[None]:
    """Add each layer's grouped memory to its MLP's output for the time of the block; without weights, nothing.

    x [B, T, d] is split into G equal groups of rows; y += down^T(act(x gate^T) ⊙ (x up^T)).
    """

    def hook(layer: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        gate, up, down = weights[layer]

        def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            x = inputs[0].reshape(gate.shape[0], -1, gate.shape[2])
            hidden = activation(x @ gate.transpose(1, 2)) * (x @ up.transpose(1, 2))
            return output + (hidden @ down).reshape(output.shape)

        return add

    handles = [mlp.register_forward_hook(hook(layer)) for layer, mlp in enumerate(mlps[: len(weights)])]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
