"""Both measures of decoding, at a size that takes no time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from memstudio.bench.speed import decode_1_4b, decode_160m, decoding
from memstudio.bench.synthetic import AnchorShape, random_anchor, synthetic_bank
from memstudio.jobs import Job

SHAPE = AnchorShape(2, 64, 128, 4, 2, 16, 400)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    anchor = random_anchor(tmp_path / "anchor", SHAPE)
    bank = synthetic_bank(tmp_path / "bank", branching=(1, 1, 1), widths=(8, 4, 2), anchor=anchor, fill="random")

    @contextmanager
    def lent(name: str, widths: Sequence[int], branching: Sequence[int]) -> Iterator[Path]:
        yield bank

    for module in (decode_160m, decode_1_4b):
        monkeypatch.setattr(module, "lent_bank", lent)
        monkeypatch.setattr(module, "ROUNDS", 2)
    monkeypatch.setattr(decode_160m, "TOKENS", 4)
    monkeypatch.setattr(decode_1_4b, "TOKENS", 4)
    monkeypatch.setattr(decode_1_4b, "COPIED", 1 << 16)
    return bank


def test_decoding_is_measured_beside_generate_of_transformers(folder: Path) -> None:
    found = decode_160m.measure("cpu", Job("decode"))
    assert [each.detail["dtype"] for each in found] == ["float32", "bfloat16"]
    for each in found:
        assert each.ours > 0
        assert each.ratio == pytest.approx(each.ours / (each.peer or 0))
        assert each.limit is not None
        assert each.limit.value == 0.95


def test_decoding_is_measured_beside_the_bandwidth_of_a_copy(folder: Path) -> None:
    found = decode_1_4b.measure("cpu", Job("decode"))
    matrices = SHAPE.vocabulary * 64 + 2 * (2 * 64 * (4 + 2) * 16 + 3 * 64 * 128) + 2 * 3 * 64 * (8 + 4 + 2)
    assert [each.detail["matrices_bytes"] for each in found] == [4 * matrices, 2 * matrices]
    for each in found:
        assert each.ratio == pytest.approx(each.ours / (each.peer or 0))


def test_a_route_lies_in_the_slots_and_nothing_ends_the_text(folder: Path) -> None:
    with decoding.fetched(folder, "cpu", "float32") as arm:
        assert all(arm.attached.slots.filled(level) for level in (1, 2, 3))
        ids = decoding.words(arm.attached, 12)
        found = decoding.timed(arm.attached, ids, 40)
        assert (len(found.later), len(ids)) == (39, 12)
        assert min(found.first, found.each) > 0
