"""Scale, swap and rewrite: what each puts in a block's place, to the bit, and what each refuses in one line."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import block_digest
from memstudio.bank.values import BASE, PRUNED, BlockState, ClusterId, Overlay, parse_cluster
from memstudio.editing.kinds import KINDS, edit_from_json, edit_to_json
from memstudio.editing.plan import Edit, plan_edit
from memstudio.editing.prune import Prune, Restore
from memstudio.editing.rewrite import Rewrite, save_block
from memstudio.editing.scale import Scale
from memstudio.editing.swap import Swap
from memstudio.errors import UserError
from memstudio.export.patch import write_patch
from memstudio.session import open_session
from tests.editing.desks import make_desk
from tests.tiny import make_bank

LEAF, OTHER, MIDDLE, TOP = map(parse_cluster, ("3/4", "3/5", "2/1", "1/0"))


@pytest.fixture(scope="module")
def bank(tiny_bank: Path) -> Bank:
    return open_bank(tiny_bank)


def after(bank: Bank, edit: Edit, overlay: Overlay | None = None, blobs: dict[str, Tensor] | None = None) -> tuple[BlockState, Tensor]:
    """The state that an edit of one block leaves, and its numbers without the factor."""
    plan = plan_edit(edit, make_desk(bank, overlay or {}, blobs))
    (change,) = plan.changes
    assert change.before == (overlay or {}).get(change.cluster, BASE)
    return change.after, plan.tensors[change.after.source] if change.after != BASE and change.after.source in plan.tensors else bank.block(
        change.cluster
    )


def one_line(edit: Edit, bank: Bank, overlay: Overlay | None = None) -> str:
    with pytest.raises(UserError) as refused:
        plan_edit(edit, make_desk(bank, overlay or {}))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def parts(bank: Bank, row: Tensor, cluster: ClusterId = LEAF) -> dict[str, Tensor]:
    found = {}
    for layer, triple in zip(bank.manifest.layers, bank.layouts[cluster.level - 1].split(row), strict=True):
        found |= {f"{layer}.{name}": part for name, part in zip(("gate", "up", "down"), triple, strict=True)}
    return found


@given(st.floats(0, 2))
def test_a_factor_is_kept_beside_the_block_whose_numbers_stay(bank: Bank, factor: float) -> None:
    if factor == 1.0:
        assert "already" in one_line(Scale((LEAF,), factor), bank)
        return
    plan = plan_edit(Scale((LEAF,), factor), make_desk(bank, {}))
    assert [change.after for change in plan.changes] == [BlockState("base", factor)]
    assert plan.tensors == {}


def test_factors_do_not_pile_up_and_one_is_the_block_itself(bank: Bank) -> None:
    state = BlockState("base", 0.5)
    assert after(bank, Scale((LEAF,), 0.25), {LEAF: state})[0] == BlockState("base", 0.25)
    assert after(bank, Scale((LEAF,), 1.0), {LEAF: state})[0] == BASE


def test_a_subtree_is_scaled_where_it_has_blocks(bank: Bank) -> None:
    plan = plan_edit(Scale((MIDDLE,), 2.0, subtree=True), make_desk(bank, {LEAF: PRUNED}))
    assert [str(change.cluster) for change in plan.changes] == ["2/1", "3/3", "3/5"]
    assert {change.after for change in plan.changes} == {BlockState("base", 2.0)}


@pytest.mark.parametrize("factor", [-0.1, 2.1, math.nan, math.inf, -math.inf])
def test_a_factor_out_of_range_is_refused(bank: Bank, factor: float) -> None:
    assert "from 0 to 2" in one_line(Scale((LEAF,), factor), bank)


def test_a_factor_that_makes_numbers_infinite_is_refused(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", dtype="float16"))
    loud = torch.full((bank.layouts[2].n,), 40000.0, dtype=torch.float16)
    overlay: Overlay = {LEAF: BlockState(block_digest(loud))}
    desk = make_desk(bank, overlay, {block_digest(loud): loud})
    assert plan_edit(Scale((LEAF,), 1.5), desk).blocks == 1
    with pytest.raises(UserError, match="infinite"):
        plan_edit(Scale((LEAF,), 1.7), desk)


@given(st.sampled_from([0, 1, 5, 26]), st.floats(0, 2))
def test_a_swap_is_the_other_block_to_the_bit_with_its_factor(bank: Bank, index: int, factor: float) -> None:
    source = ClusterId(3, index)
    state, row = after(bank, Swap(LEAF, source), {source: BlockState("base", factor), LEAF: PRUNED})
    assert torch.equal(row, bank.block(source))
    assert state == BlockState(block_digest(bank.block(source)), factor)


def test_a_swap_from_another_bank_takes_its_shipped_block_in_this_bank_s_dtype(bank: Bank, tmp_path: Path) -> None:
    other = open_bank(make_bank(tmp_path / "other", dtype="bfloat16"))
    edit = Swap(LEAF, OTHER, bank=str(other.folder))
    assert torch.equal(after(bank, edit)[1], other.block(OTHER).float())
    assert any("bfloat16 to float32" in note for note in plan_edit(edit, make_desk(bank, {})).notes)
    back = Swap(LEAF, OTHER, bank=str(bank.folder))
    assert torch.equal(after(other, back)[1], bank.block(OTHER).bfloat16())


def test_a_swap_from_a_quantised_bank_and_into_one(bank: Bank, tmp_path: Path) -> None:
    other = open_bank(make_bank(tmp_path / "other", dtype="int8"))
    assert torch.equal(after(bank, Swap(LEAF, OTHER, bank=str(other.folder)))[1], other.block(OTHER))
    assert torch.equal(after(other, Swap(LEAF, OTHER))[1], other.block(OTHER))


def test_a_swap_from_a_patch_takes_the_block_that_it_leaves(bank: Bank, tmp_path: Path) -> None:
    row = bank.block(LEAF) * 0.5
    with open_session(bank.folder, study=tmp_path / "study") as session:
        session.apply(Rewrite(LEAF, row))
        session.apply(Scale((TOP,), 0.5))
        session.apply(Prune((OTHER,)))
        write_patch(tmp_path / "one.patch", bank, session.log()[1:], session.blob)
    patch = str(tmp_path / "one.patch")
    assert torch.equal(after(bank, Swap(OTHER, LEAF, patch=patch))[1], row)
    assert after(bank, Swap(TOP, TOP, patch=patch))[0].scale == 0.5
    assert "leaves no block at 3/5" in one_line(Swap(LEAF, OTHER, patch=patch), bank)
    assert "leaves no block at 3/6" in one_line(Swap(LEAF, ClusterId(3, 6), patch=patch), bank)
    other = open_bank(make_bank(tmp_path / "other", seed=1))
    assert "patch for bank" in one_line(Swap(LEAF, LEAF, patch=patch), other)


def test_a_swap_that_cannot_be_made_is_refused(bank: Bank, tmp_path: Path) -> None:
    assert "widths 4/4" in (said := one_line(Swap(LEAF, MIDDLE), bank))
    assert "widths 6/6" in said
    assert "has no block now" in one_line(Swap(LEAF, OTHER), bank, {OTHER: PRUNED})
    assert "stands there already" in one_line(Swap(LEAF, LEAF), bank)
    assert "not from both" in one_line(Swap(LEAF, OTHER, bank="a", patch="b"), bank)
    assert "no such folder" in one_line(Swap(LEAF, OTHER, bank=str(tmp_path / "none")), bank)
    assert "no such folder" in one_line(Swap(LEAF, OTHER, patch=str(tmp_path / "none")), bank)
    assert "not a bank" in one_line(Swap(LEAF, OTHER, bank=str(bank.folder / "blocks")), bank)
    for cluster, source in ((ClusterId(3, 27), LEAF), (LEAF, ClusterId(4, 0))):
        one_line(Swap(cluster, source), bank)


def test_a_swap_from_a_bank_of_another_anchor_or_shape_is_refused(bank: Bank, tmp_path: Path) -> None:
    anchor = make_bank(tmp_path / "anchor", seed=1)
    assert "another anchor" in one_line(Swap(LEAF, LEAF, bank=str(anchor)), bank)
    wide = make_bank(tmp_path / "wide", levels=((3, 4), (9, 4), (27, 8)))
    assert "widths 8/8" in one_line(Swap(LEAF, LEAF, bank=str(wide)), bank)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_numbers_in_another_bank_that_are_not_finite_are_refused_and_the_block_named(bank: Bank, tmp_path: Path, wrong: float) -> None:
    folder = Path(shutil.copytree(bank.folder, tmp_path / "broken"))
    path = folder / "blocks" / "level-3.safetensors"
    tensors = load_file(path)
    tensors["blocks"] = tensors["blocks"].clone()
    tensors["blocks"][OTHER.index, 7] = wrong
    save_file(tensors, path)
    assert "3/5" in (said := one_line(Swap(LEAF, OTHER, bank=str(folder)), bank))
    assert "1 of" in said


def test_a_rewrite_of_the_whole_row_needs_no_block_to_start_from(bank: Bank) -> None:
    row = torch.randn(bank.layouts[2].n, generator=torch.Generator().manual_seed(3))
    for given_ in (row, {"block": row}):
        assert torch.equal(after(bank, Rewrite(LEAF, given_), {LEAF: PRUNED})[1], row)


@given(st.sets(st.sampled_from([f"{layer}.{part}" for layer in (0, 1) for part in ("gate", "up", "down")]), min_size=1))
def test_a_rewrite_of_parts_leaves_the_rest_as_it_stands(bank: Bank, names: set[str]) -> None:
    before = parts(bank, bank.block(LEAF))
    new = {name: torch.full_like(before[name], 0.25) for name in names}
    found = parts(bank, after(bank, Rewrite(LEAF, new))[1])
    assert all(torch.equal(found[name], new.get(name, before[name])) for name in before)


def test_a_rewrite_is_rounded_to_the_bank_s_dtype(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", dtype="bfloat16"))
    row = torch.full((bank.layouts[2].n,), 0.1)
    state, kept = after(bank, Rewrite(LEAF, row))
    assert torch.equal(kept, row.bfloat16())
    assert state.source == block_digest(row.bfloat16())


def test_a_saved_block_is_read_again_to_the_bit_and_is_no_change(bank: Bank, tmp_path: Path) -> None:
    path = tmp_path / "block.safetensors"
    overlay: Overlay = {LEAF: BlockState("base", 0.5)}
    save_block(make_desk(bank, overlay), LEAF, path)
    assert [found.name for found in tmp_path.iterdir()] == ["block.safetensors"]
    row = bank.block(LEAF)
    for _, _, down in bank.layouts[2].split(row):
        down.mul_(0.5)
    assert torch.equal(after(bank, Rewrite.from_file(OTHER, path, bank))[1], row)
    save_block(make_desk(bank, {}), LEAF, path)
    assert "already" in one_line(Rewrite.from_file(LEAF, path, bank), bank)


@pytest.mark.parametrize("place", ["none/block.safetensors", "."])
def test_a_block_that_cannot_be_saved_says_so_and_leaves_nothing(bank: Bank, tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError, match=r"there is no folder|cannot be written"):
        save_block(make_desk(bank, {}), LEAF, tmp_path / place)
    assert list(tmp_path.iterdir()) == []


N = 2 * 3 * 6 * 32
BAD_TENSORS: dict[str, tuple[Mapping[str, Tensor], str]] = {
    "none": ({}, "no tensor"),
    "not a number": ({"block": torch.full((N,), math.nan)}, "NaN or infinite"),
    "infinite": ({"0.down": torch.full((6, 32), math.inf)}, "192 numbers of '0.down'"),
    "short": ({"block": torch.zeros(N - 1)}, f"takes [{N}]"),
    "turned": ({"0.gate": torch.zeros(32, 6)}, "takes [6, 32]"),
    "unknown": ({"0.bias": torch.zeros(6, 32)}, "is not known"),
    "a layer without memory": ({"7.gate": torch.zeros(6, 32)}, "is not known"),
    "whole numbers": ({"block": torch.zeros(N, dtype=torch.int64)}, "int64"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_tensors_that_are_no_block_are_refused(bank: Bank, tmp_path: Path, case: str) -> None:
    tensors, says = BAD_TENSORS[case]
    assert says in one_line(Rewrite(LEAF, tensors), bank)
    save_file(dict(tensors), tmp_path / "block.safetensors")
    with pytest.raises(UserError):
        plan_edit(Rewrite.from_file(LEAF, tmp_path / "block.safetensors", bank), make_desk(bank, {}))


@pytest.mark.parametrize("damage", ["missing", "cut", "pickle", "absurd", "folder"])
def test_a_file_that_holds_no_block_is_refused_before_it_is_read(bank: Bank, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "block.safetensors"
    save_file({"block": torch.zeros(N)}, path)
    raw = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"cut": raw[:-4], "pickle": b"\x80\x04." * 9, "absurd": (1 << 60).to_bytes(8, "little") + raw[8:]}[damage])
    with pytest.raises(UserError, match=r"block\.safetensors"):
        Rewrite.from_file(LEAF, path, bank)


def test_a_level_of_width_zero_takes_no_block(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", levels=((3, 0), (9, 4))))
    for edit in (Swap(TOP, ClusterId(1, 1)), Rewrite(TOP, torch.zeros(0)), Scale((TOP,), 0.5)):
        assert one_line(edit, bank)


def test_a_bank_that_holds_no_row_for_a_cluster_takes_one_by_swap_and_gives_none(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", levels=((3, 4), (9, 4)), kept=(None, (0, 1, 4))))
    missing = ClusterId(2, 8)
    assert torch.equal(after(bank, Swap(missing, ClusterId(2, 4)))[1], bank.block(ClusterId(2, 4)))
    assert "no block" in one_line(Swap(ClusterId(2, 4), missing), bank)
    assert "no block" in one_line(Scale((missing,), 0.5), bank)


DESCRIBED = [
    Prune((LEAF,), orphan=True),
    Restore((LEAF, TOP)),
    Scale((LEAF, TOP), 0.3, subtree=True),
    Swap(LEAF, OTHER),
    Swap(LEAF, OTHER, bank="somewhere"),
]


@pytest.mark.parametrize("edit", DESCRIBED, ids=lambda edit: edit.title)
def test_an_edit_of_plain_values_is_kept_as_json_and_comes_back_equal(edit: Edit) -> None:
    kept = edit_to_json(edit)
    assert kept is not None
    assert edit_from_json(kept) == edit
    assert KINDS[edit.verb] is type(edit)


def test_a_rewrite_is_its_tensors_and_has_no_json(bank: Bank, tmp_path: Path) -> None:
    save_block(make_desk(bank, {}), LEAF, tmp_path / "block.safetensors")
    for edit in (Rewrite(LEAF, torch.zeros(N)), Rewrite.from_file(LEAF, tmp_path / "block.safetensors", bank)):
        assert edit_to_json(edit) is None
    with pytest.raises(UserError, match="rewrite"):
        edit_from_json({"verb": "rewrite", "cluster": [3, 4], "tensors": {}})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"verb": "melt"},
        {"verb": ["scale"]},
        {"verb": "scale", "clusters": [[3, 4]]},
        {"verb": "scale", "clusters": [[3, 4]], "factor": "loud"},
        {"verb": "swap", "cluster": "3/4", "source": [3, 5]},
    ],
)
def test_json_that_describes_no_edit_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(UserError):
        edit_from_json(value)
