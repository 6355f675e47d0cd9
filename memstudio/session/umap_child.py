"""The process that makes a map, seen from outside: begun, heard, and ended whichever way the job ends."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import read_header
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.jobs import Job

Floats = NDArray[np.float32]
Lines = queue.SimpleQueue[str | None]

CHILD = (sys.executable, "-P", "-m", "memstudio.session.umap_process")
"""-P: a folder that a person happens to stand in, a bank's for example, holds no code that is run."""
_BREATH_S, _PATIENCE_S = 0.05, 3.0
_TAIL_BYTES, _LINE_CHARACTERS = 8192, 300
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def embed(centroids: Floats, job: Job, child: Sequence[str] = CHILD) -> tuple[Floats, str]:
    """Points float32 [n, 2] for centroids float32 [n, dim], and the version of UMAP. The job breathes while it waits.

    Raises:
        UserError: the process failed; its last line on standard error says why.
        Cancelled: the job was cancelled; the process has ended.
    """
    from safetensors.numpy import save_file

    try:
        with tempfile.TemporaryDirectory(prefix="memstudio-map-", ignore_cleanup_errors=True) as folder:
            given, wanted, errors = (Path(folder) / name for name in ("given.safetensors", "wanted.safetensors", "errors"))
            save_file({"centroids": centroids}, given)
            with errors.open("wb") as complaints, _running([*child, str(given), str(wanted)], complaints) as running:
                status = _hear(*running, job)
            if status != 0:
                raise UserError(f"the map was not made: {_why(status, errors)}")
            return _read(wanted, len(centroids))
    except OSError as error:
        raise UserError(f"the map was not made: {error.strerror or error}: make room in {tempfile.gettempdir()}") from error


@contextmanager
def _running(command: Sequence[str], complaints: IO[bytes]) -> Iterator[tuple[subprocess.Popen[str], Lines]]:
    """A child on one thread, and what it says, None at its end. It is gone when the block ends: asked to end first, then made to."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # the child ends when this does
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **dict.fromkeys(_THREADS, "1")},
    )
    lines: Lines = queue.SimpleQueue()
    reader = threading.Thread(target=_read_lines, args=(process, lines), name="memstudio-map-child", daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        _end(process)
        reader.join()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_lines(process: subprocess.Popen[str], lines: Lines) -> None:
    for said in process.stdout or ():
        lines.put(said)
    lines.put(None)


def _hear(process: subprocess.Popen[str], lines: Lines, job: Job) -> int:
    """Pass on what the child says until it has ended, and give its status; urgent calls run and a cancel is seen meanwhile."""
    talks = True
    while talks or process.poll() is None:
        try:
            line = lines.get(timeout=_BREATH_S)
        except queue.Empty:
            job.breathe()
            continue
        if line is None:
            talks = False
        else:
            _tell(job, line)
    return process.wait()


def _tell(job: Job, line: str) -> None:
    """One line of progress; the title says the stage."""
    said = json.loads(line)
    job.title = f"Map: {said['stage']}"
    job.progress(int(said["done"]), None if said["total"] is None else int(said["total"]))


def _why(status: int, errors: Path) -> str:
    """The last line that a failed child wrote; where it wrote none, how it ended."""
    with errors.open("rb") as file:
        file.seek(max(0, errors.stat().st_size - _TAIL_BYTES))
        lines = [" ".join(line.split()) for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    if status < 0:
        return f"its process was ended by signal {-status}, which also happens when memory runs out: close other programs and try again"
    return lines[-1][:_LINE_CHARACTERS] if lines else f"its process ended with status {status} and said nothing: try again"


def _read(file: Path, count: int) -> tuple[Floats, str]:
    """What the child wrote, checked.

    Raises:
        UserError: it is not [count, 2] finite numbers.
    """
    from safetensors import safe_open

    read_header(file).entry("points", "F32", (count, 2))
    with safe_open(file, "np") as opened:
        points: Floats = np.asarray(opened.get_tensor("points"), np.float32)
        version = str((opened.metadata() or {}).get("umap", ""))
    if not np.isfinite(points).all():
        raise UserError("the map was not made: UMAP gave places that are no finite numbers")
    return points, version
