"""What a process has in memory and open, as Linux counts it."""

import os
from dataclasses import dataclass
from pathlib import Path

from memstudio.errors import UserError

_STATUS, _FILES = Path("/proc/self/status"), Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Resident:
    """Bytes of this process that are in memory: its own (no file behind them), those of mapped files, all; and how many files are open."""

    own_bytes: int
    mapped_bytes: int
    all_bytes: int
    files: int


def resident() -> Resident:
    """Count now.

    Raises:
        UserError: this system does not tell.
    """
    if not _STATUS.is_file() or not _FILES.is_dir():
        raise UserError(f"{_STATUS}: not on this system: memory and open files are counted on Linux only")
    lines = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="utf-8").splitlines() if ":" in line)
    own, mapped, shared, every = (int(lines[name].split()[0]) << 10 for name in ("RssAnon", "RssFile", "RssShmem", "VmRSS"))
    files = sum(1 for _ in os.scandir(_FILES)) - 1  # one is the folder that is looked at
    return Resident(own, mapped + shared, every, files)
