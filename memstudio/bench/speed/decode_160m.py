"""Tokens a second with fetched memory on the paper's 160M anchor, beside `generate` of transformers on the same anchor without memory."""

from pathlib import Path
from typing import Any

import torch

from memstudio.anchor.attach import Attached
from memstudio.bench.speed.decoding import PREFILL, fetched, timed, words
from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.speed.models import lent_bank
from memstudio.bench.speed.timing import in_turn
from memstudio.jobs import Job

WIDTHS = (256, 64, 16)
PROMPT = 64
TOKENS = 48
ROUNDS = 7
AGAINST = "generate of transformers (greedy, its own growing cache), the same anchor without memory"


def measure(device: str, job: Job) -> list[Figure]:
    """A figure a dtype. Whole calls count, so the prompt's reading too."""
    with lent_bank("160m", WIDTHS, (1, 1, 1)) as folder:
        return [_figure(folder, device, dtype, job) for dtype in ("float32", "bfloat16")]


def _figure(folder: Path, device: str, dtype: str, job: Job) -> Figure:
    calls = 2 * (ROUNDS + 1)
    with fetched(folder, device, dtype) as arm:
        attached, ids, done = arm.attached, words(arm.attached, PROMPT), iter(range(calls))

        def ours() -> None:
            job.progress(next(done), calls)
            timed(attached, ids, TOKENS)

        def peer() -> None:
            job.progress(next(done), calls)
            _generated(attached, ids)

        seconds, against = in_turn(ours, peer, ROUNDS, device)
        short, long = timed(attached, ids, TOKENS), timed(attached, words(attached, PREFILL, 1), 2)
    detail = {
        "dtype": dtype,
        "prompt_tokens": PROMPT,
        "new_tokens": TOKENS,
        "first_token_s": short.first,
        "each_later_token_s": short.each,
        "first_token_of_512_s": long.first,
    }
    return Figure(
        what=f"decoding with fetched memory, 160M, {dtype}",
        unit="tokens/s",
        ours=TOKENS / seconds,
        against=AGAINST,
        peer=TOKENS / against,
        ratio=against / seconds,
        limit=Limit("at least", 8.0 if device.startswith("cuda") else 0.95),
        rounds=ROUNDS,
        detail=detail,
    )


def _generated(attached: Attached, ids: list[int]) -> None:
    prompt = torch.tensor([ids], device=attached.anchor.device)
    model: Any = attached.anchor.model  # the library mixes `generate` in
    found: torch.Tensor = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=TOKENS,
        do_sample=False,
        use_cache=True,
        eos_token_id=None,
        pad_token_id=0,
    )
    if found.shape[1] != PROMPT + TOKENS:
        raise ValueError(f"{found.shape[1] - PROMPT} tokens in place of {TOKENS}")
