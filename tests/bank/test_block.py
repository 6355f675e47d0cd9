"""Rows of blocks: packing is exact, digests tell bit-different rows apart, integer codes stay within half a step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memstudio.bank.block import Layout, block_digest, dequantise, pack, quantise, scales_of


@given(st.integers(1, 6), st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_packing_undoes_splitting(hidden_size: int, widths: list[int]) -> None:
    layout = Layout(hidden_size, tuple(widths))
    row = torch.arange(float(layout.n))
    parts = layout.split(row)
    assert [tuple(gate.shape) for gate, _, _ in parts] == [(r, hidden_size) for r in widths]
    assert torch.equal(pack(parts), row)


def test_a_row_holds_layer_after_layer_gate_up_down_memory_neuron_first() -> None:
    parts = Layout(2, (1, 2)).split(torch.arange(18.0))
    assert parts[0][0].tolist() == [[0, 1]]
    assert parts[0][2].tolist() == [[4, 5]]
    assert parts[1][0].tolist() == [[6, 7], [8, 9]]
    assert parts[1][1].tolist() == [[10, 11], [12, 13]]


def test_the_parts_are_views_of_the_row() -> None:
    row = torch.zeros(18)
    Layout(2, (1, 2)).split(row)[1][2].fill_(1)
    assert row[14:].tolist() == [1, 1, 1, 1]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[18\]"):
        Layout(2, (1, 2)).split(torch.zeros(17))


def test_digests_go_by_dtype_shape_and_bits() -> None:
    row = torch.tensor([0.0, 1.0, 2.0, 3.0])
    others = [row.bfloat16(), row.half(), row.view(2, 2), torch.tensor([-0.0, 1.0, 2.0, 3.0]), row.view(torch.int32)]
    assert len({block_digest(other) for other in [row, *others]}) == 6
    assert block_digest(row) == block_digest(row.clone().requires_grad_())
    assert block_digest(torch.stack([row, row], 1)[:, 0]) == block_digest(row)
    assert block_digest(torch.zeros(0)) != block_digest(torch.zeros(0).half())


def test_a_digest_is_the_sha256_that_the_format_says() -> None:
    import hashlib

    row = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    assert block_digest(row) == hashlib.sha256(b"bfloat16\x002\x00" + bytes.fromhex("c03f00c0")).hexdigest()


@pytest.mark.parametrize(("bits", "top"), [(8, 127), (4, 7)])
@given(seed=st.integers(0, 1000), vectors=st.integers(1, 5), hidden_size=st.integers(1, 7))
def test_integer_codes_stay_within_half_a_step(bits: int, top: int, seed: int, vectors: int, hidden_size: int) -> None:
    rows = torch.randn(3, vectors * hidden_size, generator=torch.Generator().manual_seed(seed))
    rows[0] = 0
    codes, scales = quantise(rows, hidden_size, bits)
    n = vectors * hidden_size
    assert codes.shape == (3, n if bits == 8 else (n + 1) // 2)
    for at in range(3):
        back = dequantise(codes[at], scales[at], hidden_size, bits)
        assert back.shape == (n,)
        error = (back - rows[at]).abs().view(vectors, hidden_size)
        assert bool((error <= scales[at].unsqueeze(1) * 0.5001).all())
    assert torch.allclose(scales[1], rows[1].view(vectors, hidden_size).abs().amax(1) / top)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("bits", "top", "zero"), [(8, 127, 128), (4, 7, 8)])
@pytest.mark.parametrize(("rows", "vectors", "hidden_size"), [(5, 7, 3), (3, 700, 256), (2, 1, 200_001), (1, 50_000, 7)])
def test_codes_are_those_of_the_formula_however_many_there_are(
    dtype: torch.dtype, bits: int, top: int, zero: int, rows: int, vectors: int, hidden_size: int
) -> None:
    numbers = torch.randn(rows, vectors * hidden_size, generator=torch.Generator().manual_seed(7)).to(dtype)
    numbers[0, :hidden_size] = -0.0
    numbers[-1, -hidden_size:] = numbers[-1, -hidden_size:] * 1e-38  # too small for a scale of all their digits
    each = numbers.float().view(rows, vectors, hidden_size)
    scales = each.abs().amax(-1) / top
    steps = torch.where(scales > 0, scales, torch.ones_like(scales)).unsqueeze(-1)
    expected = ((each / steps).round().clamp(-top, top) + zero).to(torch.uint8).view(rows, -1)
    if bits == 4:
        padded = torch.cat([expected, torch.full((rows, expected.shape[1] % 2), zero, dtype=torch.uint8)], 1)
        expected = padded[:, 0::2] + 16 * padded[:, 1::2]
    codes, found = quantise(numbers, hidden_size, bits)
    assert torch.equal(codes, expected)
    assert torch.equal(found.view(torch.int32), scales.view(torch.int32)), "the bits, a zero's sign too"
    assert torch.equal(scales_of(numbers, hidden_size, bits), found)


def test_4_bit_codes_lie_low_nibble_first() -> None:
    codes, scales = quantise(torch.tensor([[7.0, -7.0, 1.0]]), 3, 4)
    assert scales.tolist() == [[1.0]]
    assert codes.tolist() == [[15 | (1 << 4), 9 | (8 << 4)]]
