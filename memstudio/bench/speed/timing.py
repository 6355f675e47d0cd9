"""Timing two ways to do one thing so that what else the machine does meets both."""

import time
from collections.abc import Callable
from statistics import median

import torch


def seconds(work: Callable[[], object], device: str = "cpu") -> float:
    """Wall-clock seconds of one call, what it left to the device included."""
    _settled(device)
    start = time.perf_counter()
    work()
    _settled(device)
    return time.perf_counter() - start


def in_turn(ours: Callable[[], object], peer: Callable[[], object], rounds: int, device: str = "cpu") -> tuple[float, float]:
    """Median seconds of each, after one call of both that is not counted; each goes first in every second round."""
    ours(), peer()
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        for own in (True, False) if number % 2 else (False, True):
            times[own].append(seconds(ours if own else peer, device))
    return median(times[True]), median(times[False])


def _settled(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
