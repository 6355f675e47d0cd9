"""A token at a time in fixed shapes, for a GPU: the work of one token is recorded once as a CUDA graph and replayed.

It stays valid whatever is fetched, edited or muted: blocks are overwritten in place, keys and values lie in room of a fixed size whose
filling the cache counts on the device, and which levels act is a number there, too. A recording belongs to the slots of its arm.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import StaticCache
from transformers.cache_utils import StaticLayer

from memstudio.anchor.attach import Attached
from memstudio.anchor.past import reserved

_LEAST = 256
"""Positions of the smallest room."""

Read = Callable[[list[int]], Tensor]
"""Reads tokens on, and gives the logits [vocabulary] behind the last one, in the anchor's dtype and on its device."""


@contextmanager
def reading(attached: Attached, room: int) -> Iterator[Read]:
    """A text of at most `room` tokens that is read a piece at a time, under what lies in the slots when each piece is read."""
    step = _free(attached, room) if attached.fixed else None
    if step is None:
        yield _growing(attached)
        return
    try:
        step.begin()
        yield step.read
    except GeneratorExit:  # a run that was stopped
        attached.steps[:] = [step]
        raise
    attached.steps[:] = [step]  # whoever ended last: its recording serves the next run; after an error nothing is kept


def _growing(attached: Attached) -> Read:
    past = reserved(attached.anchor.model.config)

    def read(fresh: list[int]) -> Tensor:
        return attached.forward(torch.tensor([fresh], device=attached.anchor.device), past=past, keep=1)[0, -1]

    return read


def _free(attached: Attached, room: int) -> "Step | None":
    """A step that no other run uses, with that much room; None where layers keep something else than all keys and values."""
    step = attached.steps.pop() if attached.steps else None
    if step is None or step.room < room:
        wide = max(_LEAST, 1 << (room - 1).bit_length())
        step = Step(attached, min(wide, max(room, attached.anchor.max_positions)))
    return step if step.constant else None


class Step:
    """The reading of one text at a time in a fixed room of positions. room: how many tokens it holds."""

    def __init__(self, attached: Attached, room: int) -> None:
        self.room = room
        self._attached = attached
        device = attached.anchor.device
        self._past = StaticCache(config=attached.anchor.model.config, max_cache_len=room)
        self._token = torch.zeros(1, 1, dtype=torch.long, device=device)
        self._acting = torch.zeros(attached.slots.levels, dtype=torch.bool, device=device)
        self._scores = torch.empty(0)
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def constant(self) -> bool:
        """Whether a token's work is the same at every position: all layers attend to all that was read."""
        return all(type(layer) is StaticLayer for layer in self._past.layers)

    @torch.inference_mode()
    def begin(self) -> None:
        """Forget what was read."""
        self._past.reset()

    @torch.inference_mode()
    def read(self, fresh: list[int]) -> Tensor:
        """As `Read` says; what it gave before is overwritten."""
        if len(fresh) > 1:
            return self._attached.forward(torch.tensor([fresh], device=self._token.device), past=self._past, keep=1)[0, -1]
        self._token.fill_(fresh[0])
        self._acting.copy_(torch.tensor([self._attached.acts(level) for level in range(1, self._attached.slots.levels + 1)]))
        if self._token.is_cuda and self._graph is None:
            self._record()
        if self._graph is None:
            self._scores = self._work()
        else:
            self._graph.replay()
        return self._scores

    def _work(self) -> Tensor:
        with self._attached.by_value(self._acting):
            return self._attached.forward(self._token, past=self._past, keep=1)[0, -1]

    def _record(self) -> None:
        """Record the work of one token. It is tried first, as a recording demands; what the cache counted then is taken back."""
        for _ in range(2):
            self._work()
            for layer in self._past.layers:
                if isinstance(layer, StaticLayer):
                    layer.cumulative_length.sub_(1)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._scores = self._work()
        self._graph = graph
