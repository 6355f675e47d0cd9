"""Where the clusters of a bank lie among each other: a map of all centroids in the plane, made once a bank and kept beside a study."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import read_header
from memstudio.errors import UserError
from memstudio.session.umap_child import CHILD, embed
from memstudio.session.umap_process import METRIC, SEED, settings

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank
    from memstudio.bank.tree import Tree
    from memstudio.jobs import Job

Floats = NDArray[np.float32]
Method = Literal["umap", "pca"]

FEW = 10
"""Under so many clusters UMAP has no neighbourhoods to keep, and the map is the plane of their principal components."""
_FORMAT, _VERSION = "memstudio-map", "1"
_NEAREST = 5
_ROWS = 8192


@dataclass(frozen=True, eq=False, slots=True)
class Map:
    """points: float32 [clusters, 2] a level, coarsest first, within −1 … 1; NaN where the cluster is absent, and only there.

    bank: the bank's digest. method: "umap", or "pca" where there are too few clusters for it. umap: its version, "" for pca.
    """

    points: tuple[Floats, ...]
    bank: str
    method: Method
    seed: int
    umap: str

    @property
    def count(self) -> int:
        """How many clusters have a place: all that are not absent."""
        return sum(int(np.isfinite(each[:, 0]).sum()) for each in self.points)


def map_file(folder: Path, digest: str) -> Path:
    """Where a study's folder keeps the map of a bank."""
    return folder / f"map-{digest[:12]}.safetensors"


def centroid_map(bank: Bank, keep: Path, job: Job, *, child: Sequence[str] = CHILD) -> Map:
    """The map that `keep` holds, or a new one, which it holds from then on.

    All centroids of all levels that are not absent are embedded together, by L2 distance, as the router sees them; none is left out.
    UMAP runs in a process of its own with low priority, on one thread: 70,000 clusters take it a few minutes. The job's title names
    the stage. Only the bank's tree is read, so this may also run beside the worker's thread. child: the command that runs UMAP.

    Raises:
        UserError: a centroid is not finite, `keep` cannot be written, or the process failed: with its last line.
        Cancelled: the job was cancelled; the process has ended and nothing was written.
    """
    kept = read_map(bank, keep)
    if kept is not None:
        return kept
    centroids = _centroids(bank.tree)
    _check_writable(keep)
    if _umap_has_work(centroids):
        points, version = embed(centroids, job, child)
        made = Map(_spread(bank.tree, _fit(points)), bank.digest, "umap", SEED, version)
    else:
        made = Map(_spread(bank.tree, _fit(_principal(centroids))), bank.digest, "pca", SEED, "")
    job.breathe()
    _write(made, keep)
    return made


def read_map(bank: Bank, keep: Path) -> Map | None:
    """The map that a file holds; None where there is none, or it is damaged, of another bank, or made with other settings."""
    from safetensors import SafetensorError, safe_open

    tree = bank.tree
    try:
        header = read_header(keep)
        for level in range(1, tree.depth + 1):
            header.entry(f"points.{level}", "F32", (tree.count(level), 2))
        with safe_open(keep, "np") as file:
            facts = dict(file.metadata() or {})
            points = tuple(np.asarray(file.get_tensor(f"points.{level}"), np.float32) for level in range(1, tree.depth + 1))
    except (UserError, SafetensorError, OSError):  # a map can be made again, so a bad one is as good as none
        return None
    method: Method = "pca" if facts.get("method") == "pca" else "umap"
    made = Map(points, bank.digest, method, SEED, facts.get("umap", "")[:40])
    fits = all(_fits(each, tree.documents[at] > 0) for at, each in enumerate(points))
    return made if fits and facts == _facts(made) else None


def place_key(made: Map, tree: Tree, key: Floats) -> tuple[float, float]:
    """Where a key [dim] lies on the map: an estimate, for the map was made without it.

    The mean of the points of the five clusters of any level whose centroids are nearest to it by L2, weighted by 1 / distance². Where
    these lie apart on the map, the mean lies between them, among clusters that may be nothing to the key.

    Raises:
        ValueError: the key is not finite or not [dim].
    """
    wanted = np.asarray(key, np.float32)
    if wanted.shape != (tree.dim,) or not np.isfinite(wanted).all():
        raise ValueError(f"a key is {tree.dim} finite numbers")
    away: list[Floats] = []
    points: list[Floats] = []
    for level, (documents, placed) in enumerate(zip(tree.documents, made.points, strict=True), 1):
        for at, centroids in tree.stretches(level, _ROWS):
            rows = slice(at, at + len(centroids))
            squares = ((centroids - wanted) ** 2).sum(1)
            squares[(documents[rows] <= 0) | ~np.isfinite(squares)] = np.inf
            best = np.argsort(squares, kind="stable")[:_NEAREST]
            away.append(squares[best])
            points.append(placed[rows][best])
    squares, near = np.concatenate(away), np.concatenate(points)
    best = np.argsort(squares, kind="stable")[:_NEAREST]
    best = best[np.isfinite(squares[best])]
    weights = 1.0 / np.maximum(squares[best].astype(np.float64), 1e-12)
    x, y = (near[best] * weights[:, None]).sum(0) / weights.sum()
    return float(x), float(y)


def _centroids(tree: Tree) -> Floats:
    """Of all clusters that are not absent, float32 [n, dim], coarsest level first."""
    parts = [centroids[documents > 0] for centroids, documents in zip(tree.centroids, tree.documents, strict=True)]
    for level, part in enumerate(parts, 1):
        if not np.isfinite(part).all():
            raise UserError(f"retriever/tree.safetensors: a centroid of level {level} is not a finite number: the bank is damaged")
    return np.ascontiguousarray(np.concatenate(parts), np.float32)


def _umap_has_work(centroids: Floats) -> bool:
    """Neighbourhoods to keep: enough clusters, more dimensions than the plane has, and not all of them in one place."""
    count, dim = centroids.shape
    return count >= FEW and dim > 2 and bool((centroids != centroids[0]).any())


def _principal(centroids: Floats) -> Floats:
    """The first two principal components, float32 [n, 2], 0 where there is none; their signs are fixed."""
    points = np.zeros((len(centroids), 2), np.float32)
    around = (centroids - centroids[:1]).astype(np.float64)  # exactly 0 where all are the same, which a mean need not be
    if around.any():
        around -= around.mean(0)
        _, _, axes = np.linalg.svd(around, full_matrices=False)
        found = around @ axes[:2].T
        found *= np.where(found[np.abs(found).argmax(0), range(found.shape[1])] < 0, -1.0, 1.0)
        points[:, : found.shape[1]] = found
    return points


def _fit(points: Floats) -> Floats:
    """Moved and scaled into −1 … 1, both axes alike."""
    if not len(points):
        return points
    low, high = points.min(0), points.max(0)
    fitted: Floats = ((points - (low + high) / 2) / (float((high - low).max()) / 2 or 1.0)).astype(np.float32)
    return fitted


def _spread(tree: Tree, points: Floats) -> tuple[Floats, ...]:
    """Points [n, 2] of those that are there, as one array a level."""
    levels: list[Floats] = []
    at = 0
    for documents in tree.documents:
        own, present = np.full((len(documents), 2), np.nan, np.float32), documents > 0
        own[present] = points[at : at + int(present.sum())]
        at += int(present.sum())
        levels.append(own)
    return tuple(levels)


def _fits(points: Floats, present: NDArray[np.bool_]) -> bool:
    inside = np.abs(points[present])
    return bool((inside <= 1.001).all() and np.isnan(points[~present]).all())


def _facts(made: Map) -> dict[str, str]:
    neighbours, apart = settings(made.count)
    by = {"seed": str(made.seed), "neighbours": str(neighbours), "apart": str(apart), "metric": METRIC}
    return {"format": _FORMAT, "version": _VERSION, "bank": made.bank, "method": made.method, "umap": made.umap, **by}


def _check_writable(keep: Path) -> None:
    """Better before a minute's work than after it."""
    try:
        keep.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=keep.parent):
            pass
    except OSError as error:
        raise _unwritable(keep, error) from None


def _unwritable(keep: Path, error: OSError) -> UserError:
    return UserError(f"{keep}: the map cannot be kept there ({error.strerror or error}): make room, or open a study that can be written")


def _write(made: Map, keep: Path) -> None:
    """Whole or not at all: written beside and renamed."""
    from safetensors.numpy import save

    whole = save({f"points.{level}": points for level, points in enumerate(made.points, 1)}, metadata=_facts(made))
    beside: Path | None = None
    try:  # a folder that went meanwhile, a temporary study's for example, is not made again
        with tempfile.NamedTemporaryFile(dir=keep.parent, prefix=f".{keep.stem}-", delete=False) as file:
            beside = Path(file.name)
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(keep)
    except OSError as error:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise _unwritable(keep, error) from None
