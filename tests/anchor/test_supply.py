"""Blocks come to a device bit for bit as they are stored, are cached where that pays, and a file that goes in between is one clear line."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from torch import Tensor

from memstudio.anchor.arm import Arm
from memstudio.anchor.budget import route_bytes
from memstudio.anchor.cache import BlockCache
from memstudio.anchor.load import load_anchor
from memstudio.anchor.staging import Staging
from memstudio.anchor.supply import Supply, usual_budget
from memstudio.anchor.wish import Wish
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import FLOAT_DTYPES
from memstudio.bank.values import BlockState, ClusterId
from memstudio.errors import UserError
from tests.tiny import make_bank

LEAF = ClusterId(3, 5)
PATH = (ClusterId(1, 0), ClusterId(2, 1), LEAF)


def no_blob(sha256: str) -> Tensor:
    raise AssertionError(f"blob {sha256} was read")


@pytest.fixture(scope="module", params=["float32", "bfloat16", "float16", "int8", "int4"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return open_bank(make_bank(tmp_path_factory.mktemp(request.param) / "bank", dtype=request.param))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("piece_bytes", "pieces"), [(None, None), (256, 1), (136, 3)])
def test_a_row_arrives_as_it_is_stored(stored: Bank, dtype: str, piece_bytes: int | None, pieces: int | None) -> None:
    staging = Staging("cpu", piece_bytes, pieces)
    for cluster in (*PATH, ClusterId(3, 27)):
        into = torch.full((stored.layouts[cluster.level - 1].n,), 7.0, dtype=FLOAT_DTYPES[dtype])
        staging.pour(stored.stored(cluster), stored.manifest.hidden_size, into)
        block = stored.generic(3) if cluster.index == 27 else stored.block(cluster)
        assert torch.equal(into, block.to(into.dtype))


def test_a_row_of_its_own_dtype_takes_no_memory_on_the_way_and_any_other_gives_it_back(tiny_bank: Path) -> None:
    bank, staging = open_bank(tiny_bank), Staging("cpu")
    n = bank.layouts[2].n
    staging.pour(bank.stored(LEAF), bank.manifest.hidden_size, torch.empty(n))
    assert staging.bytes == 0
    staging.pour(bank.stored(LEAF), bank.manifest.hidden_size, torch.empty(n, dtype=torch.float16))
    assert staging.bytes == n * 4
    staging.free()
    assert staging.bytes == 0


def test_what_was_not_asked_for_longest_makes_room() -> None:
    cache, keys = BlockCache(24), [(ClusterId(1, at), "base") for at in range(4)]
    rows = [torch.full((2,), float(at)) for at in range(4)]
    for key, row in zip(keys[:3], rows, strict=False):
        cache.put(key, row)
    assert cache.get(keys[0]) is rows[0]
    cache.put(keys[3], rows[3])
    assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
    cache.put((ClusterId(1, 9), "base"), torch.zeros(7))  # larger than all
    figures = cache.figures
    assert (figures.blocks, figures.bytes, figures.hits, figures.misses, figures.evicted) == (3, 24, 4, 1, 1)
    cache.put(keys[3], torch.zeros(1))
    assert cache.figures.bytes == 20
    cache.clear()
    assert (cache.figures.blocks, cache.figures.bytes) == (0, 0)


def test_a_block_in_use_outlives_its_eviction(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", dtype="int8"))
    supply = Supply(bank, "cpu", "float32", route_bytes(bank, "float32"))
    row = supply.row((LEAF, "base"), no_blob)
    for index in range(27):
        supply.row((ClusterId(3, index), "base"), no_blob)
    assert supply.cached.evicted > 20
    assert torch.equal(row, bank.block(LEAF))


def test_on_the_cpu_only_what_costs_more_than_a_read_is_cached(tiny_bank: Path, tmp_path: Path) -> None:
    plain = Supply(open_bank(tiny_bank), "cpu", "float32")
    into = torch.empty(plain.bank.layouts[2].n)
    plain.put((LEAF, "base"), no_blob, into)
    plain.put((LEAF, "base"), no_blob, into)
    assert (plain.cached.blocks, plain.cached.misses, plain.read_bytes) == (0, 0, 2 * into.nbytes)
    asked: list[str] = []

    def blob(sha256: str) -> Tensor:
        asked.append(sha256)
        return torch.full_like(into, 3.0)

    for _ in range(2):
        plain.put((LEAF, "a" * 64), blob, into)
        assert torch.equal(into, torch.full_like(into, 3.0))
    assert (asked, plain.cached.hits, plain.cached.misses) == (["a" * 64], 1, 1)
    codes = Supply(open_bank(make_bank(tmp_path / "bank", dtype="int4")), "cpu", "float32")
    for _ in range(3):
        codes.put((LEAF, "base"), no_blob, into)
        assert torch.equal(into, codes.bank.block(LEAF))
    assert (codes.cached.hits, codes.cached.misses) == (2, 1)
    codes.free()
    assert (codes.cached.blocks, codes.staging_bytes) == (0, 0)


def test_a_blob_is_copied_so_that_whoever_made_it_may_go_on_writing(tiny_bank: Path) -> None:
    supply = Supply(open_bank(tiny_bank), "cpu", "float32")
    draft = torch.ones(supply.bank.layouts[2].n)
    first = supply.row((LEAF, "a" * 64), lambda _: draft)
    draft.zero_()
    assert bool((first == 1).all())


def test_a_scaled_row_leaves_the_cached_one_as_it_is(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", dtype="int8"))
    arm = Arm(bank, load_anchor(bank.anchor_dir(), device="cpu"), Supply(bank, "cpu", "float32"))
    scaled = {LEAF: BlockState(scale=0.5)}
    row = arm.row(Wish("fetched", PATH), 3, scaled, no_blob)
    assert row is not None
    arm.fetch(Wish("fetched", PATH), {}, no_blob)
    whole, half = bank.layouts[2].split(bank.block(LEAF)), bank.layouts[2].split(row)
    for slot, own, less in zip(arm.attached.slots.parts(3), whole, half, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(slot, own, strict=True))
        assert torch.equal(less[2], own[2] * 0.5)
    assert arm.supply.cached.hits == 1


def test_a_budget_below_one_route_is_refused_and_none_is_taken_as_none(tiny_bank: Path) -> None:
    bank = open_bank(tiny_bank)
    route = route_bytes(bank, "float32")
    for wrong in (1, route - 1, -1):
        with pytest.raises(UserError, match=r"one route take .* MB in float32: give it at least that, or 0 for none"):
            Supply(bank, "cpu", "float32", wrong)
    assert Supply(bank, "cpu", "float32", route).cached.budget_bytes == route
    none = Supply(bank, "cpu", "float32", 0)
    none.row((LEAF, "a" * 64), lambda _: torch.zeros(bank.layouts[2].n))
    assert none.cached.blocks == none.cached.misses == 0
    assert usual_budget(torch.device("cpu"), 1 << 50) == 0
    assert usual_budget(torch.device("cpu"), 1 << 20) == 2 << 20


def test_a_file_cut_short_under_an_arm_leaves_an_empty_slot_and_the_next_fetch_works(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank")
    bank = open_bank(folder)
    arm = Arm(bank, load_anchor(bank.anchor_dir(), device="cpu"))
    arm.fetch(Wish("fetched", PATH), {}, no_blob)
    file = folder / "blocks" / "level-3.safetensors"
    whole = file.read_bytes()
    os.truncate(file, len(whole) // 2)
    with pytest.raises(UserError, match=r"level-3\.safetensors: the file changed while the bank was open"):
        arm.fetch(Wish("fetched", (*PATH[:2], ClusterId(3, 4))), {}, no_blob)
    assert arm.attached.slots.identity[2] is None
    file.write_bytes(whole)
    arm.fetch(Wish("fetched", PATH), {}, no_blob)
    assert torch.equal(arm.attached.slots.parts(3)[1][2], bank.layouts[2].split(bank.block(LEAF))[1][2])


def test_a_disk_that_is_gone_is_one_line(tiny_bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = open_bank(tiny_bank)

    def gone(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "open", gone)
    for read in (lambda: bank.block(LEAF), lambda: bank.tree.descend(np.ones(bank.tree.dim, np.float32))):
        with pytest.raises(UserError, match=r"safetensors: cannot be read \(Input/output error\): is its disk still there\?"):
            read()
