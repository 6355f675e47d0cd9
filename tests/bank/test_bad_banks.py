"""A bank is untrusted input: every damaged one gives one line that says what and where, and nothing else happens."""

import json
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from memstudio.bank.bank import open_bank
from memstudio.bank.files import inside
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from tests.bank.damage import edit_header, edit_manifest, seal, write_with_header
from tests.tiny import make_bank

LEVEL_2 = "blocks/level-2.safetensors"
TREE = "retriever/tree.safetensors"
Damage = Callable[[Path], object]


@pytest.fixture
def bank(tiny_bank: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bank that a test may damage."""
    return Path(shutil.copytree(tiny_bank, tmp_path / "bank"))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_bank(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 600
    return line


def setting(path: str, value: object) -> Damage:
    """Write a value at a dotted place of the manifest."""
    *parents, last = path.split("|")

    def change(body: dict[str, object]) -> None:
        at: object = body
        for step in parents:
            at = at[int(step)] if isinstance(at, list) else at[step]  # type: ignore[index]
        at[int(last) if isinstance(at, list) else last] = value  # type: ignore[index]

    return lambda folder: edit_manifest(folder, change)


def dropping(name: str) -> Damage:
    return lambda folder: edit_manifest(folder, lambda body: body.pop(name))


MANIFESTS: dict[str, tuple[Damage, str]] = {
    "not JSON": (lambda f: (f / "bank.json").write_bytes(b"{"), "not valid JSON"),
    "not UTF-8": (lambda f: (f / "bank.json").write_bytes(b"\xff\xfe{}"), "not valid JSON"),
    "empty": (lambda f: (f / "bank.json").write_bytes(b""), "not valid JSON"),
    "a list": (lambda f: (f / "bank.json").write_bytes(b"[]"), "object"),
    "nested absurdly": (lambda f: (f / "bank.json").write_bytes(b"[" * 200_000), "nested too deeply"),
    "a name twice": (lambda f: (f / "bank.json").write_bytes(b'{"name": "a", "name": "b"}'), "twice"),
    "not a number": (lambda f: (f / "bank.json").write_bytes(b'{"recipe": NaN}'), "NaN"),
    "a number of absurd length": (lambda f: (f / "bank.json").write_bytes(b'{"version": ' + b"9" * 5000 + b"}"), "not valid JSON"),
    "absurdly large": (lambda f: (f / "bank.json").write_bytes(b" " * (9 << 20)), "absurd"),
    "another format": (setting("format", "zip"), "format"),
    "a newer version": (setting("version", 2), "version"),
    "a word for a number": (setting("hidden_size", "32"), "hidden_size"),
    "a truth for a number": (setting("hidden_size", True), "hidden_size"),
    "a number for a list": (setting("layers", 2), "layers"),
    "no layers": (setting("layers", []), "layers"),
    "layers in disorder": (setting("layers", [1, 0]), "layers"),
    "a missing field": (dropping("retriever"), "retriever"),
    "an unknown field": (setting("trust_remote_code", True), "trust_remote_code"),
    "an unknown kind": (setting("kind", "lora"), "kind"),
    "an unknown dtype": (setting("dtype", "float64"), "dtype"),
    "an unknown fallback": (setting("fallback", "guess"), "fallback"),
    "a fallback that is not there": (lambda f: edit_manifest(f, lambda b: b.update(generic=False, fallback="generic")), "fallback"),
    "a name that is a path": (setting("name", "../../etc"), "name"),
    "an absurd width": (setting("levels|1|width", 10**9), "levels.1.width"),
    "a negative width": (setting("levels|1|width", -1), "levels.1.width"),
    "too few widths": (setting("levels|1|width", [4]), "levels.1.width"),
    "absurdly many clusters": (setting("levels|2|clusters", 10**12), "levels.2.clusters"),
    "clusters that branching denies": (setting("levels|2|clusters", 28), "levels.2.clusters"),
    "too few branchings": (setting("branching", [3, 3]), "branching"),
    "no levels": (lambda f: edit_manifest(f, lambda b: b.update(levels=[], branching=[])), "levels"),
    "a hub id without revision": (setting("anchor|source", "org/repo"), "anchor.source"),
    "an anchor outside": (setting("anchor|source", "../anchor/"), "anchor.source"),
    "a digest that is none": (setting("anchor|sha256", "abc"), "anchor.sha256"),
    "blocks that are not listed": (lambda f: edit_manifest(f, lambda b: b["files"].pop(LEVEL_2)), "level-2"),
    "an anchor that is not listed": (lambda f: edit_manifest(f, lambda b: b["files"].pop("anchor/config.json")), "config.json"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_bad_manifest_is_refused_with_the_fields_name(bank: Path, case: str) -> None:
    damage, said = MANIFESTS[case]
    damage(bank)
    line = refusal(bank)
    assert said in line
    assert str(bank) in line


def a_pickle(folder: Path, relative: str) -> None:
    (folder / relative).write_bytes(pickle.dumps({"blocks": [1, 2, 3]}))


def a_link(folder: Path, relative: str, target: Path) -> None:
    (folder / relative).unlink()
    (folder / relative).symlink_to(target)


def outside(folder: Path) -> Path:
    """A file beside the bank with the bytes of its level-2 blocks."""
    return Path(shutil.copyfile(folder / LEVEL_2, folder.parent / "outside.safetensors"))


FILES: dict[str, tuple[Damage, str]] = {
    "a missing file": (lambda f: (f / LEVEL_2).unlink(), "missing"),
    "a missing tree": (lambda f: (f / TREE).unlink(), "missing"),
    "a folder for a file": (lambda f: ((f / LEVEL_2).unlink(), (f / LEVEL_2).mkdir()), "not a regular file"),
    "a short file": (lambda f: os.truncate(f / LEVEL_2, 5000), "bytes"),
    "a short file, sealed": (lambda f: (os.truncate(f / LEVEL_2, 5000), seal(f, LEVEL_2)), "cut short"),
    "a few bytes": (lambda f: ((f / LEVEL_2).write_bytes(b"abc"), seal(f, LEVEL_2)), "too short"),
    "an empty file": (lambda f: ((f / LEVEL_2).write_bytes(b""), seal(f, LEVEL_2)), "too short"),
    "a header of absurd length": (
        lambda f: ((f / LEVEL_2).write_bytes((1 << 60).to_bytes(8, "little") + b"{}"), seal(f, LEVEL_2)),
        "absurd length",
    ),
    "a header longer than is read": (
        lambda f: ((f / LEVEL_2).write_bytes((9 << 20).to_bytes(8, "little") + b" " * (9 << 20)), seal(f, LEVEL_2)),
        "absurd length",
    ),
    "a header that is no JSON": (lambda f: (write_with_header(f / LEVEL_2, b"{nothing", b""), seal(f, LEVEL_2)), "header"),
    "a header nested absurdly": (lambda f: (write_with_header(f / LEVEL_2, b"[" * 100_000, b""), seal(f, LEVEL_2)), "nested"),
    "a header that is a list": (lambda f: (write_with_header(f / LEVEL_2, [], b""), seal(f, LEVEL_2)), "object"),
    "a shape that does not match": (lambda f: edit_header(f, LEVEL_2, lambda h: h["blocks"].update(shape=[5, 1536])), "manifest asks for"),
    "a shape that its bytes deny": (lambda f: edit_header(f, LEVEL_2, lambda h: h["blocks"].update(shape=[11, 768])), "do not match"),
    "an absurd shape": (lambda f: edit_header(f, LEVEL_2, lambda h: h["blocks"].update(shape=[1 << 62, 1 << 62])), "do not match"),
    "a negative shape": (lambda f: edit_header(f, LEVEL_2, lambda h: h["blocks"].update(shape=[-10, -768])), "bad shape"),
    "another dtype": (lambda f: edit_header(f, LEVEL_2, lambda h: h["blocks"].update(dtype="I32")), "F32"),
    "an unknown dtype": (lambda f: edit_header(f, LEVEL_2, lambda h: h["blocks"].update(dtype="object")), "unknown dtype"),
    "a tensor that leaves the file": (
        lambda f: edit_header(f, LEVEL_2, lambda h: h["blocks"].update(shape=[20, 768], data_offsets=[0, 61440])),
        "cut short",
    ),
    "tensors that overlap": (
        lambda f: edit_header(f, LEVEL_2, lambda h: h.update(other={"dtype": "U8", "shape": [8], "data_offsets": [0, 8]})),
        "overlaps",
    ),
    "no tensor of that name": (lambda f: edit_header(f, LEVEL_2, lambda h: h.update(rows=h.pop("blocks"))), "'blocks'"),
    "a tree of another dimension": (
        lambda f: edit_header(f, TREE, lambda h: h["centroids.2"].update(shape=[9 * 384])),
        "centroids.2",
    ),
    "a pickle with a tensor file's name": (lambda f: (a_pickle(f, LEVEL_2), seal(f, LEVEL_2)), "pickle"),
    "a pickle in the anchor": (lambda f: a_pickle(f, "anchor/pytorch_model.bin"), "pickle"),
    "a pickle that is listed": (lambda f: (a_pickle(f, "extra.pt"), seal(f, "extra.pt")), "pickle"),
    "an anchor file that is not listed": (lambda f: (f / "anchor/adapter_config.json").write_text("{}"), "not listed"),
    "facts that are not listed": (lambda f: edit_manifest(f, lambda b: b["files"].pop("facts.jsonl")), "not listed"),
    "a path upwards": (setting("files|../outside.safetensors", {"bytes": 1, "sha256": "0" * 64}), "leaves the folder"),
    "an absolute path": (setting("files|/etc/passwd", {"bytes": 1, "sha256": "0" * 64}), "leaves the folder"),
    "a drive": (setting("files|C:/x.json", {"bytes": 1, "sha256": "0" * 64}), "plain relative path"),
    "backslashes": (setting("files|..\\x.json", {"bytes": 1, "sha256": "0" * 64}), "plain relative path"),
    "a NUL in a path": (setting("files|x\0.json", {"bytes": 1, "sha256": "0" * 64}), "plain relative path"),
    "a link out of the folder": (lambda f: a_link(f, LEVEL_2, outside(f)), "out of the folder"),
    "a relative link out of the folder": (
        lambda f: (outside(f), a_link(f, LEVEL_2, Path("../../outside.safetensors"))),
        "out of the folder",
    ),
    "a link in a circle": (lambda f: a_link(f, LEVEL_2, Path("level-2.safetensors")), "missing"),
    "a folder that is a link outside": (
        lambda f: (shutil.move(f / "blocks", f.parent / "blocks"), (f / "blocks").symlink_to(f.parent / "blocks")),
        "out of the folder",
    ),
    "a manifest that is a link outside": (
        lambda f: (shutil.move(f / "bank.json", f.parent / "bank.json"), (f / "bank.json").symlink_to(f.parent / "bank.json")),
        "out of the folder",
    ),
    "clusters that are no database": (
        lambda f: ((f / "clusters.sqlite").write_bytes(b"nothing" * 100), seal(f, "clusters.sqlite")),
        "clusters.sqlite",
    ),
    "an empty database": (lambda f: ((f / "clusters.sqlite").write_bytes(b""), seal(f, "clusters.sqlite")), "no table"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused(bank: Path, case: str) -> None:
    damage, said = FILES[case]
    damage(bank)
    assert said in refusal(bank)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_is_refused_and_not_waited_for(bank: Path) -> None:
    (bank / LEVEL_2).unlink()
    os.mkfifo(bank / LEVEL_2)
    assert "regular" in refusal(bank)


def test_a_link_that_stays_inside_is_followed(bank: Path) -> None:
    (bank / "blocks/level-2.safetensors").rename(bank / "blocks/there.safetensors")
    (bank / "blocks/level-2.safetensors").symlink_to("there.safetensors")
    assert open_bank(bank).block(ClusterId(2, 0)).shape == (768,)


def test_a_snapshot_in_the_hubs_cache_may_link_to_its_blobs_and_nowhere_else(tiny_bank: Path, tmp_path: Path) -> None:
    root = tmp_path / "hub/models--example--bank"
    folder = Path(shutil.copytree(tiny_bank, root / "snapshots/abc123"))
    (root / "blobs").mkdir()
    for relative in (LEVEL_2, "anchor/config.json"):
        (folder / relative).rename(root / "blobs" / Path(relative).name)
        (folder / relative).symlink_to(Path("../../../blobs") / Path(relative).name)
    assert open_bank(folder).block(ClusterId(2, 0)).shape == (768,)
    assert inside(folder / "anchor", "config.json") == (root / "blobs/config.json").resolve()
    (root / "blobs/level-2.safetensors").rename(root / "level-2.safetensors")
    (folder / LEVEL_2).unlink()
    (folder / LEVEL_2).symlink_to("../../../level-2.safetensors")
    assert "out of the folder" in refusal(folder)


def test_a_folder_that_is_no_bank_is_refused(tmp_path: Path) -> None:
    assert "no such" in refusal(tmp_path / "absent")
    assert "not a bank" in refusal(tmp_path)
    (tmp_path / "file").write_text("x")
    assert "not a bank folder" in refusal(tmp_path / "file")


def test_a_view_in_place_of_a_table_is_refused(bank: Path) -> None:
    path = bank / "clusters.sqlite"
    db = sqlite3.connect(path)
    db.executescript("DROP TABLE documents; CREATE VIEW documents AS SELECT '1' AS id, '2' AS text, '[0]' AS path;")
    db.close()
    seal(bank, "clusters.sqlite")
    assert "documents" in refusal(bank)


@pytest.mark.parametrize(
    "statement", ["UPDATE clusters SET terms = 5", "UPDATE clusters SET terms = '{}'", "UPDATE clusters SET label = x'00ff'"]
)
def test_a_value_of_a_wrong_type_in_the_clusters_is_a_user_error(bank: Path, statement: str) -> None:
    db = sqlite3.connect(bank / "clusters.sqlite")
    with db:
        db.execute(statement)
    db.close()
    seal(bank, "clusters.sqlite")
    with pytest.raises(UserError, match="wrong type"):
        open_bank(bank).card(ClusterId(1, 0))


@pytest.mark.parametrize(
    ("ids", "said"), [([0, 0, 9], "ascending"), ([-1, 0, 9], "ascending"), ([0, 1, 10], "ascending"), ([0, 1, 2], "generic")]
)
def test_rows_of_a_pruned_bank_must_name_clusters(bank: Path, ids: list[int], said: str) -> None:
    save_file({"blocks": np.zeros((3, 768), np.float32), "clusters": np.array(ids)}, bank / LEVEL_2)
    seal(bank, LEVEL_2)
    assert said in refusal(bank)


def test_a_wrong_checksum_is_found_by_verify_and_names_the_file(bank: Path) -> None:
    path = bank / LEVEL_2
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    opened = open_bank(bank)
    with pytest.raises(UserError, match=r"level-2\.safetensors: wrong checksum"):
        opened.verify()


def test_verify_finds_an_anchor_that_is_not_the_one_named(bank: Path) -> None:
    edit_manifest(bank, lambda body: body["anchor"].update(sha256="0" * 64))
    with pytest.raises(UserError, match="wrong checksum"):
        open_bank(bank).verify()


@pytest.mark.parametrize("cluster", [(0, 0), (4, 0), (1, 3), (3, 27), (3, -1), (2, 10**9)])
def test_a_cluster_that_does_not_exist_is_a_user_error_everywhere(tiny_bank: Path, cluster: tuple[int, int]) -> None:
    bank, absent = open_bank(tiny_bank), ClusterId(*cluster)
    for ask in (bank.block, bank.card, bank.documents_of, bank.tree.check):
        with pytest.raises(UserError, match=str(absent)):
            ask(absent)
    assert not bank.has_block(absent)


def test_a_centroid_that_is_no_number_is_a_user_error(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank", anchor=False)
    raw = bytearray((folder / TREE).read_bytes())
    length = int.from_bytes(raw[:8], "little")
    begin = 8 + length + json.loads(raw[8 : 8 + length])["centroids.1"]["data_offsets"][0]
    raw[begin : begin + 4] = np.float32(np.nan).tobytes()
    (folder / TREE).write_bytes(raw)
    with pytest.raises(UserError, match="1/0"):
        open_bank(folder).tree.descend(np.ones(384, np.float32))


def test_a_file_cut_short_while_the_bank_is_open_is_a_user_error_not_a_crash(bank: Path) -> None:
    opened = open_bank(bank)
    os.truncate(bank / LEVEL_2, 100)
    with pytest.raises(UserError, match="changed while"):
        opened.block(ClusterId(2, 8))


def test_a_damaged_bank_is_left_as_it_was(bank: Path) -> None:
    os.truncate(bank / LEVEL_2, 5000)
    before = {path: path.read_bytes() for path in sorted(bank.rglob("*")) if path.is_file()}
    refusal(bank)
    assert {path: path.read_bytes() for path in sorted(bank.rglob("*")) if path.is_file()} == before
