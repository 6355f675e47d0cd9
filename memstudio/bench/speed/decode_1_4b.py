"""Tokens a second with fetched memory on the paper's 1.4B anchor, beside what the memory's bandwidth allows: every matrix that a token is
multiplied by is read once, at the speed of a copy (read and written bytes a second)."""

from pathlib import Path
from statistics import median

import torch

from memstudio.bench.speed.decoding import PREFILL, Timed, fetched, timed, weights_bytes, words
from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.speed.models import lent_bank
from memstudio.bench.speed.timing import seconds
from memstudio.jobs import Job

WIDTHS = (768, 256, 16)
PROMPT = 16
TOKENS = 9
ROUNDS = 7
COPIED = 1 << 29
"""Bytes of the tensor that is copied."""


def measure(device: str, job: Job) -> list[Figure]:
    """A figure a dtype, one anchor in memory at a time; a round reads one prompt and copies as often as tokens come."""
    with lent_bank("1.4b", WIDTHS, (1, 1, 1)) as folder:
        return [_figure(folder, device, dtype, job) for dtype in ("float32", "bfloat16")]


def _figure(folder: Path, device: str, dtype: str, job: Job) -> Figure:
    with fetched(folder, device, dtype) as arm:
        attached, size = arm.attached, weights_bytes(arm.attached)
        ids = words(attached, PROMPT)
        source = torch.zeros(COPIED // 4, device=device)
        target = torch.zeros_like(source)
        runs: list[Timed] = []
        copies: list[float] = []
        for number in range(ROUNDS + 1):
            job.progress(number, ROUNDS + 2)
            runs.append(timed(attached, ids, TOKENS))
            copies.append(median(seconds(lambda: target.copy_(source), device) for _ in range(5)))
        job.progress(ROUNDS + 1, ROUNDS + 2)
        long = timed(attached, words(attached, PREFILL, 1), 2)
    each = median(run.each for run in runs[1:])
    speed = 2 * COPIED / median(copies[1:])
    detail = {
        "dtype": dtype,
        "matrices_bytes": size,
        "copy_bytes_per_s": speed,
        "prompt_tokens": PROMPT,
        "first_token_s": median(run.first for run in runs[1:]),
        "first_token_of_512_s": long.first,
    }
    return Figure(
        what=f"decoding with fetched memory, 1.4B, {dtype}",
        unit="tokens/s",
        ours=1 / each,
        against="the bandwidth of a copy over the bytes of every matrix",
        peer=speed / size,
        ratio=size / speed / each,
        limit=Limit("at least", 0.5 if device.startswith("cuda") else 0.6),
        rounds=ROUNDS,
        detail=detail,
    )
