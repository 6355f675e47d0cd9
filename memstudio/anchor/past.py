"""Keys and values of what was read, in storage that is reserved ahead: a token is written behind the others where the library's own
cache copies all of them anew."""

import torch
from torch import Tensor
from transformers import DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer

_AHEAD = 128
"""Positions that are reserved at least, each time that the room is used up."""


def reserved(config: PretrainedConfig) -> DynamicCache:
    """An empty cache for a model of this configuration. Layers that attend to a window, or keep another state, are the library's own."""
    past = DynamicCache(config=config)
    past.layers = [ReservedLayer() if type(layer) is DynamicLayer else layer for layer in past.layers]
    return past


class ReservedLayer(DynamicLayer):
    """Keys and values [B, heads, T, size] of one layer: views into storage that holds more positions than were read.

    Whoever takes rows or positions away replaces `keys` and `values`; they are then copied into storage of their own.
    """

    def __init__(self) -> None:
        DynamicLayer.__init__(self)
        self._storage: tuple[Tensor, Tensor] | None = None
        self._given: Tensor | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Keys and values of all that was read, these included."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        storage = self._storage
        if storage is None or self.keys is not self._given or storage[0].shape[-2] < after:
            room = after + max(_AHEAD, after // 2)
            storage = _moved(self.keys, key_states, before, room), _moved(self.values, value_states, before, room)
            self._storage = storage
        storage[0].narrow(2, before, after - before).copy_(key_states)
        storage[1].narrow(2, before, after - before).copy_(value_states)
        self.keys, self.values = storage[0].narrow(2, 0, after), storage[1].narrow(2, 0, after)
        self._given = self.keys
        return self.keys, self.values


def _moved(held: Tensor | None, like: Tensor, before: int, room: int) -> Tensor:
    """Storage [B, heads, room, size] with what is held in front."""
    storage = torch.empty(*like.shape[:2], room, like.shape[-1], dtype=like.dtype, device=like.device)
    if held is not None and before:
        storage[:, :, :before] = held
    return storage
