"""An open bank: what is read equals what was written, and opening costs headers and the tree, never the blocks."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from memstudio.bank.bank import open_bank
from memstudio.bank.block import quantise
from memstudio.bank.files import folder_digest
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from tests.bank.damage import edit_manifest, write_with_header
from tests.tiny import ELEMENTS, HIDDEN, RETRIEVER, make_anchor, make_bank, make_blocks


@given(level=st.integers(1, 3), data=st.data())
def test_reading_one_row_equals_the_full_tensor(tiny_bank: Path, level: int, data: st.DataObject) -> None:
    bank = open_bank(tiny_bank)
    index = data.draw(st.integers(0, bank.tree.count(level) - 1))
    everything = load_file(tiny_bank / f"blocks/level-{level}.safetensors")["blocks"]
    row = bank.block(ClusterId(level, index))
    assert torch.equal(row, everything[index])
    assert row.shape == (bank.layouts[level - 1].n,)
    assert torch.equal(bank.generic(level), everything[-1])


@pytest.mark.parametrize(("dtype", "torch_dtype"), [("float32", torch.float32), ("float16", torch.float16), ("bfloat16", torch.bfloat16)])
def test_float_banks_are_read_in_their_own_dtype(tmp_path: Path, dtype: str, torch_dtype: torch.dtype) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", dtype=dtype, anchor=False))
    row = bank.block(ClusterId(2, 4))
    assert bank.dtype == row.dtype == torch_dtype
    assert torch.equal(row, make_blocks(10, 4, seed=2)[4].to(torch_dtype))
    assert bank.info()["bank_bytes"] == sum((c + 1) * 3 * w * 2 * HIDDEN for c, w in ((3, 4), (9, 4), (27, 6))) * row.itemsize


@pytest.mark.parametrize(("dtype", "bits"), [("int8", 8), ("int4", 4)])
def test_integer_banks_are_read_as_float32(tmp_path: Path, dtype: str, bits: int) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", dtype=dtype, anchor=False))
    row, written = bank.block(ClusterId(3, 20)), make_blocks(28, 6, seed=3)
    _, scales = quantise(written, HIDDEN, bits)
    assert row.dtype == bank.dtype == torch.float32
    assert bool(((row - written[20]).view(-1, HIDDEN).abs() <= scales[20].unsqueeze(1) * 0.501).all())
    assert bank.info()["levels"][2]["block_bytes"] == 6 * 3 * 2 * (HIDDEN * bits // 8 + 4)  # type: ignore[index]


def test_a_read_block_is_the_callers_own(tiny_bank: Path) -> None:
    bank = open_bank(tiny_bank)
    first = bank.block(ClusterId(1, 0))
    digest = first.clone()
    first.zero_()
    assert torch.equal(bank.block(ClusterId(1, 0)), digest)


def test_a_pruned_bank_reads_the_rows_that_it_names(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", anchor=False, kept=[None, [7, 2], []]))
    written = make_blocks(10, 4, seed=2)
    assert [index for index in range(9) if bank.has_block(ClusterId(2, index))] == [2, 7]
    assert torch.equal(bank.block(ClusterId(2, 7)), written[7])
    assert torch.equal(bank.generic(2), written[9])
    assert not any(bank.has_block(ClusterId(3, index)) for index in range(27))
    with pytest.raises(UserError, match="holds no block"):
        bank.block(ClusterId(2, 3))
    assert [level["blocks"] for level in bank.info()["levels"]] == [3, 2, 0]  # type: ignore[attr-defined]


def test_a_pruned_bank_may_hold_no_row_at_all(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank", anchor=False, generic=False, kept=[None, None, []]))
    assert not bank.has_block(ClusterId(3, 0))
    assert not bank.has_generic(3)
    with pytest.raises(UserError, match="no generic block"):
        bank.generic(3)


def test_a_level_of_width_0_holds_no_blocks(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank", anchor=False, levels=((3, 4), (9, 0), (27, 6)))
    bank = open_bank(folder)
    assert not (folder / "blocks/level-2.safetensors").exists()
    assert not bank.has_block(ClusterId(2, 0))
    assert bank.layouts[1].n == 0
    assert bank.info()["fetched_parameters"] == 3 * 2 * HIDDEN * (4 + 6)


def test_info_prints_the_methods_figures(tiny_bank: Path) -> None:
    info = open_bank(tiny_bank).info()
    sizes = [3 * 2 * HIDDEN * width for width in (4, 4, 6)]
    assert info["fetched_parameters"] == sum(sizes)
    assert info["bank_parameters"] == sum(count * size for count, size in zip((3, 9, 27), sizes, strict=True))
    assert info["bank_bytes"] == 4 * sum((count + 1) * size for count, size in zip((3, 9, 27), sizes, strict=True))
    assert info["anchor"] == {"source": "anchor/", "hidden_size": HIDDEN, "parameters": 33184, "architecture": "LlamaForCausalLM"}
    assert (info["generic"], info["fallback"], info["kind"]) == (True, "zero", "ffn")
    json.dumps(info, allow_nan=False)


def test_the_digest_is_that_of_the_manifest(tiny_bank: Path) -> None:
    assert open_bank(tiny_bank).digest == hashlib.sha256((tiny_bank / "bank.json").read_bytes()).hexdigest()


def test_cards_labels_search_and_documents_agree(tiny_bank: Path) -> None:
    bank = open_bank(tiny_bank)
    hits = bank.search("GOLD")
    assert {cluster.level for cluster in hits} == {1, 2, 3}
    leaf = next(cluster for cluster in hits if cluster.level == 3)
    card = bank.card(leaf)
    assert "gold" in card.terms
    assert card.label == bank.labels(3)[leaf.index]
    assert card.documents == bank.tree.documents[2][leaf.index]
    assert any("gold is the element" in document.text for document in bank.documents_of(leaf))
    assert {near.document for near in card.exemplars} <= {document.document for document in bank.documents_of(leaf)}
    assert sum(len(bank.documents_of(ClusterId(1, index))) for index in range(3)) == len(ELEMENTS)
    assert [card.cluster for card in bank.cards(2)] == [ClusterId(2, index) for index in range(9)]
    assert len(list(bank.cards())) == 39
    assert bank.search("  ") == []
    assert bank.search("%") == []


def test_a_bank_without_clusters_file_still_opens(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank", anchor=False)
    (folder / "clusters.sqlite").unlink()
    edit_manifest(folder, lambda body: body["files"].pop("clusters.sqlite"))
    bank = open_bank(folder)
    assert bank.card(ClusterId(2, 3)).label == "2/3"
    assert bank.labels(2) == [""] * 9
    assert bank.search("gold") == []


def test_verify_reads_every_file_and_reports_how_far_it_is(tiny_bank: Path) -> None:
    bank, heard = open_bank(tiny_bank), list[tuple[int, int]]()
    checked = bank.verify(lambda done, total: heard.append((done, total)))
    assert {path for path, _ in checked} == set(bank.manifest.files)
    assert {"anchor/model.safetensors", "blocks/level-3.safetensors", "clusters.sqlite", "facts.jsonl"} <= {path for path, _ in checked}
    assert heard == sorted(heard)
    assert heard[-1] == (sum(size for _, size in checked),) * 2


def test_an_anchor_from_outside_is_accepted_only_by_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = make_anchor(tmp_path / "model"), make_anchor(tmp_path / "other", seed=1)
    folder = make_bank(tmp_path / "bank", anchor=False)
    edit_manifest(folder, lambda body: body["anchor"].update(sha256=folder_digest(model)))
    bank = open_bank(folder)
    assert bank.anchor_dir(model) == model
    with pytest.raises(UserError, match="not this bank's anchor"):
        bank.anchor_dir(other)
    with pytest.raises(UserError, match="no such model folder"):
        bank.anchor_dir(tmp_path / "absent")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(UserError, match="--anchor"):
        bank.anchor_dir()
    cached = tmp_path / "hub/models--example--tiny"
    make_anchor(cached / "snapshots/abc123")
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("abc123\n")
    assert bank.anchor_dir() == cached / "snapshots/abc123"


def test_an_anchor_inside_is_found_there(tiny_bank: Path) -> None:
    bank = open_bank(tiny_bank)
    assert bank.anchor_dir() == tiny_bank / "anchor"
    assert folder_digest(bank.anchor_dir()) == bank.manifest.anchor.sha256


def huge_bank(folder: Path) -> Path:
    """1,024 blocks of 6 MB: a sparse file of 6 GiB beside a real tree, as no machine could read it at once."""
    tiny = make_bank(folder, anchor=False, levels=((1024, 4),), generic=False)
    width, hidden = 64, 4096
    n = 3 * width * 2 * hidden
    (tiny / "blocks/level-1.safetensors").unlink()
    path = tiny / "blocks/level-1.safetensors"
    size = 4 * n * 1024
    write_with_header(path, {"blocks": {"dtype": "F32", "shape": [1024, n], "data_offsets": [0, size]}}, b"")
    with path.open("r+b") as stream:
        header_end = stream.seek(0, 2)
        stream.truncate(header_end + size)
        stream.seek(header_end + 4 * n * 1000)
        stream.write(np.arange(8, dtype=np.float32).tobytes())

    def change(body: dict[str, object]) -> None:
        body.update(hidden_size=hidden, levels=[{"clusters": 1024, "width": width}])
        body["files"]["blocks/level-1.safetensors"]["bytes"] = path.stat().st_size  # type: ignore[index]

    edit_manifest(tiny, change)
    return tiny


HUGE = """
import resource, sys
from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
before = peak_mb()
bank = open_bank(sys.argv[1])
bank.info()
bank.tree.descend(bank.tree.centroids[0][17])
print(peak_mb() - before)
import torch
torch.zeros(1).float()
before = peak_mb()
print(bank.block(ClusterId(1, 1000))[:8].tolist() == list(range(8)))
print(peak_mb() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="measured with the resource module")
def test_opening_and_fetching_do_not_grow_with_the_bank(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HUGE, str(huge_bank(tmp_path / "huge"))], capture_output=True, text=True, check=True)
    opening_mb, right, fetching_mb = done.stdout.split()
    assert float(opening_mb) < 20
    assert right == "True"
    assert float(fetching_mb) < 30  # the block itself is 6 MB, once mapped and once copied


LIGHT = """
import sys
from pathlib import Path
from memstudio.bank.bank import open_bank
from memstudio.bank.overlay import resolved_key
from memstudio.bank.values import ClusterId
bank = open_bank(Path(sys.argv[1]))
bank.info(), bank.labels(1), bank.card(ClusterId(1, 0)), bank.search("gold"), bank.verify()
bank.tree.descend(bank.tree.centroids[0][0])
resolved_key(bank, {}, ClusterId(3, 1))
heavy = {"torch", "transformers", "sqlalchemy", "safetensors", "PySide6"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_browsing_a_bank_imports_nothing_heavy(tiny_bank: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT, str(tiny_bank)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_tiny_bank_names_the_real_encoder(tiny_bank: Path) -> None:
    assert open_bank(tiny_bank).manifest.retriever.model_dump() == RETRIEVER


def test_what_a_level_holds_is_what_is_held_of_each_of_its_clusters(tmp_path: Path) -> None:
    levels, kept = ((3, 4), (9, 0), (27, 6)), (None, None, [0, 5, 26])
    made = open_bank(make_bank(tmp_path / "bank", levels=levels, absent=[ClusterId(1, 2), ClusterId(3, 5)], kept=kept))
    for level, (clusters, _) in enumerate(levels, 1):
        assert made.held(level).tolist() == [made.has_block(ClusterId(level, index)) for index in range(clusters)]
    assert made.held(1).any()
    assert not made.held(2).any()
