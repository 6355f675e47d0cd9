"""UMAP in a process of its own: minutes of it, and its compiler, stand in the way of no window, no run and no other import.

`python -m memstudio.session.umap_process IN OUT` reads "centroids" float32 [n, dim] from IN and writes "points" float32 [n, 2] to OUT,
both safetensors. Standard output bears one JSON object a line, {"stage", "done", "total"}; the process ends when its standard input does.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20_251_002
METRIC = "euclidean"
_MANY = 4096
"""Of fewer clusters all pairs are looked at, which takes no compiler; of so many UMAP's own search finds nearly all neighbours."""
_NICE = 10
_TOLD_S = 0.2
_EPOCH = re.compile(r"(\d+) of (\d+)")

Floats = NDArray[np.float32]


class Settings(NamedTuple):
    """What UMAP goes by. neighbours: of each cluster, kept together; apart: how close two points may lie, against a spread of 1."""

    neighbours: int
    apart: float


Tell = Callable[[str, int, int | None], None]


def settings(count: int) -> Settings:
    """For so many clusters. Few are laid out wide, else their families would be dots in an empty plane; many need the room."""
    return Settings(15, 0.1) if count >= _MANY else Settings(max(1, min(100, count - 1)), 0.9)


class EpochStream:
    """What UMAP's progress bar writes to: finds "3 of 200" in it and tells it on."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def write(self, text: str) -> int:
        """A piece of the bar."""
        found = _EPOCH.search(text)
        if found is not None:
            self._tell("laying out, epochs", int(found[1]), int(found[2]))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def lay_out(centroids: Floats, tell: Tell) -> tuple[Floats, str]:
    """Points float32 [n, 2] for centroids float32 [n, dim], n > 3, the same on every run on one machine; and the version of UMAP."""
    tell("starting UMAP", 0, None)
    import umap  # type: ignore[import-untyped]  # ships no types
    from umap.umap_ import nearest_neighbors  # type: ignore[import-untyped]

    neighbours, apart = settings(len(centroids))
    tell(f"finding the neighbours of {len(centroids):,} clusters", 0, None)
    if len(centroids) < _MANY:
        found = nearest(centroids, neighbours)
    else:
        state = np.random.RandomState(SEED)
        found = nearest_neighbors(centroids, neighbours, METRIC, {}, False, state, low_memory=True, n_jobs=1)[:2]
    tell("laying out", 0, None)
    model = umap.UMAP(
        n_neighbors=neighbours,
        min_dist=apart,
        metric=METRIC,
        init="pca",  # the spectral one takes minutes on many, and fails on few
        random_state=SEED,
        n_jobs=1,
        precomputed_knn=found,
        tqdm_kwds={"disable": False, "file": EpochStream(tell), "bar_format": "{n} of {total} ", "mininterval": _TOLD_S},
    )
    return np.ascontiguousarray(model.fit_transform(centroids), dtype=np.float32), str(umap.__version__)


def nearest(centroids: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
    """The nearest rows of each row, itself first: indices and L2 distances [n, count], nearest first. Looks at all pairs."""
    rows = centroids.astype(np.float64)
    lengths = (rows**2).sum(1)
    squares = np.maximum(lengths[:, None] + lengths - 2 * rows @ rows.T, 0.0)
    np.fill_diagonal(squares, -1.0)
    indices = np.argsort(squares, axis=1, kind="stable")[:, :count]
    distances = np.sqrt(np.maximum(np.take_along_axis(squares, indices, axis=1), 0.0))
    return indices, distances.astype(np.float32)


def main(arguments: list[str]) -> int:
    """Do what the module says; the exit status is 0 where OUT was written."""
    given, wanted = (Path(argument) for argument in arguments)
    spoken = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no progress
    threading.Thread(target=end_with_input, daemon=True).start()
    if sys.platform != "win32":
        os.nice(_NICE)
    import warnings

    from safetensors.numpy import load_file, save_file

    warnings.simplefilter("ignore")  # what UMAP says of its own imports is no business of a person
    points, version = lay_out(load_file(given)["centroids"], lambda *said: _say(spoken, *said))
    save_file({"points": points}, wanted, metadata={"umap": version})
    return 0


def _say(stream: IO[str], stage: str, done: int, total: int | None) -> None:
    stream.write(json.dumps({"stage": stage, "done": done, "total": total}) + "\n")
    stream.flush()


def end_with_input() -> None:
    """A parent that was killed leaves nothing behind: the other end of this pipe goes with it."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except ModuleNotFoundError as missing:
        raise SystemExit(f"{missing.name} is not installed: pip install umap-learn") from None
    except MemoryError:
        raise SystemExit("not enough memory for so many clusters: close other programs and try again") from None
