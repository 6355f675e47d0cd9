"""What this process takes, as measured: its memory, what torch holds on the card, and the blocks that lie in the model's slots.

No Qt in here; it is read on a thread of its own.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memstudio.session.running import Running

STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Resident:
    """The blocks in the slots of one arm. arm: what it is for. bytes: what they occupy there."""

    arm: str
    blocks: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """One sample. memory_bytes: of the whole process, None where this system does not tell; peak: the most so far, not what it is now;
    card_bytes: what torch holds on a CUDA device, None where it runs on none. resident: by arm; none before a model is loaded."""

    memory_bytes: int | None
    peak: bool = False
    card_bytes: int | None = None
    resident: tuple[Resident, ...] = ()


def sample(running: "Running | None") -> Vitals:
    """Measure now."""
    size, peak = process_memory()
    return Vitals(size, peak, card_memory(running), residents(running))


def process_memory() -> tuple[int | None, bool]:
    """Resident bytes of this process, and whether that is only its peak; None where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None, False
    if STATM.is_file():
        return int(STATM.read_text().split()[1]) * resource.getpagesize(), False
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024, True


def card_memory(running: "Running | None") -> int | None:
    """Bytes that torch has allocated on the model's CUDA device; None where it runs on none."""
    if running is None or not running.loaded or not running.device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.memory_allocated(running.device)


def residents(running: "Running | None") -> tuple[Resident, ...]:
    """What lies in the slots of each arm that is there. Reads values that the worker replaces whole, so it may run beside it."""
    found = []
    for name, arm in running.arms().items() if running is not None else ():
        slots = arm.attached.slots
        filled = [(level, key) for level, key in enumerate(slots.identity, start=1) if key is not None]
        names = tuple(_name(level, key) for level, key in filled)
        found.append(Resident(name, names, sum(slots.level_bytes(level) for level, _ in filled)))
    return tuple(found)


def _name(level: int, key: object) -> str:
    kind, cluster = getattr(key, "kind", ""), getattr(key, "cluster", None)
    return f"generic {level}" if kind == "generic" else str(cluster or level)
