"""One prompt and answer under many paths of the tree in one pass: a batch row is a path, each with the blocks that it fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from memstudio.anchor.wish import NOTHING, Wish
from memstudio.bank.overlay import ResolvedKey
from memstudio.bank.values import ClusterId, Overlay

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.anchor.arm import Arm

Path = tuple[ClusterId, ...]
Fetches = tuple[ResolvedKey | None, ...]

_TOKENS = 2048
"""Tokens of one batch: enough to keep two cores or a GPU busy, little enough to be cancelled soon."""
_LOGITS = 2**25
"""Logits of one batch (128 MB in float32)."""
_BLOCKS = 2**26
"""Numbers of one batch's gathered blocks (256 MB in float32)."""


def along_paths(
    arm: Arm, prompt: Sequence[int], answer: Sequence[int], paths: Sequence[Path], overlay: Overlay, blob: Callable[[str], Tensor]
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """The log-probability of each of the answer's tokens under each path: numbers of paths, and [paths, answer tokens] of them.

    Batch by batch in the order of `paths`; paths that fetch the same blocks are computed once. The arm's slots are left empty.
    Agrees with the reference path within rounding.

    Raises:
        UserError: a cluster that does not exist, a prompt with its answer that is over-long.
    """
    arm.anchor.check([*prompt, *answer])
    arm.fetch(NOTHING, overlay, blob)
    most = _most(arm, len(prompt) + len(answer) - 1, len(answer))
    waiting: dict[Fetches, list[int]] = {}
    for number, path in enumerate(paths):
        levels = range(1, len(arm.bank.layouts) + 1)
        waiting.setdefault(tuple(arm.identity(Wish("fetched", path), level, overlay) for level in levels), []).append(number)
        if len(waiting) == most:
            yield _batch(arm, prompt, answer, waiting, paths, overlay, blob)
            waiting = {}
    if waiting:
        yield _batch(arm, prompt, answer, waiting, paths, overlay, blob)


def _most(arm: Arm, tokens: int, answer: int) -> int:
    numbers = sum(layout.n for layout in arm.bank.layouts)
    return max(1, min(_TOKENS // tokens, _LOGITS // (answer * arm.anchor.vocabulary), _BLOCKS // max(1, numbers)))


def _batch(
    arm: Arm,
    prompt: Sequence[int],
    answer: Sequence[int],
    rows: dict[Fetches, list[int]],
    paths: Sequence[Path],
    overlay: Overlay,
    blob: Callable[[str], Tensor],
) -> tuple[list[int], NDArray[np.float32]]:
    one = [paths[members[0]] for members in rows.values()]
    lent = {}
    for level, layout in enumerate(arm.bank.layouts, 1):
        blocks = _blocks(arm, [(fetches[level - 1], path) for fetches, path in zip(rows, one, strict=True)], level, overlay, blob)
        if blocks is not None:
            lent[level] = layout.split(blocks)
    device = arm.anchor.device
    ids = torch.tensor([*prompt, *answer][:-1], device=device).expand(len(rows), -1)
    with torch.inference_mode(), arm.attached.lent(lent):
        logs = arm.attached.forward(ids, keep=len(answer)).float().log_softmax(-1)
        found = logs.gather(-1, torch.tensor(answer, device=device).expand(len(rows), -1).unsqueeze(-1)).squeeze(-1).cpu().numpy()
    numbers = [number for members in rows.values() for number in members]
    own: NDArray[np.float32] = np.repeat(found, [len(members) for members in rows.values()], axis=0)
    return numbers, own


def _blocks(
    arm: Arm, wanted: Sequence[tuple[ResolvedKey | None, Path]], level: int, overlay: Overlay, blob: Callable[[str], Tensor]
) -> Tensor | None:
    """The level's blocks: [n] where all rows fetch the same one, else [rows, n], zeros where a row fetches none; None where none does."""
    keys = [key for key, _ in wanted]
    read: dict[ResolvedKey, Tensor] = {}
    for key, path in wanted:
        if key is not None and key not in read:
            row = arm.row(Wish("fetched", path), level, overlay, blob)
            if row is not None:
                read[key] = row
    if not read:
        return None
    if len(read) == 1 and None not in keys:
        return next(iter(read.values()))
    nothing = torch.zeros_like(next(iter(read.values())))
    return torch.stack([nothing if key is None else read[key] for key in keys])
