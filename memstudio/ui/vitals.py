"""What this process takes, as measured: its memory, what torch holds on the card, and the blocks that lie in the model's slots.

No Qt in here; it is read on a thread of its own.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memstudio.session.resident import Held, blocks_of, process_memory, resident

if TYPE_CHECKING:
    from memstudio.session import Session
    from memstudio.session.running import Running


@dataclass(frozen=True, slots=True)
class Resident:
    """The blocks in the slots of one arm. arm: what it is for. bytes: what they occupy there."""

    arm: str
    blocks: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """One sample. memory_bytes: of the whole process, None where this system does not tell; peak: the most so far, not what it is now;
    card_bytes: what torch holds on a CUDA device, None where it runs on none. resident: by arm; none before a model is loaded.
    held: all that is resident where, None where it was not asked for."""

    memory_bytes: int | None
    peak: bool = False
    card_bytes: int | None = None
    resident: tuple[Resident, ...] = ()
    held: tuple[Held, ...] | None = None


def sample(session: "Session | None", whole: bool = False) -> Vitals:
    """Measure now. whole: all that is resident too, which takes some milliseconds."""
    size, peak = process_memory()
    running = None if session is None else session.running
    held = resident(session) if whole and session is not None else () if whole else None
    return Vitals(size, peak, card_memory(running), residents(running), held)


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
        filled = [level for level, key in enumerate(slots.identity, start=1) if key is not None]
        found.append(Resident(name, blocks_of(arm), sum(slots.level_bytes(level) for level in filled)))
    return tuple(found)
