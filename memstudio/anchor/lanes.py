"""Other memories read a run along: what each says of every token that was chosen, on the same text before it.

They are rows of one batch on an arm of their own, so the run's own forwards stay bit for bit what they are without them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from memstudio.anchor.attach import Attached
from memstudio.anchor.load import Anchor
from memstudio.anchor.past import reserved
from memstudio.anchor.values import Lane
from memstudio.bank.values import Memory

TOP = 5
_GROUP = 64


def lesser(memory: Memory, *, generic: bool) -> tuple[Memory, ...]:
    """The memories that a run is measured beside: those that hold less than its own. generic: whether the bank has generic blocks."""
    below: tuple[Memory, ...] = ("generic", "none") if generic else ("none",)
    return {"fetched": below, "generic": ("none",), "none": ()}[memory]


def likeliest(anchor: Anchor, logprobs: Tensor) -> tuple[tuple[str, float], ...]:
    """The first few tokens of log-probabilities [vocabulary], likeliest first, as their pieces."""
    values, indices = _largest(logprobs, min(TOP, logprobs.shape[0]))
    return tuple((anchor.piece(int(i)), float(p)) for p, i in zip(values.tolist(), indices.tolist(), strict=True))


def _largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of values [n] and where they lie. They lie in the `count` groups whose largest are largest, so of many values few are
    sorted."""
    whole = values.shape[0] // _GROUP * _GROUP
    groups = values[:whole].view(-1, _GROUP)
    best = groups.amax(1).topk(min(count, groups.shape[0])).indices
    among = torch.cat([(best.unsqueeze(1) * _GROUP + torch.arange(_GROUP)).flatten(), torch.arange(whole, values.shape[0])])
    found = values[among].topk(count)
    return found.values, among[found.indices]


class Lanes:
    """The memories beside one run, with keys and values of their own."""

    def __init__(self, attached: Attached, memories: Sequence[Memory]) -> None:
        """
        Args:
            attached: an arm whose slots hold the generic blocks for as long as the run lasts, where one of the memories is generic.
            memories: generic, none, or both.

        Raises:
            ValueError: fetched is among them, or there is none.
        """
        if not memories or "fetched" in memories:
            raise ValueError(f"lanes {list(memories)}: generic, none, or both")
        self._attached = attached
        self._memories = tuple(memories)
        self._added = torch.tensor([[memory == "generic" for memory in memories]] * attached.slots.levels)
        self._past = reserved(attached.anchor.model.config)

    def read(self, fresh: list[int], token: int, choice: int) -> tuple[Lane, ...]:
        """Read on, and judge the token that the run chose behind it.

        Args:
            fresh: what the run read for this token: prompt and prefix at first, then the token before.
            choice: the run's likeliest token there.
        """
        anchor = self._attached.anchor
        batch = torch.tensor([fresh], device=anchor.device).expand(len(self._memories), -1)
        with torch.inference_mode(), self._attached.by_row(self._added):
            scores = self._attached.forward(batch, past=self._past, keep=1)[:, -1].float().cpu()
        return tuple(
            Lane(memory, float(row[token]), likeliest(anchor, row), agrees=int(row.argmax()) == choice)
            for memory, row in zip(self._memories, scores.log_softmax(-1), strict=True)
        )
