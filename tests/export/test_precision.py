"""Fewer bits: a plan is nested in blocks and in precision, and the bank that comes of it holds the codes that it promises."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import block_digest
from memstudio.bank.files import file_digest
from memstudio.bank.manifest import dump_manifest
from memstudio.bank.values import BlockState, ClusterId, Overlay, Precision
from memstudio.errors import UserError
from memstudio.export.bank import Wanted, drafted
from memstudio.export.order import best_steps
from memstudio.export.plan import ExportPlan, Kept, plan_export
from memstudio.export.plan_file import read_plan, write_plan
from memstudio.export.precision import PRECISIONS, Choice, added, block_bytes, coded, offered
from memstudio.export.rank import Ranking, by_chance
from memstudio.export.silence import Gone
from memstudio.jobs import Job
from tests.tiny import make_bank

BRANCHING, COUNTS = (2, 3, 2), (2, 6, 12)
LOSSES: dict[Precision, tuple[float, ...]] = {"int8": (0.4,) * 3, "int4": (0.5,) * 3}
GOLD = ClusterId(3, 4)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return open_bank(make_bank(tmp_path_factory.mktemp("banks") / "bank"))


def export(
    source: Bank, out: Path, plan: ExportPlan, share: float, overlay: Overlay | None = None, rows: dict[str, torch.Tensor] | None = None
) -> Bank:
    kept = plan.kept(plan.share(share))
    wanted = Wanted(plan, kept, "zero", overlay or {}, (rows or {}).__getitem__, Gone(), "1")
    with drafted(source, out, wanted, Job("export")) as draft:
        draft.settle({})
    opened = open_bank(out)
    opened.verify()
    assert opened.info()["bank_bytes"] == kept.bytes <= plan.share(share)
    return opened


def mixing(plan: ExportPlan) -> float:
    """A share of the bank at which the plan keeps blocks in all the precisions that it has."""
    choices = len(set(plan.codes.tolist()))
    half = len(plan.levels) // 2
    least = next(steps for steps in range(half, len(plan.levels)) if len(plan.first_of(steps).counts) == choices)
    return float(plan.reach[least] + 1) / plan.bank_bytes


def clusters(kept: Kept) -> dict[ClusterId, Precision]:
    return {
        ClusterId(level, int(index)): PRECISIONS[code]
        for level, (ids, codes) in enumerate(zip(kept.levels, kept.precisions, strict=True), 1)
        for index, code in zip(ids, codes, strict=True)
    }


@given(st.data())
def test_steps_come_in_their_order_and_behind_the_first_steps_of_what_lies_above(data: st.DataObject) -> None:
    masks = [np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool) for n in COUNTS]
    number, size = st.floats(-100, 100), st.integers(1, 50)

    def drawn(each: "st.SearchStrategy[float] | st.SearchStrategy[int]", dtype: str) -> list[list[NDArray[np.generic]]]:
        return [[np.array(data.draw(st.lists(each, min_size=n, max_size=n)), dtype) for n in COUNTS] for _ in range(3)]

    found = best_steps(BRANCHING, masks, drawn(number, "f8"), drawn(size, "i8"))  # type: ignore[arg-type]  # arrays of both kinds
    taken = list(zip(*(each.tolist() for each in found), strict=True))
    places = {step: place for place, step in enumerate(taken)}
    assert len(places) == len(taken) == 3 * sum(int(mask.sum()) for mask in masks)
    for level, index, step in taken:
        if step:
            assert places[level, index, step - 1] < places[level, index, step]
            continue
        above = index
        for higher in range(level - 1, 0, -1):
            above //= BRANCHING[higher]
            if masks[higher - 1][above]:
                assert places[higher, above, 0] < places[level, index, 0]


@given(seed=st.integers(0, 999), loss=st.floats(0, 0.9), budgets=st.lists(st.floats(0.2, 1.2), min_size=2, max_size=5))
def test_what_a_smaller_budget_keeps_a_larger_one_keeps_at_least_as_precisely(
    bank: Bank, seed: int, loss: float, budgets: list[float]
) -> None:
    ranking = by_chance(bank.tree, seed)
    scores = tuple(each - 0.2 for each in ranking.scores)
    lost: dict[Precision, tuple[float, ...]] = {"int4": (loss, loss / 2, 0.0), "int8": (loss / 3, loss / 4, 0.0)}
    plan = plan_export(bank, {}, replace(ranking, scores=scores), precision="mixed", losses=lost, keep=[GOLD])
    before: dict[ClusterId, Precision] = {}
    for budget in sorted(budgets):
        kept = plan.kept(plan.share(budget))
        now = clusters(kept)
        assert kept.bytes <= plan.share(budget)
        assert kept.bytes == plan.generic_bytes + sum(int(block_bytes(bank, now[each])[each.level - 1][each.index]) for each in now)
        assert all(PRECISIONS.index(now[each]) >= PRECISIONS.index(how) for each, how in before.items())
        assert {ClusterId(1, 0), ClusterId(2, 1), GOLD} <= now.keys()
        assert all(set(bank.tree.ancestors(each)) <= now.keys() for each in now)
        before = now


def test_worth_is_shared_between_the_steps_and_a_costly_loss_makes_them_one(bank: Bank) -> None:
    worth = [np.array([2.0, -1.0]), np.array([4.0])]
    [first, second, third] = added(worth, ("int4", "int8", "bank"), {"int8": (0.4, 0.0), "int4": (0.5, 0.25)})
    assert first[0].tolist() == pytest.approx([1.0, -0.5])
    assert [each[1].tolist() for each in (first, second, third)] == [[3.0], [1.0], [0.0]]
    assert (first[0] + second[0] + third[0]).tolist() == pytest.approx([2.0, -1.0])
    ranking = by_chance(bank.tree, 1)
    lossless = plan_export(bank, {}, ranking, precision="mixed", losses={})
    assert set(clusters(lossless.kept(lossless.share(0.15))).values()) == {"int4"}
    costly = plan_export(bank, {}, ranking, precision="mixed", losses={"int4": (0.95,) * 3})
    found = list(clusters(costly.kept(costly.share(0.2))).values())
    assert found.count("int8") > found.count("int4"), "what int4 spoils is taken on to int8 before the next block"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("choice", ["int8", "int4", "mixed"])
def test_a_bank_in_fewer_bits_holds_the_codes_of_its_source(tmp_path: Path, dtype: str, choice: Choice) -> None:
    source = open_bank(make_bank(tmp_path / "source", dtype=dtype))
    if dtype == choice:
        with pytest.raises(UserError, match="is stored as int8: nothing is won"):
            plan_export(source, {}, by_chance(source.tree, 3), precision=choice)
        return
    plan = plan_export(source, {}, by_chance(source.tree, 3), precision=choice, losses=LOSSES)
    share = mixing(plan)
    smaller = export(source, tmp_path / "smaller", plan, share)
    kept = clusters(plan.kept(plan.share(share)))
    assert 0 < len(kept) < 39
    assert set(kept.values()) == ({*offered(source, "mixed")} if choice == "mixed" else {choice})
    d = source.manifest.hidden_size
    for cluster, precision in kept.items():
        assert torch.equal(smaller.block(cluster), coded(source.block(cluster), d, precision).to(smaller.dtype))
    for level in (1, 2, 3):
        assert torch.equal(smaller.generic(level), coded(source.generic(level), d, plan.generic))
        assert smaller.held(level).sum() == sum(cluster.level == level for cluster in kept)
    again = read_plan(smaller.folder / "plan.jsonl", source, {})
    assert clusters(again.kept()) == kept
    named = b'"coarser"' in (smaller.folder / "bank.json").read_bytes()
    assert named == (choice == "mixed"), "an older reader opens what it can read and refuses what it cannot"
    assert ("as int4" in smaller.readme_path.read_text()) == ("int4" in kept.values())


def test_a_mixed_bank_is_pruned_again_as_it_is_stored(bank: Bank, tmp_path: Path) -> None:
    plan = plan_export(bank, {}, by_chance(bank.tree, 3), precision="mixed", losses=LOSSES)
    mixed = export(bank, tmp_path / "mixed", plan, mixing(plan))
    edited = next(each for each, precision in clusters(plan.kept(plan.share(mixing(plan)))).items() if precision == "int4")
    row = torch.randn(bank.layouts[edited.level - 1].n, generator=torch.Generator().manual_seed(5))
    overlay: Overlay = {edited: BlockState(block_digest(row))}
    second = plan_export(mixed, overlay, by_chance(mixed.tree, 4))
    smaller = export(mixed, tmp_path / "smaller", second, 1.0, overlay, {block_digest(row): row})
    kept = clusters(second.kept(second.share(1.0)))
    assert set(kept.values()) == {"bank"}
    for cluster in kept:
        expected = coded(row, bank.manifest.hidden_size, "int4") if cluster == edited else mixed.block(cluster)
        assert torch.equal(smaller.block(cluster), expected)
    assert all(torch.equal(smaller.generic(level), mixed.generic(level)) for level in (1, 2, 3))
    with pytest.raises(UserError, match="keeps its blocks in several dtypes already"):
        plan_export(mixed, {}, by_chance(mixed.tree, 4), precision="int4")


def test_edits_are_burned_in_before_bits_are_cut(bank: Bank, tmp_path: Path) -> None:
    row = torch.randn(bank.layouts[2].n, generator=torch.Generator().manual_seed(5))
    overlay: Overlay = {GOLD: BlockState(block_digest(row), 0.5)}
    plan = plan_export(bank, overlay, by_chance(bank.tree, 3), precision="int8", keep=[GOLD])
    smaller = export(bank, tmp_path / "smaller", plan, 1.0, overlay, {block_digest(row): row})
    burned = row.clone()
    for _, _, down in bank.layouts[2].split(burned):
        down.mul_(0.5)
    assert torch.equal(smaller.block(GOLD), coded(burned, bank.manifest.hidden_size, "int8"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "int8"])
@pytest.mark.parametrize("at_once", [1, 600, 3000])
def test_codes_are_the_same_however_much_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, at_once: int) -> None:
    source = open_bank(make_bank(tmp_path / "source", dtype=dtype))
    row = torch.randn(source.layouts[2].n, generator=torch.Generator().manual_seed(5))
    overlay: Overlay = {GOLD: BlockState(block_digest(row))}
    plan = plan_export(source, overlay, by_chance(source.tree, 3), precision="int4", keep=[GOLD])
    whole = export(source, tmp_path / "whole", plan, 0.5, overlay, {block_digest(row): row})
    monkeypatch.setattr("memstudio.export.level.PIECE_BYTES", at_once)
    parts = export(source, tmp_path / "parts", plan, 0.5, overlay, {block_digest(row): row})
    for level in (1, 2, 3):
        path = f"blocks/level-{level}.safetensors"
        assert (parts.folder / path).read_bytes() == (whole.folder / path).read_bytes()


def test_a_plan_of_several_precisions_is_written_edited_and_read(bank: Bank, tmp_path: Path) -> None:
    plan = plan_export(bank, {}, by_chance(bank.tree, 3), precision="mixed", losses=LOSSES)
    file = tmp_path / "plan.jsonl"
    write_plan(file, plan)
    again = read_plan(file, bank, {})
    for name in ("levels", "indices", "codes", "bytes", "scores"):
        assert np.array_equal(getattr(again, name), getattr(plan, name)), name
    assert (again.precision, again.generic_bytes, again.least_bytes) == ("mixed", plan.generic_bytes, plan.least_bytes)
    lines = file.read_text().splitlines()
    head = json.loads(lines[0])
    for text, part in (
        ([lines[0], lines[1], lines[1]], "line 3: cluster .*: stands on an earlier line too, as precisely"),
        ([lines[0], lines[1].replace("int4", "int5")], "line 2: precision 'int5': is none of this plan's; int4, int8, bank are"),
        ([json.dumps({**head, "precision": "int2"}), lines[1]], "line 1: precision 'int2'"),
        ([json.dumps({**head, "precision": "int8"}), lines[1]], "line 2: precision 'int4': is none of this plan's; int8 are"),
    ):
        file.write_text("\n".join(text))
        with pytest.raises(UserError, match=part):
            read_plan(file, bank, {})
    file.write_text("\n".join([lines[0], '{"cluster": "1/2"}']))
    assert clusters(read_plan(file, bank, {}).kept()) == {ClusterId(1, 2): "bank"}


def test_a_damaged_mix_is_one_line(bank: Bank, tmp_path: Path) -> None:
    plan = plan_export(bank, {}, by_chance(bank.tree, 3), precision="mixed", losses=LOSSES)
    mixed = export(bank, tmp_path / "mixed", plan, mixing(plan))
    path = mixed.folder / "blocks/level-3.safetensors"
    sound = load_file(path)
    twice = {**sound, "clusters.int8": sound["clusters.int8"].clone()}
    twice["clusters.int8"][-1:] = sound["clusters.int4"][-1:]
    nameless = {name: tensor for name, tensor in sound.items() if name != "clusters.int8"}
    lost = {name: tensor[:-1].clone() if name.endswith(".int4") else tensor for name, tensor in sound.items()}
    for tensors, line in ((twice, "no block may stand in two"), (nameless, "tensor 'blocks.int8' is"), (lost, "generic block")):
        save_file(tensors, path)
        files = {**mixed.manifest.files}
        files["blocks/level-3.safetensors"] = files["blocks/level-3.safetensors"].model_copy(
            update={"bytes": path.stat().st_size, "sha256": file_digest(path)}
        )
        (mixed.folder / "bank.json").write_bytes(dump_manifest(mixed.manifest.model_copy(update={"files": files})))
        with pytest.raises(UserError, match=line):
            open_bank(mixed.folder)
    (mixed.folder / "bank.json").write_bytes(dump_manifest(mixed.manifest.model_copy(update={"dtype": "int4"})))
    with pytest.raises(UserError, match="coarser"):
        open_bank(mixed.folder)


def test_rows_that_save_nothing_are_refused(bank: Bank) -> None:
    assert offered(bank, "mixed") == ("int4", "int8", "bank")
    assert offered(bank, "bank") == ("bank",)
    ranking = Ranking("random", tuple(np.zeros(bank.tree.count(level)) for level in (1, 2, 3)), 0)
    plan = plan_export(bank, {}, ranking, precision="int4")
    assert plan.bank_bytes > 3 * int(plan.reach[-1]), "float32 to four bits and a scale for every 32 numbers"
