"""What a bank's size costs is measured on real banks: holes where nothing is read, numbers where blocks are fetched and edited."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId
from memstudio.bench.speed import one_bank, size
from memstudio.bench.speed.resident import resident
from memstudio.bench.synthetic import SHAPES, synthetic_bank
from tests.standin import use_tiny_encoder

LEAVES = [ClusterId(3, 0), ClusterId(3, 17), ClusterId(3, 31)]


@pytest.fixture
def holes(tmp_path: Path) -> Path:
    return synthetic_bank(tmp_path / "bank", branching=(2, 4, 4), widths=(3, 2, 1), layers=2, hidden=64)


def test_only_the_blocks_of_the_routes_are_written(holes: Path) -> None:
    assert size.fill_routes(holes, LEAVES) == LEAVES
    bank = open_bank(holes)
    written = {cluster for leaf in LEAVES for cluster in bank.tree.route_to(leaf)}
    for level in (1, 2, 3):
        for index in range(bank.tree.count(level)):
            block = bank.block(ClusterId(level, index)).float()
            assert bool(block.any()) == (ClusterId(level, index) in written)
            assert bool(block.isfinite().all())
            assert not block.any() or block.std().item() == pytest.approx(0.02, rel=0.3)


def test_a_bank_is_measured_through_and_its_study_goes(holes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_encoder(monkeypatch)
    size.fill_routes(holes, LEAVES)
    before = (holes / "bank.json").read_bytes()
    found = one_bank.measured("cpu", holes, LEAVES)
    assert all(found[name] > 0 for name in (*size._DEEDS, "copy"))
    assert found["edits"] == 1 + 3 * one_bank.EDITS, "the bank as shipped, and prunes, scales and rewrites"
    assert set(found["opened"]) == set(found["ran"]) == {"own_bytes", "mapped_bytes", "all_bytes", "files"}
    assert (holes / "bank.json").read_bytes() == before


def test_the_largest_stands_beside_the_smallest() -> None:
    one = {"opened": {}, "loaded": {}, "ran": {"mapped_bytes": 2e6}, **dict.fromkeys(size._DEEDS, 4.0)}
    for name in size._STANDS:
        one[name] = {**one[name], "own_bytes": 3e6}
    rounds = {name: [one, {**one, "fetch": 8.0}, {**one, "fetch": 6.0}] for name in size.SIZES}
    rounds["21.1b"] = [{**one, "fetch": 9.0}] * 3
    figures = {each.what: each for each in size._against_size(rounds)}
    fetch = figures["fetch a route"]
    assert (fetch.ours, fetch.peer, fetch.ratio) == (9.0, 4.0, 2.25)
    assert fetch.detail["values"] == [4.0, 4.0, 4.0, 9.0]
    assert fetch.detail["billions"] == pytest.approx([0.02, 0.2, 2, 21.1], rel=0.06)
    assert figures["memory once it is open"].ours == 3.0


def test_the_four_banks_differ_in_their_trees_alone() -> None:
    shapes = [SHAPES[name] for name in size.SIZES]
    assert len({(shape.widths, shape.layers, shape.hidden) for shape in shapes}) == 1
    assert [shape.parameters for shape in shapes] == sorted(shape.parameters for shape in shapes)


def test_what_a_process_takes_is_counted(tmp_path: Path) -> None:
    before = resident()
    # pages that nobody had: an array may lie where an earlier one lay, and costs nothing then
    with (tmp_path / "file").open("wb"), mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        np.frombuffer(held, np.uint8)[:] = 1
        now = resident()
    assert now.files == before.files + 1
    assert now.own_bytes - before.own_bytes > (64 << 20) * 0.9
    assert now.all_bytes == pytest.approx(now.own_bytes + now.mapped_bytes, abs=8 << 20)
    assert resident().files == before.files
