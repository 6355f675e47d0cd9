"""Changed blocks on disk: bit for bit what was put, or a refusal."""

import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from memstudio.bank.block import block_digest
from memstudio.bank.values import BASE, BlockState, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history.store import Store
from tests.history.conftest import OpenStudy

GOLD = ClusterId(3, 4)


def a_row(dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(96, generator=torch.Generator().manual_seed(seed)).to(dtype)


def swap(store: Store, row: torch.Tensor) -> str:
    sha256 = store.put_blob(row)
    with store.commit("swap", "gold", [Change(GOLD, store.overlay().get(GOLD, BASE), BlockState(sha256))]):
        return sha256


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_blob_comes_back_bit_for_bit(open_study: OpenStudy, dtype: torch.dtype) -> None:
    store = open_study()
    row = a_row(dtype)
    row[0], row[1] = float("nan"), -0.0
    sha256 = store.put_blob(row)
    assert sha256 == block_digest(row)
    back = store.blob(sha256)
    assert back.dtype == dtype
    assert torch.equal(back.view(torch.uint8), row.view(torch.uint8))


def test_a_view_into_a_larger_tensor_keeps_only_the_row(open_study: OpenStudy, folder: Path) -> None:
    store = open_study()
    table = torch.randn(50, 96)
    sha256 = store.put_blob(table[7])
    assert torch.equal(store.blob(sha256), table[7])
    assert (folder / "blobs" / f"{sha256}.safetensors").stat().st_size < 2 * 96 * 4


def test_a_blob_that_a_revision_names_outlives_restarts_and_others_go(open_study: OpenStudy, folder: Path) -> None:
    store = open_study()
    kept = swap(store, a_row())
    with store.move(0):
        pass  # a redo target is still named
    stray = store.put_blob(a_row(seed=1))
    (folder / "blobs" / f"{stray}.safetensors.part").write_bytes(b"half a wr")
    (folder / "blobs" / "notes.txt").write_text("the user's own")
    store.close()
    reader = open_study(readonly=True)
    assert torch.equal(reader.blob(kept), a_row())
    assert len(list((folder / "blobs").iterdir())) == 4
    open_study()
    assert sorted(path.name for path in (folder / "blobs").iterdir()) == sorted([f"{kept}.safetensors", "notes.txt"])


@pytest.mark.parametrize("damage", ["flipped bit", "short", "pickle", "other name", "integers", "link", "gone"])
def test_a_damaged_blob_is_refused_in_one_line_and_mended_by_putting_it_again(open_study: OpenStudy, folder: Path, damage: str) -> None:
    store = open_study()
    sha256 = swap(store, a_row())
    path = folder / "blobs" / f"{sha256}.safetensors"
    whole = path.read_bytes()
    path.unlink()
    match damage:
        case "flipped bit":
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "short":
            path.write_bytes(whole[:-5])
        case "pickle":
            torch.save(a_row(), path)
        case "other name":
            save_file({"rows": a_row()}, path)
        case "integers":
            save_file({"block": torch.zeros(96, dtype=torch.int64)}, path)
        case "link":
            (folder / "elsewhere").write_bytes(whole)
            path.symlink_to(folder / "elsewhere")
    with pytest.raises(UserError, match=rf"{sha256[:12]}[^\n]*: take the study from a copy$"):
        store.blob(sha256)
    assert store.put_blob(a_row()) == sha256
    assert torch.equal(store.blob(sha256), a_row())
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ["base", "../study", "A1" * 32])
def test_a_name_that_is_no_digest_reaches_no_file(open_study: OpenStudy, name: str) -> None:
    with pytest.raises(UserError, match="is missing"):
        open_study().blob(name)


def test_a_blob_is_synced_before_it_is_renamed_and_its_folder_before_any_row(
    open_study: OpenStudy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_study()
    store.put_blob(a_row(seed=9))  # the blobs folder is there now
    steps: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        steps.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        real_sync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        steps.append("rename")
        return real_replace(path, target)

    def executes(*given: object) -> None:
        steps.append(str(given[2]).split()[0])

    def commits(_: object) -> None:
        steps.append("COMMIT")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    event.listen(Engine, "before_cursor_execute", executes)
    event.listen(Engine, "commit", commits)
    try:
        swap(store, a_row())
    finally:
        event.remove(Engine, "before_cursor_execute", executes)
        event.remove(Engine, "commit", commits)
    assert steps[:3] == ["sync file", "rename", "sync folder"]
    written = steps[steps.index("INSERT") :]
    assert steps.index("INSERT") > 2
    assert written.count("INSERT") == 2
    assert written.index("COMMIT") == len(written) - 1


def test_commits_are_synced_to_the_disk(open_study: OpenStudy) -> None:
    pragmas: dict[str, object] = {}

    def look(connection: Connection) -> None:
        for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema"):
            pragmas[name] = connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    store = open_study()
    event.listen(Engine, "commit", look)
    try:
        swap(store, a_row())
    finally:
        event.remove(Engine, "commit", look)
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0}
