"""One prompt and answer under many paths of the tree in one pass: a batch row is a path, each with the blocks that it fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from memstudio.anchor.gathered import Fetches, Gathered, gathered
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId, Overlay

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.anchor.arm import Arm

Path = tuple[ClusterId, ...]

_TOKENS = 2048
"""Tokens of one batch: enough to keep two cores or a GPU busy, little enough to be cancelled soon."""
_LOGITS = 2**25
"""Logits of one batch (128 MB in float32)."""
_PATHS = 4096
"""Paths of which it is known together what they fetch."""


def along_paths(
    arm: Arm, prompt: Sequence[int], answer: Sequence[int], paths: Sequence[Path], overlay: Overlay, blob: Callable[[str], Tensor]
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """The log-probability of each of the answer's tokens under each path: numbers of paths, and [paths, answer tokens] of them.

    Batch by batch in the order of `paths`; of some thousands those that fetch the same blocks are computed once. The arm's slots are left
    empty. Agrees with the reference path within rounding.

    Raises:
        UserError: a cluster that does not exist, a prompt with its answer that is over-long.
    """
    arm.anchor.check([*prompt, *answer])
    tokens = len(prompt) + len(answer) - 1
    most = max(1, min(_TOKENS // tokens, _LOGITS // (len(answer) * arm.anchor.vocabulary)))
    for start in range(0, len(paths), _PATHS):
        blocks = gathered(arm, [Wish("fetched", path) for path in paths[start : start + _PATHS]], overlay, blob)
        same: dict[Fetches, list[int]] = {}
        for number, fetches in enumerate(blocks.fetches):
            same.setdefault(fetches, []).append(number)
        for firsts in blocks.loads([numbers[0] for numbers in same.values()], most):
            alike = [same[blocks.fetches[first]] for first in firsts]
            found = _read(arm, blocks, firsts, prompt, answer)
            yield [start + number for numbers in alike for number in numbers], np.repeat(found, [len(numbers) for numbers in alike], axis=0)


def _read(arm: Arm, blocks: Gathered, rows: Sequence[int], prompt: Sequence[int], answer: Sequence[int]) -> NDArray[np.float32]:
    """The answer read by a batch of rows: [rows, answer tokens]."""
    device = arm.anchor.device
    ids = torch.tensor([*prompt, *answer][:-1], device=device).expand(len(rows), -1)
    wanted = torch.tensor(answer, device=device).expand(len(rows), -1).unsqueeze(-1)
    with torch.inference_mode(), blocks.lent(rows):
        scores = arm.attached.forward(ids, keep=len(answer)).float()
        found: NDArray[np.float32] = (scores.gather(-1, wanted).squeeze(-1) - scores.logsumexp(-1)).cpu().numpy()
    return found
