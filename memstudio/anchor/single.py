"""Products on the CPU that torch has a slow way for.

One row goes through a matrix as fast as the matrix is read.

In bfloat16 the product of two matrices that torch takes for a linear layer packs the whole matrix anew for each row, which takes a third
longer than reading it: a product of matrix and vector does not. In float32 the BLAS behind torch reads a large matrix with one core on
some processors, oneDNN with all. Where it is not asked for, and for more rows than one, a linear layer is the library's own.

More rows through a down projection: a processor without instructions for bfloat16 takes up to a hundred times as long for it as for the
same in float32, since the matrix lies the other way round than a linear layer's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOW_16_BIT = not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())
"""Whether this processor has no instructions for bfloat16, or torch no way to them."""
_LARGE = 1 << 18
"""Numbers of a float32 matrix from which oneDNN is worth its call."""


class SingleRow:
    """The linear layers of a model, which compute so inside `acting`."""

    def __init__(self, model: nn.Module) -> None:
        self.on = False
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = _Linear
                module.__dict__["single"] = self

    @contextmanager
    def acting(self) -> Iterator[None]:
        """A single row is computed as a vector; it agrees with the library's own within rounding."""
        self.on = True
        try:
            yield
        finally:
            self.on = False


class _Linear(nn.Linear):
    single: SingleRow

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the library's own name
        return linear(input, self.weight, self.bias) if self.single.on else F.linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x [..., into] through weight [out, into]: [..., out], as a vector where it is a single row."""
    if x.numel() != x.shape[-1]:
        return F.linear(x, weight, bias)
    if weight.dtype == torch.float32:
        if weight.numel() < _LARGE:
            return F.linear(x, weight, bias)
        wide: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return wide
    vector = x.reshape(-1)
    out = torch.mv(weight, vector) if bias is None else torch.addmv(bias, weight, vector)
    return out.view(*x.shape[:-1], -1)


def plus(total: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """total [n, out] and x [n, into] through weight [into, out]: [n, out], on the CPU."""
    if weight.dtype == torch.bfloat16 and len(x) == 1:
        return torch.addmv(total.view(-1), weight.t(), x.view(-1)).view_as(total)
    if weight.dtype == torch.bfloat16 and _SLOW_16_BIT:
        return total + product(x, weight)
    return torch.addmm(total, x, weight)


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x [..., n, into] through weight [..., into, out]: [..., n, out], in the dtype of x, by way of float32 where that is faster."""
    if x.device.type == "cpu" and x.dtype == torch.bfloat16 and _SLOW_16_BIT:
        return (x.float() @ weight.float()).to(x.dtype)
    return x @ weight
