"""Products by a faster way: one row by itself only where it is asked for; all of them within rounding."""

import pytest
import torch
from torch import nn

from memstudio.anchor.attach import Attached
from memstudio.anchor.load import load_anchor
from memstudio.anchor.past import reserved
from memstudio.anchor.products import Linears, plus, product
from memstudio.anchor.slots import Slots
from memstudio.bank.bank import Bank
from tests.anchor.conftest import fetch


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("dtype", "out"), [(torch.bfloat16, 48), (torch.float32, 48), (torch.float32, 1 << 13)])
def test_a_linear_layer_is_the_same_within_rounding_and_the_librarys_own_where_nothing_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, slow: bool, bias: bool, dtype: torch.dtype, out: int
) -> None:
    monkeypatch.setattr("memstudio.anchor.products.HAS_BFLOAT16", not slow)
    monkeypatch.setattr("memstudio.anchor.products._TURNS", slow)
    monkeypatch.setattr("memstudio.anchor.products._FEW", 5)
    monkeypatch.setattr("memstudio.anchor.products._PART", 64 * 20)  # a matrix in several parts
    torch.manual_seed(0)
    layer = nn.Linear(64, out, bias=bias, dtype=dtype)
    single, given = Linears(nn.Sequential(layer)), [torch.randn(*shape, 64, dtype=dtype) for shape in ((1, 1), (2, 1), (1, 4), (2, 3))]
    for x in given:
        plain = nn.functional.linear(x, layer.weight, layer.bias)
        assert torch.equal(layer(x), plain)
        with single.acting():
            found = layer(x)
        assert found.shape == plain.shape
        torch.testing.assert_close(found, plain)
        assert found.is_contiguous()
        rows = x.shape[0] * x.shape[1]
        own = rows > 1 if not slow else (rows > 5 if dtype == torch.float32 else 1 < rows < 4)
        assert torch.equal(found, plain) or not own
        assert torch.equal(layer(x), plain)
    assert isinstance(layer, nn.Linear)
    assert list(layer.state_dict()) == (["weight", "bias"] if bias else ["weight"])


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(("rows", "into"), [(1, 1), (1, 16), (1, 256), (5, 16)])
def test_what_a_matrix_adds_is_the_same_within_rounding(
    monkeypatch: pytest.MonkeyPatch, slow: bool, dtype: torch.dtype, rows: int, into: int
) -> None:
    monkeypatch.setattr("memstudio.anchor.products.HAS_BFLOAT16", not slow)
    torch.manual_seed(0)
    total, x, weight = (torch.randn(*shape, dtype=dtype) for shape in ((rows, 64), (rows, into), (into, 64)))
    before = total.clone()
    found, exact = plus(total, x, weight), total.double() + x.double() @ weight.double()
    assert found.shape == (rows, 64)
    assert torch.equal(total, before)
    rounding = max(torch.finfo(dtype).eps, 1e-6) * float(exact.abs().max())
    torch.testing.assert_close(found.double(), exact, atol=rounding, rtol=0)
    for several in (product(x, weight), product(x[None], weight)[0], product(x[None], weight[None])[0]):
        assert several.dtype == dtype
        torch.testing.assert_close(several.double(), x.double() @ weight.double(), atol=rounding, rtol=0)


def test_a_run_in_bfloat16_agrees_with_the_reference_path_within_its_rounding(bank: Bank) -> None:
    anchor = load_anchor(bank.anchor_dir(), device="cpu", dtype="bfloat16")
    attached = Attached(anchor, Slots(bank.layouts, dtype=torch.bfloat16), bank.manifest.layers)
    fetch(attached, bank)
    ids = anchor.encode("The atomic number of gold is 79 and the atomic number of silver is")
    cache = reserved(anchor.model.config)
    with torch.inference_mode():
        whole = attached.forward(torch.tensor([ids]))[0]
        parts = [attached.forward(torch.tensor([part]), past=cache)[0] for part in [ids[:2], *([token] for token in ids[2:])]]
    scale = float(whole.float().abs().max())
    torch.testing.assert_close(torch.cat(parts), whole, atol=0.02 * scale, rtol=0)
    assert anchor.linears is not None
    assert not anchor.linears.on
    attached.detach()
