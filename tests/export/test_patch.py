"""A patch holds what the last of its revisions left, the same bytes each time, and is refused where anything in it is not as it says."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import block_digest
from memstudio.bank.files import file_digest
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId
from memstudio.errors import UserError
from memstudio.export.manifest import compose
from memstudio.export.patch import read_patch, write_patch
from memstudio.history.values import Revision
from tests.tiny import make_bank

GOLD, SILVER, IRON = ClusterId(3, 4), ClusterId(3, 5), ClusterId(2, 1)
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return open_bank(make_bank(tmp_path_factory.mktemp("banks") / "bank"))


def a_row(bank: Bank, cluster: ClusterId, seed: int) -> Tensor:
    n = bank.layouts[cluster.level - 1].n
    return torch.randn(n, generator=torch.Generator().manual_seed(seed)).to(bank.dtype)


def revision(number: int, *changes: Change, title: str = "a title") -> Revision:
    return Revision(number, number - 1, "update", title, changes, {"answers": ["told"]}, 17.0, current=True, head=False)


def a_chain(bank: Bank) -> tuple[list[Revision], dict[str, Tensor]]:
    """Gold twice, silver pruned, iron scaled."""
    rows = {block_digest(row): row for row in (a_row(bank, GOLD, 1), a_row(bank, GOLD, 2))}
    first, second = map(BlockState, rows)
    chain = [
        revision(1, Change(GOLD, BASE, first), Change(IRON, BASE, BlockState("base", 0.5))),
        revision(2, Change(GOLD, first, second), Change(SILVER, BASE, PRUNED)),
    ]
    return chain, rows


@pytest.fixture
def write(bank: Bank, tmp_path: Path) -> Write:
    """Writes the chain, or what is given, as a patch."""

    def to(name: str = "gold.patch", revisions: Sequence[Revision] | None = None, rows: dict[str, Tensor] | None = None) -> Path:
        chain, known = a_chain(bank)
        write_patch(tmp_path / name, bank, chain if revisions is None else revisions, (known if rows is None else rows).__getitem__)
        return tmp_path / name

    return to


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest's JSON."""
    value = json.loads((folder / "patch.json").read_text())
    change(value)
    (folder / "patch.json").write_text(json.dumps(value))


def rewrite(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Other blocks, with their length and digest right in the manifest."""
    save_file(tensors, folder / "blocks.safetensors")
    listed = {"bytes": (folder / "blocks.safetensors").stat().st_size, "sha256": file_digest(folder / "blocks.safetensors")}
    edit(folder, lambda value: value.update(files={"blocks.safetensors": listed}))


def refused(path: Path, bank: Bank, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read_patch(path, bank)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_patch_comes_back_as_what_its_revisions_come_to(bank: Bank, write: Write) -> None:
    chain, rows = a_chain(bank)
    patch = read_patch(write(), bank)
    last = chain[1].changes[0].after
    assert patch.changes == (
        Change(IRON, BASE, BlockState("base", 0.5)),
        Change(GOLD, BASE, last),
        Change(SILVER, BASE, PRUNED),
    )
    assert (patch.name, patch.titles) == ("gold", ("a title", "a title"))
    assert patch.tensors.keys() == {last.source}
    assert torch.equal(patch.tensors[last.source], rows[last.source])


def test_a_block_that_a_later_revision_replaced_is_not_given_away(bank: Bank, write: Write) -> None:
    path = write()
    first = a_chain(bank)[0][0].changes[0].after.source
    assert first not in load_file(path / "blocks.safetensors")
    assert "told" not in (path / "patch.json").read_text()  # no receipt either


def test_the_same_revisions_give_the_same_bytes(bank: Bank, write: Write) -> None:
    chain, rows = a_chain(bank)
    one = contents(write("one.patch"))
    later = [Revision(r.id + 5, r.parent, r.verb, r.title, r.changes, {}, 99.0, current=False, head=True) for r in chain]
    assert contents(write("two.patch", later, dict(reversed(rows.items())))) == one
    assert one.keys() == {"patch.json", "blocks.safetensors"}


def test_a_patch_of_prunes_alone_has_no_blocks(bank: Bank, write: Write) -> None:
    path = write("p.patch", [revision(1, Change(GOLD, BASE, PRUNED))])
    assert contents(path).keys() == {"patch.json"}
    assert read_patch(path, bank).changes == (Change(GOLD, BASE, PRUNED),)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int8"])
def test_blocks_are_kept_in_the_dtype_that_the_bank_is_read_in(tmp_path: Path, dtype: str) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", dtype=dtype))
    row = a_row(bank, GOLD, 3)
    state = BlockState(block_digest(row))
    write_patch(tmp_path / "x.patch", bank, [revision(1, Change(GOLD, BASE, state))], {state.source: row}.__getitem__)
    found = read_patch(tmp_path / "x.patch", bank).tensors[state.source]
    assert found.dtype == bank.dtype
    assert torch.equal(found, row)


def test_what_cannot_be_written_leaves_nothing(bank: Bank, write: Write, tmp_path: Path) -> None:
    chain, rows = a_chain(bank)
    back = revision(2, Change(GOLD, chain[0].changes[0].after, BASE), Change(IRON, BlockState("base", 0.5), BASE))
    cases: list[tuple[list[Revision], dict[str, Tensor], str]] = [
        ([], rows, "no revision"),
        ([chain[1], chain[0]], rows, "revision 1: does not start where"),
        ([chain[0], back], rows, "leave every block as it was"),
        (chain, {sha256: row.double() for sha256, row in rows.items()}, "torch.float64"),
        (chain, {sha256: row[:-1] for sha256, row in rows.items()}, "a block here is"),
    ]
    for revisions, blocks, said in cases:
        with pytest.raises(UserError, match=said):
            write("x.patch", revisions, blocks)
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.patch").mkdir()
    with pytest.raises(UserError, match="is there already"):
        write("x.patch")
    assert list((tmp_path / "x.patch").iterdir()) == []


def test_a_patch_of_another_bank_is_refused(write: Write, tmp_path: Path) -> None:
    other = open_bank(make_bank(tmp_path / "other", seed=1))
    refused(write(), other, r"is a patch for bank 'tiny' \([0-9a-f]{12}…\), this is 'tiny' \([0-9a-f]{12}…\)")


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused_with_their_block(bank: Bank, write: Write, broken: float) -> None:
    row = a_row(bank, GOLD, 4)
    row[7] = broken
    state = BlockState(block_digest(row))
    path = write("x.patch", [revision(1, Change(GOLD, BASE, state))], {state.source: row})
    refused(path, bank, r"block 3/4: 1 of \d+ numbers are NaN or infinite")


def test_a_scale_that_makes_numbers_infinite_is_refused(bank: Bank, write: Write) -> None:
    path = write("x.patch", [revision(1, Change(GOLD, BASE, BlockState("base", 1e39)))])
    refused(path, bank, "block 3/4: its scale 1e.39 makes numbers infinite")


def test_another_block_under_the_same_name_is_refused(bank: Bank, write: Write) -> None:
    path = write()
    name = a_chain(bank)[0][1].changes[0].after.source
    rewrite(path, {name: a_row(bank, GOLD, 9)})
    refused(path, bank, "block 3/4: does not have the digest in its name")


def test_blocks_of_other_shapes_dtypes_or_names_are_refused_before_they_are_read(
    bank: Bank, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write()
    name, row = a_chain(bank)[0][1].changes[0].after.source, a_row(bank, GOLD, 2)
    monkeypatch.setattr("memstudio.export.patch._tensor", lambda *_: pytest.fail("a tensor was read"))
    for tensors, said in (
        ({name: row[:-1]}, "the manifest asks for F32"),
        ({name: row.reshape(2, -1)}, "the manifest asks for F32"),
        ({name: row.half()}, "the manifest asks for F32"),
        ({name: row, "f" * 64: row.clone()}, "is named by no revision"),
        ({"f" * 64: row}, "is (missing|named by no revision)"),
    ):
        rewrite(path, tensors)
        refused(path, bank, said)


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda v: v.update(format="memstudio-bank"), "format"),
    "a later one": (lambda v: v.update(version=2), "version"),
    "a field more": (lambda v: v.update(host="x"), "host"),
    "a field less": (lambda v: v.pop("bank"), "bank"),
    "no revision": (lambda v: v.update(revisions=[]), "revisions"),
    "a path that leaves": (lambda v: v["files"].update({"../x": v["files"].pop("blocks.safetensors")}), "only blocks.safetensors"),
    "a pickle": (lambda v: v["files"].update({"x.pt": v["files"].pop("blocks.safetensors")}), "only blocks.safetensors"),
    "no blocks": (lambda v: v.update(files={}), "is not listed"),
    "another length": (lambda v: v["files"]["blocks.safetensors"].update(bytes=5), "the manifest says 5"),
    "another digest": (lambda v: v["files"]["blocks.safetensors"].update(sha256="0" * 64), "digest in the manifest"),
    "another width": (lambda v: v["bank"]["widths"].__setitem__(0, [1, 1]), "does not describe the bank"),
    "another anchor": (lambda v: v["bank"].update(anchor="0" * 64), "does not describe the bank"),
    "no such cluster": (lambda v: v["revisions"][1]["changes"][1].update(cluster="3/99"), "3/99"),
    "no such level": (lambda v: v["revisions"][1]["changes"][1].update(cluster="9/0"), "9/0"),
    "no cluster": (lambda v: v["revisions"][1]["changes"][1].update(cluster="../../x"), "cluster"),
    "a source that is a path": (lambda v: v["revisions"][1]["changes"][1]["after"].update(source="../x"), "source"),
    "a scale that is text": (lambda v: v["revisions"][1]["changes"][1]["after"].update(scale="2"), "scale"),
    "a scale without end": (lambda v: v["revisions"][1]["changes"][1]["after"].update(scale=float("inf")), "not valid JSON"),
    "a title that moves the cursor": (lambda v: v["revisions"][0].update(title="\x1b[2J"), "control characters"),
}


@pytest.mark.parametrize(("change", "said"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_manifest_that_does_not_hold_what_it_must_is_one_line(
    bank: Bank, write: Write, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = write()
    edit(path, change)
    refused(path, bank, said)


def test_revisions_that_do_not_follow_one_another_are_refused(bank: Bank, write: Write) -> None:
    path = write()
    edit(path, lambda value: value["revisions"].reverse())
    refused(path, bank, "does not start where the one before left the block 3/4")
    path = write("twice.patch")
    edit(path, lambda value: value["revisions"][0]["changes"].append(value["revisions"][1]["changes"][0]))
    refused(path, bank, "changed twice|does not start")


@pytest.mark.parametrize("damage", ["pickle", "stranger", "link", "cut", "garbage", "no manifest", "a file", "nothing", "deep"])
def test_a_damaged_folder_is_one_line(bank: Bank, write: Write, tmp_path: Path, damage: str) -> None:
    path = write()
    blocks = path / "blocks.safetensors"
    match damage:
        case "pickle":
            torch.save(torch.zeros(3), path / "blocks.pt")
        case "stranger":
            (path / "notes.txt").write_text("x")
        case "link":
            blocks.rename(tmp_path / "elsewhere")
            blocks.symlink_to(tmp_path / "elsewhere")
        case "cut":
            blocks.write_bytes(blocks.read_bytes()[:-9])
        case "garbage":
            blocks.write_bytes(b"\xff" * blocks.stat().st_size)
        case "no manifest":
            (path / "patch.json").unlink()
        case "a file":
            shutil.rmtree(path)
            path.write_text("x")
        case "nothing":
            shutil.rmtree(path)
        case "deep":
            (path / "patch.json").write_text("[" * 100_000)
    refused(path, bank, "gold.patch")


moves = st.lists(st.tuples(st.sampled_from([GOLD, SILVER, IRON]), st.sampled_from([BASE, PRUNED, BlockState("base", 0.5)])), max_size=8)


@settings(max_examples=60)
@given(moves)
def test_a_composed_change_leads_where_the_chain_leads(chain: list[tuple[ClusterId, BlockState]]) -> None:
    at: dict[ClusterId, BlockState] = {}
    steps = []
    for cluster, after in chain:
        steps.append(("step", [Change(cluster, at.get(cluster, BASE), after)]))
        at[cluster] = after
    found = compose(steps)
    assert {change.cluster: change.after for change in found} == {c: s for c, s in at.items() if s != BASE}
    assert all(change.before == BASE for change in found)
    assert [change.cluster for change in found] == sorted(change.cluster for change in found)
