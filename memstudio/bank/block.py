"""The tensors of one cluster: packing, digests, and the integer formats a bank may be stored in."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memstudio.bank.layout import Layout
from memstudio.bank.manifest import Dtype
from memstudio.bank.rows import Stored, Stretch

__all__ = ["FLOAT_DTYPES", "Layout", "bits_of", "block_digest", "dequantise", "numbers", "pack", "quantise", "scales_of"]

FLOAT_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""The torch dtype of each float dtype a manifest may name. Integer banks are read as float32."""
_AT_ONCE = 1 << 16
"""Numbers that are quantised together: 256 KiB as float32."""


def pack(parts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """The row [n] of one block from its (gate [r, d], up [r, d], down [r, d]) of each layer: the inverse of `Layout.split`."""
    return torch.cat([tensor.reshape(-1) for triple in parts for tensor in triple])


def block_digest(row: Tensor) -> str:
    """sha256 (hex) over dtype name, shape and raw bytes: two rows share it exactly when they are bit-identical.

    The bytes are the machine's, and every machine that torch ships for is little-endian.
    """
    flat = row.detach().cpu().contiguous()
    name = str(flat.dtype).removeprefix("torch.")
    shape = ",".join(str(side) for side in flat.shape)
    digest = hashlib.sha256(f"{name}\0{shape}\0".encode())
    digest.update(flat.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def quantise(rows: Tensor, hidden_size: int, bits: int) -> tuple[Tensor, Tensor]:
    """Symmetric integer codes of rows [rows, n], one scale a memory vector (`hidden_size` numbers).

    A code c stands for (c − zero) · scale, zero = 128 for 8 bits and 8 for 4 bits; 4-bit codes lie two in a byte, low nibble first
    (an odd last one is padded with zero).

    Returns:
        codes uint8 [rows, n] or [rows, ⌈n/2⌉], scales float32 [rows, n / hidden_size].
    """
    top, zero = _range(bits)
    vectors = rows.detach().cpu().reshape(-1, hidden_size)
    codes, scales = np.empty(vectors.shape, np.uint8), np.empty((len(vectors), 1), np.float32)
    with np.errstate(invalid="ignore"):  # what is not finite has no code that says so
        for at, numbers in _parts(vectors):
            scales[at] = _scales(numbers, top)
            numbers /= np.where(scales[at] > 0, scales[at], np.float32(1))
            np.rint(numbers, out=numbers)
            np.clip(numbers, -top, top, out=numbers)
            numbers += zero
            codes[at] = numbers
    codes = codes.reshape(rows.shape[0], -1)
    if bits == 4:
        if codes.shape[1] % 2:
            codes = np.pad(codes, ((0, 0), (0, 1)), constant_values=zero)
        pairs = codes.view("<u2")
        codes = (pairs | pairs >> 4).astype(np.uint8)
    return torch.from_numpy(codes), torch.from_numpy(scales).view(rows.shape[0], -1)


def scales_of(rows: Tensor, hidden_size: int, bits: int) -> Tensor:
    """The scales alone that `quantise` gives rows [rows, n]: float32 [rows, n / hidden_size]."""
    top, _ = _range(bits)
    vectors = rows.detach().cpu().reshape(-1, hidden_size)
    scales = np.empty((len(vectors), 1), np.float32)
    for at, numbers in _parts(vectors):
        scales[at] = _scales(numbers, top)
    return torch.from_numpy(scales).view(rows.shape[0], -1)


def _parts(vectors: Tensor) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Some rows at a time as float32, few enough to stay in a processor's cache, and where they stand. The array is used again.

    numpy goes through them in the thread that asks. torch would share each pass out between its own threads, which costs more than the
    pass, and on a busy machine more by far.
    """
    halves = vectors.dtype == torch.bfloat16  # the upper ones of float32, which numpy has no name for
    stored: NDArray[np.generic] = vectors.view(torch.int16).numpy().view(np.uint16) if halves else vectors.numpy()
    at_once = max(1, _AT_ONCE // stored.shape[1])
    into = np.empty((at_once, stored.shape[1]), np.float32)
    for first in range(0, len(stored), at_once):
        part = stored[first : first + at_once]
        numbers = into[: len(part)]
        if halves:
            np.left_shift(part, 16, out=numbers.view(np.uint32), dtype=np.uint32)
        else:
            numbers[:] = part
        yield slice(first, first + len(part)), numbers


def _scales(numbers: NDArray[np.float32], top: int) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.abs(numbers).max(1, keepdims=True) / np.float32(top)
    return found


def numbers(stored: Stored, hidden_size: int) -> Tensor:
    """A stored block's row [n], read into a new tensor: in the dtype it is stored in, or float32 where codes are.

    Raises:
        UserError: as `TensorFile.read_into`.
    """
    found = _read(stored.numbers)
    if stored.scales is None:
        return found.view(FLOAT_DTYPES[stored.dtype])
    return dequantise(found, _read(stored.scales).view(torch.float32), hidden_size, bits_of(stored.dtype))


def bits_of(dtype: Dtype) -> int:
    """Bits of a code."""
    return 8 if dtype == "int8" else 4


def _read(stretch: Stretch) -> Tensor:
    found = torch.empty(stretch.bytes, dtype=torch.uint8)
    stretch.read_into(found.numpy().data)
    return found


def dequantise(codes: Tensor, scales: Tensor, hidden_size: int, bits: int) -> Tensor:
    """One row [n] in float32 from its codes uint8 [n or ⌈n/2⌉] and scales float32 [vectors]; the inverse of `quantise`."""
    _, zero = _range(bits)
    if bits == 4:
        codes = torch.stack([codes & 15, codes >> 4], 1).reshape(-1)[: scales.shape[0] * hidden_size]
    return ((codes.float() - zero).reshape(-1, hidden_size) * scales.unsqueeze(-1)).reshape(-1)


def _range(bits: int) -> tuple[int, int]:
    """Largest step away from zero, and the code of zero."""
    if bits not in (4, 8):
        raise ValueError(f"{bits} bits: 8 or 4")
    return (127, 128) if bits == 8 else (7, 8)
