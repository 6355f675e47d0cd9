"""A map of the centroids is made once a bank, in a process that never outlives its job, and a kept one is believed only where it fits."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.tree import Tree
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.session.centroid_map import FEW, centroid_map, map_file, place_key, read_map
from memstudio.session.umap_child import CHILD
from memstudio.session.umap_process import nearest
from tests.tiny import DIM, make_tree

PLANE = """
import json, sys
from safetensors.numpy import load_file, save_file
print(json.dumps({"stage": "laying out, epochs", "done": 3, "total": 5}), flush=True)
save_file({"points": load_file(sys.argv[1])["centroids"][:, :2].copy()}, sys.argv[2], metadata={"umap": "0.0"})
"""
LINGERS = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"stage": "at work", "done": os.getpid(), "total": None}), flush=True)
time.sleep(600)
"""


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def bank_of(tree: Tree) -> Bank:
    return SimpleNamespace(tree=tree, digest="ab" * 32)  # type: ignore[return-value]  # all that a map asks of a bank


def test_the_child_runs_no_code_of_the_folder_it_is_begun_in(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("open('was_run', 'w').close()")
    with subprocess.Popen([*CHILD, "none", "none"], cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as begun:
        assert begun.stderr is not None
        assert "FileNotFoundError" in begun.stderr.read()
    assert not (tmp_path / "was_run").exists()


@pytest.fixture
def bank(tiny_bank: Path) -> Bank:
    return open_bank(tiny_bank)


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    return tmp_path / "study" / "map.safetensors"


def alone(keep: Path) -> bool:
    return [each.name for each in keep.parent.iterdir()] == [keep.name]


@pytest.mark.slow
def test_umap_places_every_cluster_and_says_how_far_it_is(bank: Bank, keep: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    made = centroid_map(bank, keep, Job("map", on_progress=lambda job: told.append((job.title, job.done, job.total))))
    assert (made.method, made.bank, made.count) == ("umap", bank.digest, 39)
    assert [points.shape for points in made.points] == [(3, 2), (9, 2), (27, 2)]
    assert np.abs(np.concatenate(made.points)).max() == pytest.approx(1.0)
    assert made.umap
    stages = [title for title, _, _ in told]
    assert stages[0] == "Map: starting UMAP"
    assert told[-1][1] == told[-1][2]
    assert "epochs" in stages[-1]
    leaves, inner = made.points[2], made.points[1]
    own = np.linalg.norm(leaves - np.repeat(inner, 3, 0), axis=1)
    others = np.linalg.norm(leaves[:, None] - inner, axis=2)
    assert own.mean() < others.mean() / 2, "children lie about their parent"
    assert alone(keep)


@pytest.mark.slow
def test_the_same_bank_has_the_same_map(bank: Bank, tmp_path: Path) -> None:
    one, other = (centroid_map(bank, tmp_path / name, Job("map")) for name in ("one", "other"))
    assert all(np.array_equal(a, b) for a, b in zip(one.points, other.points, strict=True))


def test_a_map_is_made_once_and_read_from_then_on(bank: Bank, keep: Path) -> None:
    heard: list[tuple[str, int]] = []
    made = centroid_map(bank, keep, Job("map", on_progress=lambda job: heard.append((job.title, job.done))), child=child(PLANE))
    assert ("Map: laying out, epochs", 3) in heard
    again = centroid_map(bank, keep, Job("map"), child=child("raise SystemExit('made again')"))
    assert all(np.array_equal(a, b) for a, b in zip(made.points, again.points, strict=True))
    assert (again.method, again.umap, again.bank) == ("umap", "0.0", bank.digest)


def test_absent_clusters_have_no_place_and_the_rest_all_have_one(keep: Path) -> None:
    tree = make_tree(((4, 0), (16, 0)), absent=[ClusterId(2, 3), ClusterId(2, 9)])
    tree.centroids[1][3] = np.nan
    made = centroid_map(bank_of(tree), keep, Job("map"), child=child(PLANE))
    assert np.flatnonzero(np.isnan(made.points[1]).any(1)).tolist() == [3, 9]
    assert made.count == 18
    kept = read_map(bank_of(tree), keep)
    assert kept is not None
    assert np.array_equal(kept.points[1], made.points[1], equal_nan=True)


def test_a_centroid_that_is_no_number_is_named(keep: Path) -> None:
    tree = make_tree(((4, 0), (16, 0)))
    tree.centroids[1][3, 5] = np.inf
    with pytest.raises(UserError, match="level 2 is not a finite number"):
        centroid_map(bank_of(tree), keep, Job("map"))
    assert not keep.exists()


@pytest.mark.parametrize("clusters", [1, 2, 3, FEW - 1])
def test_few_clusters_lie_in_the_plane_of_their_principal_components(keep: Path, clusters: int) -> None:
    tree = make_tree(((clusters, 0),))
    made = centroid_map(bank_of(tree), keep, Job("map"), child=child("raise SystemExit('not asked for')"))
    assert (made.method, made.umap, made.count) == ("pca", "", clusters)
    kept = read_map(bank_of(tree), keep)
    assert kept is not None
    assert kept.method == "pca"
    if clusters == 2:
        assert np.allclose(np.abs(made.points[0]), [[1, 0], [1, 0]], atol=1e-5)


def test_clusters_that_are_all_the_same_lie_in_one_place(keep: Path) -> None:
    tree = Tree([np.full((20, DIM), 0.1, np.float32)], [np.ones(20, np.int64)], [20])
    made = centroid_map(bank_of(tree), keep, Job("map"))
    assert made.method == "pca"
    assert not made.points[0].any()


@pytest.mark.parametrize("damage", ["cut", "text", "shape", "dtype", "bank", "settings", "nan", "far", "missing"])
def test_a_kept_map_that_does_not_fit_is_made_again(bank: Bank, keep: Path, damage: str) -> None:
    from safetensors import safe_open

    made = centroid_map(bank, keep, Job("map"), child=child(PLANE))
    with safe_open(keep, "np") as file:
        facts = file.metadata()
    tensors = load_file(keep)
    if damage == "cut":
        keep.write_bytes(keep.read_bytes()[:-8])
    elif damage == "text":
        keep.write_text("no safetensors")
    elif damage == "missing":
        keep.unlink()
    else:
        points = tensors["points.2"]
        if damage == "shape":
            tensors["points.2"] = points[:-1].copy()
        elif damage == "dtype":
            tensors["points.2"] = points.astype(np.float64)
        elif damage == "nan":
            points[4] = np.nan
        elif damage == "far":
            points[4] = 1e30
        elif damage == "bank":
            facts["bank"] = "0" * 64
        else:
            facts["neighbours"] = "3"
        save_file(tensors, keep, metadata=facts)
    assert read_map(bank, keep) is None
    again = centroid_map(bank, keep, Job("map"), child=child(PLANE))
    assert np.array_equal(again.points[1], made.points[1])
    assert read_map(bank, keep) is not None


def test_a_cancelled_map_leaves_no_process_and_no_file(bank: Bank, keep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memstudio.session.umap_child._PATIENCE_S", 0.2)
    pids: list[int] = []
    job = Job("map", on_progress=lambda job: (pids.append(job.done), job.cancel()))  # type: ignore[func-returns-value]
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        centroid_map(bank, keep, job, child=child(LINGERS))
    assert time.monotonic() - begun < 60
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert list(keep.parent.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "memstudio-map-child"]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("import sys; sys.stderr.write('Traceback\\n  File x\\nnumba is broken\\n'); sys.exit(1)", "numba is broken"),
        ("raise MemoryError('cannot allocate 9 GiB')", "MemoryError: cannot allocate 9 GiB"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9.*memory"),
        ("import sys; sys.exit(3)", "status 3 and said nothing"),
        (PLANE.replace("[:, :2]", "[:5, :2]"), r"F32 \[5, 2\]"),
        (PLANE.replace("[:, :2].copy()", "[:, :2] * float('nan')"), "no finite numbers"),
    ],
)
def test_a_process_that_fails_gives_one_line_and_no_file(bank: Bank, keep: Path, code: str, line: str) -> None:
    with pytest.raises(UserError, match=line) as caught:
        centroid_map(bank, keep, Job("map"), child=child(code))
    assert "\n" not in str(caught.value)
    assert list(keep.parent.iterdir()) == []


def test_the_process_ends_when_its_parent_does() -> None:
    waits = "import threading, time\nfrom memstudio.session.umap_process import end_with_input\n"
    waits += "threading.Thread(target=end_with_input, daemon=True).start()\nprint('up', flush=True)\ntime.sleep(600)"
    with subprocess.Popen(child(waits), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().strip() == b"up"
        process.stdin.close()
        assert process.wait(60) == 1


def test_a_place_that_cannot_be_written_is_refused_before_the_work(bank: Bank, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be kept there"):
        centroid_map(bank, tmp_path / "file" / "map.safetensors", Job("map"), child=child("raise SystemExit('too late')"))


def test_a_key_lies_where_its_nearest_clusters_do(bank: Bank, keep: Path) -> None:
    made = centroid_map(bank, keep, Job("map"), child=child(PLANE))
    on = place_key(made, bank.tree, np.array(bank.tree.centroids[2][7]))
    assert on == pytest.approx(tuple(made.points[2][7]), abs=1e-4)
    between = place_key(made, bank.tree, (bank.tree.centroids[2][7] + bank.tree.centroids[2][8]) / 2)
    whole = np.concatenate(made.points)
    assert (whole.min(0) <= between).all()
    assert (between <= whole.max(0)).all()
    for bad in (np.zeros(3, np.float32), np.full(DIM, np.nan, np.float32)):
        with pytest.raises(ValueError, match="finite numbers"):
            place_key(made, bank.tree, bad)


def test_a_key_is_never_placed_by_an_absent_cluster(keep: Path) -> None:
    tree = make_tree(((4, 0), (16, 0)), absent=[ClusterId(2, 3)])
    made = centroid_map(bank_of(tree), keep, Job("map"), child=child(PLANE))
    assert np.isfinite(place_key(made, tree, np.array(tree.centroids[1][3]))).all()


def test_neighbours_are_those_of_all_pairs_itself_first() -> None:
    rows = np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32)
    rows[11] = rows[4]
    indices, distances = nearest(rows, 5)
    assert indices[:, 0].tolist() == list(range(30))
    assert indices[11, 1] == 4
    assert not distances[:, 0].any()
    wanted = np.sort(np.linalg.norm(rows[:, None].astype(np.float64) - rows, axis=2), axis=1)[:, :5]
    assert np.allclose(distances, wanted, atol=1e-5)


def test_the_file_is_named_by_the_bank(tmp_path: Path) -> None:
    assert map_file(tmp_path, "0123456789abcdef") == tmp_path / "map-0123456789ab.safetensors"
