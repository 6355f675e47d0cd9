"""Products on the CPU that torch has a slow way for; what is computed here agrees with the library's own within rounding.

One row: in bfloat16 the product of two matrices that torch takes for a linear layer packs the whole matrix anew for each row, which takes
a third longer than reading it, and a product of matrix and vector does not. In float32 the BLAS behind torch reads a large matrix with
one core on some processors, oneDNN with all.

Few rows in float32: on processors with AVX2 and no more the BLAS takes up to twice as long for them as for the same product turned round,
matrix by columns.

More rows in bfloat16: a processor without instructions for it takes four times as long as for the same in float32, and up to a hundred
times through a down projection, whose matrix lies the other way round than a linear layer's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HAS_BFLOAT16 = bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())
"""Whether this processor has instructions for bfloat16, and torch a way to them."""
_TURNS = torch.backends.cpu.get_cpu_capability() == "AVX2"
_LARGE = 1 << 18
"""Numbers of a float32 matrix from which oneDNN is worth its call."""
_FEW = 128
"""Rows up to which a float32 product is turned round where that is faster."""
_SEVERAL = 4
"""Rows from which a matrix is worth being taken to float32, at most `_PART` numbers of it at a time: they stay in the processor's cache."""
_PART = 1 << 20


class Linears:
    """The linear layers of a model, which compute so inside `acting` and as the library does outside."""

    def __init__(self, model: nn.Module) -> None:
        self.on = False
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = _Linear
                module.__dict__["linears"] = self

    @contextmanager
    def acting(self) -> Iterator[None]:
        """`linear` in place of the library's own."""
        self.on = True
        try:
            yield
        finally:
            self.on = False


class _Linear(nn.Linear):
    linears: Linears

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the library's own name
        return linear(input, self.weight, self.bias) if self.linears.on else F.linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x [..., into] through weight [out, into]: [..., out], on the CPU."""
    rows = x.numel() // x.shape[-1]
    if rows == 1:
        return _of_one_row(x, weight, bias)
    columns = x.reshape(rows, -1).t()
    if rows >= _SEVERAL and weight.dtype == torch.bfloat16 and not HAS_BFLOAT16:
        columns, parts = columns.float(), torch.split(weight, max(1, _PART // x.shape[-1]))
        turned = torch.cat([torch.mm(part.float(), columns) for part in parts])  # [out, rows]
    elif rows <= _FEW and weight.dtype == torch.float32 and _TURNS:
        turned = torch.mm(weight, columns)
    else:
        return F.linear(x, weight, bias)
    if bias is not None:
        turned = turned + bias[:, None]
    return turned.to(x.dtype).t().contiguous().view(*x.shape[:-1], -1)


def _of_one_row(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
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
    if weight.dtype == torch.bfloat16 and not HAS_BFLOAT16:
        return total + product(x, weight)
    return torch.addmm(total, x, weight)


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x [..., n, into] through weight [..., into, out]: [..., n, out], in the dtype of x, by way of float32 where that is faster."""
    if x.device.type == "cpu" and x.dtype == torch.bfloat16 and not HAS_BFLOAT16:
        return (x.float() @ weight.float()).to(x.dtype)
    return x @ weight
