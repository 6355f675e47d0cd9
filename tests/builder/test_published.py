"""The published layout and back: exact, computed as its formula says, and nothing believed that was not checked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from memstudio.anchor.attach import Attached
from memstudio.anchor.load import load_anchor
from memstudio.anchor.slots import Slots
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.files import file_digest
from memstudio.bank.values import ClusterId
from memstudio.builder.published import Imported, import_published, write_published
from memstudio.builder.published_read import ramp_of
from memstudio.errors import UserError
from tests.bank.damage import edit_manifest
from tests.checkpoint import (
    CLUSTERS,
    DIM,
    LAYERS,
    RAMP,
    UNIFORM,
    Naming,
    Weights,
    make_centroids,
    make_weights,
    named,
    save,
    tensors_of,
)
from tests.tiny import make_anchor, make_bank

MIXED = ((4, 1), (0, 2), (5, 5))
SPARSE = ((4, 4), (0, 0), (6, 6))
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@pytest.fixture(scope="module")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_anchor(tmp_path_factory.mktemp("anchors") / "anchor")


Imports = Callable[..., tuple[Bank, Imported]]


@pytest.fixture
def imported(tmp_path: Path, anchor: Path) -> Imports:
    """Import a checkpoint, and open what came of it."""

    def run(checkpoint: Path, **options: object) -> tuple[Bank, Imported]:
        found = import_published(checkpoint, tmp_path / "bank", anchor=str(anchor), **options)
        return open_bank(tmp_path / "bank"), found

    return run


def same(one: Tensor, other: Tensor) -> bool:
    """Equal bit for bit, dtype and shape included."""
    plain = [tensor.contiguous().view(torch.uint8) if tensor.numel() else tensor for tensor in (one, other)]
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*plain)


def assert_holds(bank: Bank, weights: Weights) -> None:
    """Every block, the generic ones too, is W1ᵀ, W2ᵀ, W3 of its cluster, bit for bit."""
    for level, clusters in enumerate(CLUSTERS, 1):
        for index in range(clusters + 1 if (0, level, "W1") in weights else 0):
            row = bank.block(ClusterId(level, index)) if index < clusters else bank.generic(level)
            for layer, (gate, up, down) in enumerate(bank.layouts[level - 1].split(row)):
                w1, w2, w3 = (weights[layer, level, end][index] for end in ("W1", "W2", "W3"))
                assert same(gate, w1.T)
                assert same(up, w2.T)
                assert same(down, w3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("widths", [UNIFORM, RAMP, MIXED, SPARSE], ids=["uniform", "ramp", "mixed", "a level of width 0"])
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_every_block_and_centroid_is_the_checkpoints_bit_for_bit(tmp_path: Path, imported: Imports, dtype: str, widths, kind: str) -> None:
    weights, tree = make_weights(widths, dtype=DTYPES[dtype]), make_centroids()
    bank, found = imported(save(tmp_path / f"bank.{kind}", tensors_of(weights), tree))
    assert (bank.manifest.dtype, found.dtype, found.stored_dtype) == (dtype, dtype, dtype)
    assert [layout.widths for layout in bank.layouts] == list(widths)
    assert (found.generic, found.layers, found.branching, found.not_mapped) == (True, (0, 1), (3, 3, 3), ())
    assert_holds(bank, weights)
    for level in (1, 2, 3):
        assert np.array_equal(bank.tree.centroids[level - 1], tree[f"centroids.{level}"].numpy())
        assert np.array_equal(bank.tree.documents[level - 1], tree[f"documents.{level}"].numpy())
    assert bank.verify()


@pytest.mark.parametrize(
    "naming",
    [
        named,
        lambda layer, level, end: f"layers.{layer}.memory.{level - 1}.{end.lower()}.weight",
        lambda layer, level, end: f"layers.{layer}.{end}.{level - 1}",
        lambda layer, level, end: f"h.{layer}.mem{level}.{({'W1': 'gate', 'W2': 'up', 'W3': 'down'})[end]}_proj",
        lambda layer, level, end: f"net.0.blocks.{layer}.level{level}_{end}",
        lambda layer, level, end: f"memory.levels.{level - 1}.layers.{layer}.{end}",
        lambda layer, level, end: f"layer{layer}/{['large', 'medium', 'small'][level - 1]}/{end}",
        lambda layer, level, end: f"layers.{layer}.memory.{30 - level}.{end}",
        lambda layer, level, end: f"layers.{layer}.{'out' if end == 'W3' else 'into'}.{level}.{end}",
    ],
    ids=[
        "from 1",
        "from 0",
        "after the end",
        "gate up down",
        "another number",
        "level first",
        "by C alone",
        "odd numbers, by C",
        "ends called differently",
    ],
)
def test_names_are_recognised(tmp_path: Path, imported: Imports, naming: Naming) -> None:
    weights = make_weights()
    bank, found = imported(save(tmp_path / "bank.safetensors", tensors_of(weights, naming), make_centroids(base=0)))
    assert (found.tensors, found.not_mapped) == (18, ())
    assert_holds(bank, weights)


def test_what_is_no_part_of_the_bank_is_named_with_its_shape(tmp_path: Path, imported: Imports, anchor: Path) -> None:
    model = load_file(anchor / "model.safetensors")
    _, found = imported(save(tmp_path / "bank.safetensors", tensors_of(make_weights()), make_centroids(), model))
    assert {stored.name: stored.shape for stored in found.not_mapped} == {name: tuple(tensor.shape) for name, tensor in model.items()}


def test_shards_in_a_folder_nested_names_and_a_tree_of_its_own_give_the_same_bank(tmp_path: Path, anchor: Path) -> None:
    weights, tree = tensors_of(make_weights()), make_centroids()
    (tmp_path / "shards").mkdir()
    for at in range(2):
        save(tmp_path / "shards" / f"part-{at}.safetensors", {name: each for name, each in weights.items() if f"layers.{at}" in name})
    torch.save({"step": 5, "model": {"blocks": list(weights.values())[:0], **weights}}, tmp_path / "one.pt")
    deep = {name: each.view(-1, 3, DIM) if name.startswith("centroids") else each for name, each in tree.items()}
    for path, with_tree in [("shards", save(tmp_path / "tree.safetensors", tree)), ("one.pt", save(tmp_path / "tree.pt", deep))]:
        import_published(tmp_path / path, tmp_path / f"bank-{path}", anchor=str(anchor), tree=with_tree, name="bank")
    assert open_bank(tmp_path / "bank-shards").digest == open_bank(tmp_path / "bank-one.pt").digest


def test_without_counts_every_cluster_has_one_document(tmp_path: Path, imported: Imports) -> None:
    bank, _ = imported(save(tmp_path / "bank.safetensors", tensors_of(make_weights()), make_centroids(documents=False)))
    assert all((documents == 1).all() for documents in bank.tree.documents)


def test_a_level_of_the_tree_without_tensors_has_width_0(tmp_path: Path, imported: Imports) -> None:
    weights = {place: tensor for place, tensor in make_weights().items() if place[1] != 3}
    bank, found = imported(save(tmp_path / "bank.safetensors", tensors_of(weights), make_centroids()))
    assert [level.shape for level in found.levels] == ["uniform", "uniform", "none"]
    assert not (bank.folder / "blocks/level-3.safetensors").exists()
    assert_holds(bank, weights)


def test_without_generic_blocks_the_rows_are_the_clusters(tmp_path: Path, imported: Imports) -> None:
    weights = make_weights()
    short = {name: tensor[:-1].contiguous() for name, tensor in tensors_of(weights).items()}
    bank, found = imported(save(tmp_path / "bank.safetensors", short, make_centroids()))
    assert (found.generic, bank.manifest.fallback, bank.has_generic(1)) == (False, "zero", False)
    assert same(bank.layouts[2].split(bank.block(ClusterId(3, 26)))[1][2], weights[1, 3, "W3"][26])


def test_another_dtype_is_the_nearest_number_of_each(tmp_path: Path, imported: Imports) -> None:
    weights = make_weights()
    bank, found = imported(save(tmp_path / "bank.safetensors", tensors_of(weights), make_centroids()), dtype="bfloat16")
    assert (found.stored_dtype, found.dtype) == ("float32", "bfloat16")
    assert_holds(bank, {place: tensor.bfloat16() for place, tensor in weights.items()})


def test_mixed_dtypes_become_float32_exactly(tmp_path: Path, imported: Imports) -> None:
    weights = {place: tensor.half() if place[2] == "W3" else tensor.bfloat16() for place, tensor in make_weights().items()}
    bank, found = imported(save(tmp_path / "bank.safetensors", tensors_of(weights), make_centroids()))
    assert (found.stored_dtype, found.dtype) == ("bfloat16 and float16", "float32")
    assert_holds(bank, {place: tensor.float() for place, tensor in weights.items()})


def test_integer_formats_come_within_half_a_step(tmp_path: Path, imported: Imports) -> None:
    weights = make_weights()
    bank, _ = imported(save(tmp_path / "bank.safetensors", tensors_of(weights), make_centroids()), dtype="int8")
    down = bank.layouts[0].split(bank.block(ClusterId(1, 2)))[1][2]
    wanted = weights[1, 1, "W3"][2]
    assert ((down - wanted).abs() <= wanted.abs().amax(-1, keepdim=True) / 127 / 2 * 1.001).all()


def test_a_ramp_is_told_from_mixed_widths(tmp_path: Path, imported: Imports) -> None:
    _, found = imported(save(tmp_path / "bank.safetensors", tensors_of(make_weights((RAMP[0], MIXED[1], UNIFORM[2]))), make_centroids()))
    assert [(level.shape, level.r) for level in found.levels] == [("ramp", 4), ("mixed", None), ("uniform", None)]


def test_the_r_of_a_ramp_is_found_from_its_widths() -> None:
    for r in (1, 3, 16, 257):
        for count, layers in [(24, tuple(range(24))), (35, tuple(range(17, 35))), (6, (1, 5))]:
            widths = tuple(max(1, int(2 * r * (layer + 1) / count)) for layer in layers)
            found = ramp_of(widths, layers, count)
            assert found is not None
            assert widths == tuple(max(1, int(2 * found * (layer + 1) / count)) for layer in layers)
    assert ramp_of((5, 4, 3), (0, 1, 2), 3) is None


@pytest.mark.parametrize("widths", [UNIFORM, RAMP, SPARSE], ids=["uniform", "ramp", "a level of width 0"])
def test_the_model_adds_what_the_formula_says_of_the_checkpoints_own_numbers(tmp_path: Path, imported: Imports, widths) -> None:
    weights = make_weights(widths)
    bank, _ = imported(save(tmp_path / "bank.safetensors", tensors_of(weights), make_centroids()))
    anchor = load_anchor(bank.anchor_dir(), device="cpu")
    attached = Attached(anchor, Slots(bank.layouts), bank.manifest.layers, bank.manifest.activation)
    path = {1: 2, 2: 7, 3: 22}
    for level, index in path.items():
        attached.slots.fill(level, bank.block(ClusterId(level, index)) if bank.has_block(ClusterId(level, index)) else None)
    inputs: dict[int, np.ndarray] = {}
    hooks = [
        mlp.register_forward_hook(lambda _, args, out, at=at: inputs.update({at: args[0][0].numpy()})) for at, mlp in enumerate(anchor.mlps)
    ]
    with torch.inference_mode(), attached.captured() as seen:
        attached.forward(torch.tensor([anchor.encode("The atomic number of gold is")]))
    for hook in [*hooks, *attached._hooks]:
        hook.remove()
    for layer in range(LAYERS):
        x, added = inputs[layer], np.zeros_like(inputs[layer])
        for level, index in path.items():
            if (layer, level, "W1") in weights:
                w1, w2, w3 = (weights[layer, level, end][index].numpy() for end in ("W1", "W2", "W3"))
                h = x @ w1
                added = added + (h / (1 + np.exp(-h)) * (x @ w2)) @ w3
        assert np.abs(added).max() > 0.1
        assert np.abs((seen.total[layer] - seen.own[layer])[0].numpy() - added).max() < 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("widths", [UNIFORM, RAMP, MIXED, SPARSE], ids=["uniform", "ramp", "mixed", "a level of width 0"])
def test_there_and_back_is_exact(tmp_path: Path, imported: Imports, anchor: Path, dtype: str, widths) -> None:
    weights = make_weights(widths, dtype=DTYPES[dtype])
    first = save(
        tmp_path / "bank.safetensors",
        tensors_of(weights, lambda layer, level, end: f"layers.{layer}.levels.{level}.{end}"),
        make_centroids(),
    )
    bank, _ = imported(first, name="bank")
    written = write_published(bank, tmp_path / "back.safetensors")
    there, back = load_file(first), load_file(written.path)
    assert written.tensors == 18
    assert {name for name in back if back[name].numel()} == {name for name in there if there[name].numel()}
    assert all(same(back[name], there[name]) for name in there)
    assert all(back[name].numel() == 0 for name in set(back) - set(there))
    import_published(written.path, tmp_path / "again", anchor=str(anchor), name="bank")
    assert open_bank(tmp_path / "again").digest == bank.digest


def test_a_built_bank_goes_there_and_back(tmp_path: Path, tiny_bank: Path, imported: Imports) -> None:
    bank = open_bank(tiny_bank)
    again, _ = imported(write_published(bank, tmp_path / "out" / "tiny.safetensors").path)
    for level in (1, 2, 3):
        path = f"blocks/level-{level}.safetensors"
        assert file_digest(again.folder / path) == file_digest(tiny_bank / path)
    assert file_digest(again.folder / "retriever/tree.safetensors") == file_digest(tiny_bank / "retriever/tree.safetensors")


def test_without_generic_blocks_there_and_back(tmp_path: Path, imported: Imports) -> None:
    folder = make_bank(tmp_path / "plain", generic=False)
    again, found = imported(write_published(open_bank(folder), tmp_path / "plain.safetensors").path)
    assert not found.generic
    assert same(again.block(ClusterId(3, 26)), open_bank(folder).block(ClusterId(3, 26)))


def test_what_the_layout_does_not_hold_exactly_is_not_written(tmp_path: Path) -> None:
    pruned = make_bank(tmp_path / "pruned", kept=[None, [0, 4], None])
    gelu = make_bank(tmp_path / "gelu")
    edit_manifest(gelu, lambda body: body.update(activation="gelu_pytorch_tanh"))
    (tmp_path / "there").write_text("mine")
    for folder, out, says in [
        (pruned, "out", "pruned"),
        (gelu, "out", "gelu_pytorch_tanh"),
        (make_bank(tmp_path / "int8", dtype="int8"), "out", "int8"),
        (make_bank(tmp_path / "plain"), "there", "already"),
    ]:
        with pytest.raises(UserError, match=says):
            write_published(open_bank(folder), tmp_path / out)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "there").read_text() == "mine"
