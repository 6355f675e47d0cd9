"""What a prompt reads from a cold disk when blocks hang together in a tree, beside a bank whose leaves hold all of it each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from torch import Tensor

from memstudio.anchor.slots import Slots
from memstudio.anchor.supply import Supply
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import FLOAT_DTYPES
from memstudio.bank.manifest import blocks_file
from memstudio.bank.pages import cached_bytes, forget
from memstudio.bank.values import ClusterId
from memstudio.bench.speed.figure import Figure
from memstudio.bench.speed.timing import seconds
from memstudio.bench.synthetic import synthetic_bank
from memstudio.jobs import Job

LAYERS, HIDDEN = 24, 2048
WIDTHS = (768, 256, 16)
BRANCHING = (4, 4, 4)
LEAVES = 6
ROUNDS = 7
_DTYPE = "bfloat16"


@dataclass(frozen=True, slots=True)
class _Case:
    """What changes between two prompts: the levels from `first` on."""

    what: str
    first: int


CASES = (
    _Case("all levels change", 1),
    _Case("levels 2 and 3 change", 2),
    _Case("level 3 alone changes", 3),
)


def measure(device: str, job: Job) -> list[Figure]:
    """Milliseconds a prompt, its blocks nowhere in memory but in the slots; bytes are in the details."""
    with TemporaryDirectory(prefix="memstudio-speed-") as name:
        folder = Path(name)
        job.progress(0, 3)
        tree = open_bank(synthetic_bank(folder / "tree", branching=BRANCHING, widths=WIDTHS, layers=LAYERS, hidden=HIDDEN, fill="random"))
        job.progress(1, 3)
        flat = open_bank(
            synthetic_bank(folder / "flat", branching=(LEAVES,), widths=(sum(WIDTHS),), layers=LAYERS, hidden=HIDDEN, fill="random")
        )
        job.progress(2, 3)
        found = [_figure(case, tree, flat, device, job) for case in CASES]
        job.progress(3, 3)
    return found


def _figure(case: _Case, tree: Bank, flat: Bank, device: str, job: Job) -> Figure:
    ours, peer = _Prompts(tree, case.first, device), _Prompts(flat, 1, device)
    times: dict[bool, list[float]] = {True: [], False: []}
    left: list[int | None] = []
    for number in range(ROUNDS):
        for own in (True, False) if number % 2 else (False, True):
            job.breathe()
            prompts = ours if own else peer
            left.append(prompts.go_cold())
            times[own].append(seconds(prompts.next, device) * 1e3)
    mine, other = median(times[True]), median(times[False])
    detail = {
        "bytes": ours.bytes,
        "flat_bytes": peer.bytes,
        "all_ms": times[True],
        "flat_all_ms": times[False],
        "still_cached_bytes": None if None in left else max(each for each in left if each is not None),
    }
    against = "a flat bank of the same fetch, read anew for every prompt"
    return Figure(f"a prompt from a cold disk, {case.what}", "ms", mine, against, other, mine / other, None, ROUNDS, detail)


class _Prompts:
    """Fetches for one prompt after the other, each of which needs other blocks from one level on."""

    def __init__(self, bank: Bank, first: int, device: str) -> None:
        self._bank, self._first = bank, first
        self._supply = Supply(bank, device, _DTYPE, 0)
        self._slots = Slots(bank.layouts, device, FLOAT_DTYPES[_DTYPE])
        self._number = 0
        self.bytes = sum(bank.stored(ClusterId(level, 0)).bytes for level in range(first, bank.tree.depth + 1))

    def go_cold(self) -> int | None:
        """Drop the blocks' files from memory; what the system holds of them all the same, None where it does not say."""
        paths = [self._bank.folder / blocks_file(level) for level in range(1, self._bank.tree.depth + 1)]
        for path in paths:
            forget(path)
        left = [cached_bytes(path) for path in paths]
        return None if None in left else sum(each for each in left if each is not None)

    def next(self) -> None:
        """The next prompt's blocks, into their slots."""
        self._number += 1
        for level in range(self._first, self._bank.tree.depth + 1):
            cluster = ClusterId(level, self._number * 7 % self._bank.tree.count(level))
            self._slots.overwrite(level, self._put(cluster), identity=cluster)

    def _put(self, cluster: ClusterId) -> Callable[[Tensor], None]:
        return lambda slot: self._supply.put((cluster, "base"), _no_blob, slot)


def _no_blob(sha256: str) -> Tensor:
    raise ValueError(f"{sha256}: a bank as shipped has no blobs")
