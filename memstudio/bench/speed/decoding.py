"""What both measures of decoding share: an anchor with fetched blocks, a prompt of random words, and the time of its tokens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch

from memstudio.anchor.arm import Arm
from memstudio.anchor.attach import Attached
from memstudio.anchor.engine import generate
from memstudio.anchor.load import load_anchor
from memstudio.anchor.values import Sampling
from memstudio.anchor.wish import Wish
from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId

PREFILL = 512


@contextmanager
def fetched(folder: Path, device: str, dtype: str) -> Iterator[Arm]:
    """An arm of a synthetic bank with a route in its slots and an anchor that never ends its text."""
    bank = open_bank(folder)
    anchor = load_anchor(bank.anchor_dir(), device=device, dtype=dtype)
    anchor.eos = frozenset()
    arm = Arm(bank, anchor)
    arm.fetch(Wish("fetched", tuple(ClusterId(level, 0) for level in range(1, bank.tree.depth + 1))), {}, _no_blob)
    try:
        yield arm
    finally:
        arm.attached.detach()


def _no_blob(digest: str) -> torch.Tensor:
    raise ValueError(f"blob {digest}: the bank is as it was made")


def words(attached: Attached, count: int, seed: int = 0) -> list[int]:
    """A prompt of `count` random tokens."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, attached.anchor.vocabulary, (count,), generator=generator).tolist()


def weights_bytes(attached: Attached) -> int:
    """Bytes of every matrix that a token is multiplied by: those of linear layers, the unembedding (which may be the input embedding, too)
    and the blocks in the slots."""
    matrices = {id(module.weight): module.weight for module in attached.anchor.model.modules() if isinstance(module, torch.nn.Linear)}
    return sum(weight.numel() * weight.element_size() for weight in matrices.values()) + attached.slots.bytes


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds up to the first token, and of every later one."""

    first: float
    later: tuple[float, ...]

    @property
    def each(self) -> float:
        """Seconds of a token, the first aside: the median."""
        return median(self.later)


def timed(attached: Attached, ids: list[int], count: int) -> Timed:
    """Greedy generation of `count` tokens as a session has it: text, log-probability and the likeliest of every token included."""
    marks = [time.perf_counter(), *(time.perf_counter() for _ in generate(attached, ids, Sampling(max_tokens=count)))]
    if len(marks) != count + 1:
        raise ValueError(f"{len(marks) - 1} tokens in place of {count}")
    return Timed(marks[1] - marks[0], tuple(after - before for before, after in pairwise(marks[1:])))
