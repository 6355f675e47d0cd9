"""The learning rate over a training."""

import math


def cosine(step: int, steps: int, warmup: int, lr: float, lr_end: float) -> float:
    """Linear warm-up, then a cosine from lr to lr_end, which stays."""
    if step < warmup:
        return lr * (step + 1) / warmup
    return lr_end + (lr - lr_end) * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))
