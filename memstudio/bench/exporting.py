"""How fast a bank is exported, beside cp of the same files, and what memory it takes: random numbers, a cold cache, every file synced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from memstudio.bench.synthetic import Shape, synthetic_bank
from memstudio.errors import UserError
from memstudio.jobs import Job

ROUNDS = 3
_LEAVES, _LAYERS, _ROOM = 16**3, 4, 1.1


@dataclass(frozen=True, slots=True)
class ExportSpeed:
    """An export of a whole bank in one precision, and cp of the bank's folder: medians of some rounds, in which each goes first in turn.

    bytes: of the folder that was read; written_bytes: of the one that was written. Each was read from a cold cache where `cold`.
    write_s: up to the last sync, read_back_s: every digest read again; copy_s: cp and a sync of each file.
    idle_bytes: resident memory of the process with the bank open and ranked; peak_bytes: the most from there on, None where the system
    does not say.
    """

    precision: str
    bytes: int
    written_bytes: int
    write_s: float
    read_back_s: float
    copy_s: float
    rounds: int
    cold: bool
    idle_bytes: int | None
    peak_bytes: int | None

    @property
    def of_copy(self) -> float:
        """The bytes of the source a second, as a share of those of cp."""
        return self.copy_s / self.write_s

    def json(self) -> dict[str, Any]:
        """Its figures, with their names."""
        return {**{name: getattr(self, name) for name in self.__slots__}, "of_copy": self.of_copy}


def shape_of(size_bytes: int) -> Shape:
    """A bank of 16 × 16 × 16 clusters whose block rows take about so many bytes in bfloat16."""
    hidden = 1024 if size_bytes >= 10**8 else 64
    each = 2 * 3 * hidden * _LAYERS
    return Shape((16, 16, 16), (4, 2, max(1, size_bytes // (each * _LEAVES))), _LAYERS, hidden)


def measure_exports(size_bytes: int, precisions: tuple[str, ...], folder: Path | None, job: Job, rounds: int = ROUNDS) -> list[ExportSpeed]:
    """Make a bank of random numbers, and export all of it in each precision; folder: where there is room, None: the system's own.

    Raises:
        UserError: the disk has no room for the bank and a copy.
    """
    with TemporaryDirectory(dir=folder, prefix="memstudio-export-") as name:
        place = Path(name)
        free, needed = shutil.disk_usage(place).free, int(2 * _ROOM * size_bytes)
        if needed > free:
            raise UserError(f"{place}: takes about {needed:,} bytes, the disk has {free:,}: measure fewer, or name another --folder")
        shape = shape_of(size_bytes)
        bank = synthetic_bank(
            place / "bank", branching=shape.branching, widths=shape.widths, layers=shape.layers, hidden=shape.hidden, fill="random"
        )
        _synced(bank)
        found: list[ExportSpeed] = []
        for number, precision in enumerate(precisions):
            job.progress(number, len(precisions))
            found.append(_measured(bank, place, precision, rounds))
        job.progress(len(precisions), len(precisions))
        return found


def _measured(bank: Path, place: Path, precision: str, rounds: int) -> ExportSpeed:
    copies: list[float] = []
    exports: list[dict[str, Any]] = []
    for number in range(rounds):
        for export in (False, True) if number % 2 else (True, False):  # a disk may be fast for a while and slow after that
            cold = _evicted(bank)
            if export:
                exports.append(_exported(bank, place / "out", precision))
                written = _size(place / "out")
            else:
                start = time.perf_counter()
                _copied(bank, place / "out")
                copies.append(time.perf_counter() - start)
            shutil.rmtree(place / "out")
    times = {name: median(each[name] for each in exports) for name in ("write_s", "read_back_s")}
    most = max(exports, key=lambda each: each["peak_bytes"] or 0)
    memory = {name: most[name] for name in ("idle_bytes", "peak_bytes")}
    return ExportSpeed(
        precision=precision, bytes=_size(bank), written_bytes=written, copy_s=median(copies), cold=cold, rounds=rounds, **times, **memory
    )


def _exported(bank: Path, out: Path, precision: str) -> dict[str, Any]:
    """An export in a process of its own, whose memory is that of an export and of nothing else."""
    words = [sys.executable, "-m", "memstudio.bench.exporting", str(bank), str(out), precision]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def _copied(bank: Path, out: Path) -> None:
    program = shutil.which("cp")
    if program is not None:
        subprocess.run([program, "-r", str(bank), str(out)], check=True)
    else:
        shutil.copytree(bank, out)
    _synced(out)


def _synced(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def _evicted(folder: Path) -> bool:
    """Have the system forget what it holds of the files; whether it can be asked to."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def export_alone(bank_folder: Path, out: Path, precision: str) -> dict[str, Any]:
    """Export a whole bank, ranked by its documents, in this process: what the process of a measurement prints."""
    import torch  # loaded before memory counts as idle, as it is in a session

    from memstudio.bank.bank import open_bank
    from memstudio.export.bank import Wanted, drafted
    from memstudio.export.plan import plan_export
    from memstudio.export.precision import CHOICES
    from memstudio.export.rank import by_documents
    from memstudio.export.silence import Gone

    bank = open_bank(bank_folder)
    choice = next(each for each in CHOICES if each == precision)
    plan = plan_export(bank, {}, by_documents(bank.tree), precision=choice)
    rows: dict[str, torch.Tensor] = {}
    wanted = Wanted(plan, plan.kept(), "zero", {}, rows.__getitem__, Gone(), "bench")
    idle = _status("VmRSS")
    _forget_peak()
    with drafted(bank, out, wanted, Job("export")) as draft:
        draft.settle({})
    peak = _status("VmHWM")
    return {"write_s": draft.write_s, "read_back_s": draft.read_back_s, "idle_bytes": idle, "peak_bytes": peak}


def _status(field: str) -> int | None:
    """A figure of this process that Linux keeps, in bytes."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines[field].split()[0]) * 1024 if field in lines else None


def _forget_peak() -> None:
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(export_alone(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
