"""Swapping all blocks for those of another route, beside copying the same bytes and beside what peft does with a LoRA of that size."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count, cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import cast

import torch
from torch import Tensor

from memstudio.anchor.arm import Arm
from memstudio.anchor.load import Anchor, load_anchor
from memstudio.anchor.supply import Supply
from memstudio.anchor.wish import Wish
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import FLOAT_DTYPES
from memstudio.bank.values import ClusterId
from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.speed.models import lent_bank
from memstudio.bench.speed.timing import seconds
from memstudio.errors import UserError
from memstudio.jobs import Job

SHAPES = (("160m", (256, 64, 16)), ("1.4b", (768, 256, 16)))
ROUNDS = 9
LOADS = 3
_PARTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
Work = Callable[[], object]


def measure(device: str, job: Job) -> list[Figure]:
    """Of each shape: a swap against a copy of the bytes, and against peft.

    Raises:
        UserError: peft is not installed.
    """
    found: list[Figure] = []
    for number, (name, widths) in enumerate(SHAPES):
        job.progress(number, len(SHAPES))
        with lent_bank(name, widths) as folder:
            found += _figures(name, open_bank(folder), device, job)
    job.progress(len(SHAPES), len(SHAPES))
    return found


def _figures(name: str, bank: Bank, device: str, job: Job) -> list[Figure]:
    job.breathe()
    anchor = load_anchor(bank.anchor_dir(), device=device, dtype="bfloat16")
    size = sum(layout.n for layout in bank.layouts) * 2
    works = {
        "swap": _swapping(bank, anchor, 0),
        "copy": _copying(bank, device),
        "copy by one thread": _one_thread(_copying(bank, device)),
        "as it was, mapped": _as_it_was(bank, device),
        "swap into float32": _pouring(bank, device, "float32"),
        "copy in float32": _copying(bank, device, "float32"),
    }
    if device.startswith("cuda"):
        works["swap, all cached"] = _swapping(bank, anchor, None)
    took = _medians(works, ROUNDS, device)
    copied = min(took["copy"], took["copy by one thread"])
    what = "from pinned host memory to the device" if device.startswith("cuda") else "in memory"
    against_copy = Figure(
        f"swap of all levels to another route, {name}, {size / 1e6:.0f} MB in bfloat16, files in the page cache",
        "s",
        took["swap"],
        f"torch's copy of the same bytes {what}, by one thread or all, which is quicker",
        copied,
        took["swap"] / copied,
        Limit("at most", 1.5),
        ROUNDS,
        {"bytes": size, "gigabytes_per_second": size / took["swap"] / 1e9, "seconds": took},
    )
    works.clear()
    job.breathe()
    with _adapters(anchor, size) as (bytes_, load, hot):
        peer = _medians({"swap": _swapping(bank, anchor, 0), "peft": load, "hotswap": hot}, LOADS, device)
    against_peft = Figure(
        f"swap of all levels to another route, {name}, {size / 1e6:.0f} MB in bfloat16",
        "s",
        peer["swap"],
        f"peft: load_adapter (low_cpu_mem_usage, no cast to float32) and set_adapter of a LoRA of {bytes_ / 1e6:.0f} MB in the page cache",
        peer["peft"],
        peer["peft"] / peer["swap"],
        Limit("at least", 10.0),
        LOADS,
        {"lora_bytes": bytes_, "hotswap_adapter_s": peer["hotswap"]},
    )
    return [against_copy, against_peft]


def _medians(works: Mapping[str, Work], rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each, all in every round, each round in the other order than the last; one before is not counted."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name in works if number % 2 else reversed(list(works)):
            took = seconds(works[name], device)
            if number:
                times[name].append(took)
    return {name: median(each) for name, each in times.items()}


def _routes(bank: Bank) -> list[tuple[ClusterId, ...]]:
    """A route for each of the coarsest clusters; no two share a block."""
    count = bank.tree.count(1)
    return [
        tuple(ClusterId(level, index * bank.tree.count(level) // count) for level in range(1, bank.tree.depth + 1))
        for index in range(count)
    ]


def _swapping(bank: Bank, anchor: Anchor, cache_bytes: int | None) -> Work:
    arm = Arm(bank, anchor, Supply(bank, anchor.device, anchor.dtype, cache_bytes))
    wishes = cycle([Wish("fetched", route) for route in _routes(bank)])
    return lambda: arm.fetch(next(wishes), {}, _no_blob)


def _copying(bank: Bank, device: str, dtype: str = "bfloat16") -> Work:
    """As many bytes a level from as many places in turn."""
    cuda = device.startswith("cuda")
    sources = cycle(
        [
            [torch.ones(layout.n, dtype=FLOAT_DTYPES[dtype]).pin_memory() if cuda else torch.ones(layout.n, dtype=FLOAT_DTYPES[dtype])
             for layout in bank.layouts]
            for _ in range(2 if dtype == "float32" else bank.tree.count(1))
        ]
    )  # fmt: skip
    into = [torch.zeros(layout.n, dtype=FLOAT_DTYPES[dtype], device=device) for layout in bank.layouts]

    def copy() -> None:
        for target, source in zip(into, next(sources), strict=True):
            target.copy_(source, non_blocking=cuda)

    return copy


def _one_thread(work: Work) -> Work:
    def alone() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            work()
        finally:
            torch.set_num_threads(threads)

    return alone


def _pouring(bank: Bank, device: str, dtype: str) -> Work:
    """Rows taken into another dtype on the way."""
    supply = Supply(bank, device, dtype, 0)
    into = [torch.zeros(layout.n, dtype=FLOAT_DTYPES[dtype], device=device) for layout in bank.layouts]
    routes = cycle(_routes(bank))

    def pour() -> None:
        for cluster, target in zip(next(routes), into, strict=True):
            supply.put((cluster, "base"), _no_blob, target)

    return pour


def _as_it_was(bank: Bank, device: str) -> Work:
    """What a swap did before rows were read: a copy out of a mapping, then into the slot."""
    into = [torch.zeros(layout.n, dtype=torch.bfloat16, device=device) for layout in bank.layouts]
    routes = cycle(_routes(bank))

    def copy() -> None:
        for cluster, target in zip(next(routes), into, strict=True):
            file = bank.stored(cluster).numbers.file
            row = torch.from_numpy(file.rows("blocks")[cluster.index].copy()).view(torch.bfloat16)
            target.copy_(row)

    return copy


@contextmanager
def _adapters(anchor: Anchor, size: int) -> Iterator[tuple[int, Work, Work]]:
    """Two LoRAs on all matrices of the anchor's layers, of about `size` bytes, saved to disk: the bytes of one; loading and activating
    them in turn, each time under a new name; and peft's own swap into the modules of one that is loaded.

    Raises:
        UserError: peft is not installed.
    """
    try:
        from peft import LoraConfig, PeftModel, get_peft_model
        from peft.utils.hotswap import hotswap_adapter
    except ModuleNotFoundError:
        raise UserError("peft is not installed: pip install 'memstudio[bench]'") from None
    shapes = [module.weight.shape for name, module in anchor.model.named_modules() if name.rpartition(".")[2] in _PARTS]
    rank = max(1, round(size / (2 * sum(sum(shape) for shape in shapes))))
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(_PARTS), init_lora_weights=False)
    with TemporaryDirectory(prefix="memstudio-lora-") as folder:
        model = cast(PeftModel, get_peft_model(anchor.model, config, adapter_name="zero", autocast_adapter_dtype=False))
        places = [Path(folder) / "one", Path(folder) / "two"]
        for place in places:
            model.save_pretrained(str(place), selected_adapters=["zero"])
        paths, names = cycle(place / "zero" for place in places), count(1)

        def load() -> None:
            name = f"number {next(names)}"
            model.load_adapter(str(next(paths)), name, low_cpu_mem_usage=True, autocast_adapter_dtype=False)
            model.set_adapter(name)

        def swap_in() -> None:
            hotswap_adapter(model, str(next(paths)), adapter_name="zero", torch_device=anchor.device)

        yield (next(paths) / "adapter_model.safetensors").stat().st_size, load, swap_in
        model.unload()


def _no_blob(sha256: str) -> Tensor:
    raise ValueError(f"{sha256}: a bank as shipped has no blobs")
