"""What a chosen cluster fetches under edits: itself, a blob, or the fallback that the manifest names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import block_digest
from memstudio.bank.overlay import resolve, resolved_key
from memstudio.bank.values import PRUNED, BlockState, ClusterId, Overlay
from memstudio.errors import UserError
from tests.tiny import make_bank

LEAF = ClusterId(3, 5)
Opener = Callable[..., Bank]


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bank]:
    """One bank for each fallback, and one that lost most of its third level."""
    folder = tmp_path_factory.mktemp("overlay")
    found = {name: open_bank(make_bank(folder / name, fallback=name, anchor=False)) for name in ("zero", "generic", "sibling")}
    found["pruned"] = open_bank(make_bank(folder / "pruned", fallback="sibling", anchor=False, kept=[None, None, [4, 9]]))
    return found


def no_blob(sha: str) -> torch.Tensor:
    raise AssertionError(f"asked for blob {sha}")


def test_an_unedited_cluster_fetches_its_own_block(banks: dict[str, Bank]) -> None:
    found = resolve(banks["zero"], {}, LEAF, no_blob)
    assert (found.kind, found.cluster, found.scale) == ("base", LEAF, 1.0)
    assert found.row is not None
    assert torch.equal(found.row, banks["zero"].block(LEAF))


def test_a_scale_goes_with_the_block(banks: dict[str, Bank]) -> None:
    found = resolve(banks["zero"], {LEAF: BlockState("base", 0.5)}, LEAF, no_blob)
    assert (found.kind, found.scale) == ("base", 0.5)


def test_a_blob_stands_in_for_its_block(banks: dict[str, Bank]) -> None:
    row = torch.ones(1152)
    sha = block_digest(row)
    found = resolve(banks["zero"], {LEAF: BlockState(sha, 2.0)}, LEAF, {sha: row}.__getitem__)
    assert (found.kind, found.cluster, found.scale) == ("blob", LEAF, 2.0)
    assert found.row is row


def test_a_pruned_cluster_falls_back_to_nothing(banks: dict[str, Bank]) -> None:
    found = resolve(banks["zero"], {LEAF: PRUNED}, LEAF, no_blob)
    assert (found.kind, found.cluster, found.row) == ("zero", None, None)


def test_a_pruned_cluster_falls_back_to_the_generic_block(banks: dict[str, Bank]) -> None:
    found = resolve(banks["generic"], {LEAF: PRUNED}, LEAF, no_blob)
    assert (found.kind, found.cluster, found.scale) == ("generic", None, 1.0)
    assert found.row is not None
    assert torch.equal(found.row, banks["generic"].generic(3))


def test_a_pruned_cluster_falls_back_to_its_nearest_kept_sibling(banks: dict[str, Bank]) -> None:
    bank = banks["sibling"]
    others = bank.tree.siblings(LEAF)
    near, far = sorted(others, key=lambda c: float(bank.tree.distances(bank.tree.centroids[2][LEAF.index], [c])[0]))
    overlay: Overlay = {LEAF: PRUNED}
    assert resolve(bank, overlay, LEAF, no_blob).cluster == near
    overlay[near] = PRUNED
    overlay[far] = BlockState("base", 3.0)
    found = resolve(bank, overlay, LEAF, no_blob)
    assert (found.kind, found.cluster, found.scale) == ("sibling", far, 3.0)
    overlay[far] = PRUNED
    assert resolve(bank, overlay, LEAF, no_blob).kind == "zero"


def test_a_missing_row_of_a_pruned_bank_falls_back_as_a_pruned_cluster_does(banks: dict[str, Bank]) -> None:
    found = resolve(banks["pruned"], {}, LEAF, no_blob)
    assert (found.kind, found.cluster) == ("sibling", ClusterId(3, 4))
    assert resolve(banks["pruned"], {}, ClusterId(3, 0), no_blob).kind == "zero"


def test_a_blob_brings_a_missing_row_back(banks: dict[str, Bank]) -> None:
    row = torch.ones(1152)
    assert resolve(banks["pruned"], {LEAF: BlockState("f" * 64)}, LEAF, lambda sha: row).row is row


def test_a_level_without_width_fetches_nothing(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", fallback="generic", anchor=False, levels=((3, 4), (9, 0))))
    assert resolve(bank, {}, ClusterId(2, 4), no_blob).kind == "zero"


def test_a_cluster_that_does_not_exist_cannot_be_resolved(banks: dict[str, Bank]) -> None:
    with pytest.raises(UserError, match="3/27"):
        resolved_key(banks["zero"], {}, ClusterId(3, 27))


states = st.sampled_from([PRUNED, BlockState("base", 0.5), BlockState("a" * 64), BlockState("b" * 64, 2.0)])
overlays = st.dictionaries(st.builds(ClusterId, st.just(3), st.integers(0, 8)), states, max_size=6)


@pytest.mark.parametrize("fallback", ["zero", "generic", "sibling", "pruned"])
@given(first=overlays, second=overlays, index=st.integers(0, 8))
def test_equal_keys_mean_equal_weights(banks: dict[str, Bank], fallback: str, first: Overlay, second: Overlay, index: int) -> None:
    bank, cluster = banks[fallback], ClusterId(3, index)
    blobs = {"a" * 64: torch.full((1152,), 1.0), "b" * 64: torch.full((1152,), 2.0)}
    if resolved_key(bank, first, cluster) != resolved_key(bank, second, cluster):
        return
    one, two = (resolve(bank, overlay, cluster, blobs.__getitem__) for overlay in (first, second))
    assert (one.kind, one.cluster, one.scale) == (two.kind, two.cluster, two.scale)
    if one.row is None or two.row is None:
        assert one.row is two.row
    else:
        assert torch.equal(one.row, two.row)


@given(overlay=overlays, index=st.integers(0, 8))
def test_a_key_says_what_is_fetched(banks: dict[str, Bank], overlay: Overlay, index: int) -> None:
    bank, cluster = banks["sibling"], ClusterId(3, index)
    rows = {"a" * 64: torch.full((1152,), 1.0), "b" * 64: torch.full((1152,), 2.0)}
    key, found = resolved_key(bank, overlay, cluster), resolve(bank, overlay, cluster, rows.__getitem__)
    assert (key.kind, key.cluster, key.scale) == (found.kind, found.cluster, found.scale)
    if found.row is not None and key.cluster is not None:
        assert torch.equal(found.row, bank.block(key.cluster) if key.source == "base" else rows[key.source])
