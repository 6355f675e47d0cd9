"""The bank in training: float32 rows a level, fetched a few at a time, with lazy Adam state for each row.

Only fetched rows get gradients and optimiser state; a row's bias correction counts its own steps, so a block
that is seldom fetched trains as one that is fetched often.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from memstudio.bank.layout import Layout

_BETA1, _BETA2, _EPSILON = 0.9, 0.95, 1e-8


def start(rows: Tensor, layout: Layout, generator: torch.Generator) -> None:
    """Fresh blocks in zeroed rows [rows, n]: gate and up truncated normal, down zero, so that the start changes nothing (method.md,
    Memory kinds)."""
    drawn = torch.empty_like(rows)
    nn.init.trunc_normal_(drawn, std=layout.hidden_size**-0.5, a=-1.0, b=1.0, generator=generator)
    for row, values in zip(rows, drawn, strict=True):
        for (gate, up, _), (g, u, _) in zip(layout.split(row), layout.split(values), strict=True):
            gate.copy_(g)
            up.copy_(u)


def adam(values: Tensor, mean: Tensor, square: Tensor, count: Tensor, gradient: Tensor, lr: float, decay: float = 0.0) -> Tensor:
    """`values` [U, n] after one Adam step, with decoupled weight decay; `mean` and `square` are updated in place, `count` [U, 1] is each
    row's number of steps, this one among them."""
    mean.lerp_(gradient, 1 - _BETA1)
    square.lerp_(gradient * gradient, 1 - _BETA2)
    root = (square / (1 - _BETA2**count)).sqrt_().add_(_EPSILON)
    return values * (1 - lr * decay) - lr * (mean / (1 - _BETA1**count)) / root


class Rows(Protocol):
    """All blocks of one level, wherever they lie."""

    layout: Layout

    def read(self, which: Tensor) -> Tensor:
        """The rows `which` [U], copied: [U, n]."""
        ...

    def step(self, which: Tensor, values: Tensor, gradient: Tensor, lr: float) -> None:
        """One Adam step on the rows `which` [U], whose fetched values were `values` [U, n]."""
        ...


class LevelRows:
    """All blocks of one level: rows float32 [clusters + 1, n], the generic block last, with their Adam moments."""

    def __init__(self, clusters: int, layout: Layout, generator: torch.Generator) -> None:
        self.layout = layout
        self.rows = torch.zeros(clusters + 1, layout.n)
        self.mean = torch.zeros_like(self.rows)
        self.square = torch.zeros_like(self.rows)
        self.steps = torch.zeros(clusters + 1)
        start(self.rows, layout, generator)

    def read(self, which: Tensor) -> Tensor:
        """The rows `which` [U], copied: [U, n]."""
        return self.rows[which]

    def step(self, which: Tensor, values: Tensor, gradient: Tensor, lr: float) -> None:
        """One Adam step on the rows `which` [U], whose fetched values were `values` [U, n]."""
        self.steps[which] += 1
        mean, square = self.mean[which], self.square[which]
        self.rows[which] = adam(values, mean, square, self.steps[which, None], gradient, lr)
        self.mean[which], self.square[which] = mean, square

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

    level: Rows
    which: Tensor
    values: Tensor
    of_group: Tensor

    @classmethod
    def take(cls, level: Rows, rows: list[int], device: str = "cpu") -> "Fetched":
        which, of_group = torch.unique(torch.tensor(rows), return_inverse=True)
        return cls(level, which, level.read(which).to(device).requires_grad_(), of_group.to(device))

    def learn(self, lr: float) -> None:
        """Step on the gradients that a backward pass left."""
        gradient = self.values.grad
        if gradient is not None:
            self.level.step(self.which, self.values.detach().cpu(), gradient.cpu(), lr)


Weights = tuple[Tensor, Tensor, Tensor]
Activation = Callable[[Tensor], Tensor]


def grouped(fetched: list[Fetched]) -> list[list[Weights]]:
    """Per memory layer, per level: gate, up, down [G, r, d], a group each; [1, r, d] where all groups share one block."""
    levels = [_layers(item) for item in fetched]
    return [list(layer) for layer in zip(*levels, strict=True)]


def _layers(item: Fetched) -> list[Weights]:
    """The row format of one level: layer after layer gate, up, down [r, d]."""
    layout, out, at = item.level.layout, [], 0
    for width in layout.widths:
        size = width * layout.hidden_size
        block = item.values[:, at : at + 3 * size].view(-1, 3, width, layout.hidden_size)
        gate, up, down = (block if len(block) == 1 else block[item.of_group]).unbind(1)
        out.append((gate, up, down))
        at += 3 * size
    return out


@contextmanager
def attached(mlps: list[nn.Module], weights: list[list[Weights]], activation: Activation) -> Iterator[None]:
    """Add each layer's grouped memory to its MLP's output for the time of the block; without weights, nothing.

    x [B, T, d] is split into G equal groups of rows; for each level y += down^T(act(x gate^T) ⊙ (x up^T)), in the dtype of x.
    """

    def hook(layer: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            x, total = inputs[0], output
            for gate, up, down in weights[layer]:
                if not gate.shape[1]:
                    continue
                gate, up, down = gate.to(x.dtype), up.to(x.dtype), down.to(x.dtype)
                if len(gate) == 1:
                    added = (activation(x @ gate[0].T) * (x @ up[0].T)) @ down[0]
                else:
                    rows = x.reshape(len(gate), -1, x.shape[-1])
                    added = ((activation(rows @ gate.transpose(1, 2)) * (rows @ up.transpose(1, 2))) @ down).reshape(output.shape)
                total = total + added
            return total

        return add

    handles = [mlp.register_forward_hook(hook(layer)) for layer, mlp in enumerate(mlps[: len(weights)])]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
