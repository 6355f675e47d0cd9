"""FFN memory on the anchor's MLPs.

For each level that holds a block, coarsest first: y += (act(x·gateᵀ) ⊙ (x·upᵀ)) · down, where x is the MLP's input and y its output,
before any post-norm (method: SwiGLU inner width grown by r, with the anchor's own activation). The anchor's MLP runs untouched and
memory is computed apart; where nothing is fetched nothing is added, so the output tensor is the anchor's own.

A run that keeps its keys and values reads each level with two products in place of three, in the same order (gate and up lie side by
side in a row), and on the CPU its products as `products.py` says. It agrees with the reference path within rounding. So does a run whose
blocks are captured, which is the reference path with such products through the anchor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import Cache

from memstudio.anchor.gathered import ByRow, Parts
from memstudio.anchor.load import Anchor
from memstudio.anchor.products import linear, plus, product
from memstudio.anchor.slots import Slots
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.anchor.step import Step


@dataclass
class Capture:
    """What one forward left, by (position in `Attached.layers`, level): `added` [..., T, d] and `hidden` [..., T, r] of each block,
    and by position `own` [..., T, d], the anchor's MLP output, and `total` [..., T, d], the same with memory."""

    added: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    hidden: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    own: dict[int, Tensor] = field(default_factory=dict)
    total: dict[int, Tensor] = field(default_factory=dict)


class Attached:
    """An anchor that runs with the blocks in `slots`. The anchor itself stays plain: memory acts only in `forward` and `acting`,
    so several of these (two arms of an A/B, several banks) share one anchor.

    muted: levels whose block stays in its slot and is not added (the user's mute; `without` adds to it for a while).
    fixed: whether runs read a token at a time in fixed shapes, as a GPU wants it; steps: what is free to do so (`step.py`).
    """

    def __init__(self, anchor: Anchor, slots: Slots, layers: Sequence[int], activation: str | None = None) -> None:
        """
        Args:
            layers: the anchor layers that carry memory, one for each width of the layouts.
            activation: what the bank's manifest names; None skips the comparison.

        Raises:
            UserError: the bank does not fit this anchor.
        """
        _check_fit(anchor, slots, layers, activation)
        self.anchor = anchor
        self.slots = slots
        self.layers = tuple(layers)
        self.muted: frozenset[int] = frozenset()
        self._on = False
        self.fixed = anchor.device.startswith("cuda")
        self.steps: list[Step] = []
        self._brief: list[tuple[int, list[tuple[Tensor, Tensor]]]] | None = None
        self._acting: Tensor | None = None
        self._rows: Tensor | None = None
        self._lent: Mapping[int, Parts | ByRow | None] = {}
        self._capture: Capture | None = None
        self._hooks: list[RemovableHandle] = [
            anchor.mlps[layer].register_forward_hook(self._hook(position)) for position, layer in enumerate(self.layers)
        ]

    def forward(
        self,
        ids: Tensor,
        *,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past: Cache | None = None,
        keep: int = 0,
    ) -> Tensor:
        """Logits [B, kept T, vocabulary] of one forward with memory, in the anchor's dtype.

        ids [B, T]; the `keep` last positions get logits (0 = all); `past` is grown in place.

        Gradients are recorded as the caller's mode says; the engine runs this in inference mode.
        """
        # named one by one: of a slice the library would turn round the whole unembedding first
        kept = torch.arange(-keep, 0, device=ids.device) if keep else 0
        inference = torch.is_inference_mode_enabled()
        brief = past is not None and inference
        linears = self.anchor.linears if brief or (self._capture is not None and inference) else None
        with self.acting(), nullcontext() if linears is None else linears.acting():
            self._brief = self._active() if brief else None
            out: Tensor = self.anchor.model(
                input_ids=ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past,
                use_cache=past is not None,
                logits_to_keep=kept,
            ).logits
        return out

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Memory acts on whatever forward the anchor runs inside.

        Raises:
            UserError: it was detached.
        """
        if not self._hooks:
            raise UserError(f"{self.anchor.folder}: the bank that ran on this anchor was closed: open it again")
        self._on = True
        try:
            yield
        finally:
            self._on, self._brief = False, None

    @contextmanager
    def without(self, levels: Iterable[int]) -> Iterator[None]:
        """Mute these levels too, for as long as the context lasts (ablations; `without(range(3, levels + 1))` keeps levels 1 and 2)."""
        before = self.muted
        self.muted = before | frozenset(levels)
        try:
            yield
        finally:
            self.muted = before

    def acts(self, level: int) -> bool:
        """Whether the block of a level is added: one lies in its slot, and it is not muted."""
        return level not in self.muted and self.slots.filled(level)

    @contextmanager
    def by_value(self, acting: Tensor) -> Iterator[None]:
        """Every level is computed, and added where the bool tensor [levels] on the device says so: the same operations, whatever acts."""
        self._acting = acting
        try:
            yield
        finally:
            self._acting = None

    @contextmanager
    def by_row(self, added: Tensor) -> Iterator[None]:
        """Ablations in one batch: bool [levels, B], whether level l is added in batch row b."""
        self._rows = added.to(self.anchor.device)
        try:
            yield
        finally:
            self._rows = None

    @contextmanager
    def lent(self, parts: Mapping[int, Parts | ByRow | None]) -> Iterator[None]:
        """Run with these weights at some levels in place of what lies in their slots: {level: gate, up, down a layer}, as `Slots.parts`
        gives them; None for nothing. They may record gradients; they are taken to the anchor's dtype on the way. `ByRow` gives each row of
        the batch a block of its own, whose hidden values are not captured."""
        self._lent = parts
        try:
            yield
        finally:
            self._lent = {}

    @contextmanager
    def captured(self) -> Iterator[Capture]:
        """Keep what every block adds during the forwards inside (the last forward wins)."""
        self._capture = Capture()
        try:
            yield self._capture
        finally:
            self._capture = None

    def detach(self) -> None:
        """Take the hooks off the anchor."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self.steps.clear()

    def _hook(self, position: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
        act = self.anchor.mlps[self.layers[position]].get_submodule("act_fn")

        def add(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if not self._on:
                return None
            x, total = args[0], output
            if self._brief is not None and self._rows is None and self._capture is None and not self._lent:
                return self._added_briefly(position, act, x, total)
            for level in range(1, self.slots.levels + 1):
                parts, hidden = self._parts(level), None
                if parts is None:
                    continue
                if isinstance(parts, ByRow):
                    added = parts.added(x, position, act)
                else:
                    gate, up, down = (part.to(x.dtype) for part in parts[position])
                    if gate.shape[0] == 0:
                        continue
                    hidden = act(F.linear(x, gate)) * F.linear(x, up)
                    added = product(hidden, down)
                if self._rows is not None:
                    added = torch.where(self._rows[level - 1].view(-1, 1, 1), added, 0.0)
                if self._capture is not None:
                    self._capture.added[position, level] = added
                    if hidden is not None:
                        self._capture.hidden[position, level] = hidden
                total = total + added
            if self._capture is not None:
                self._capture.own[position], self._capture.total[position] = output, total
            return total

        return add

    def _parts(self, level: int) -> Parts | ByRow | None:
        """What a level adds with: what is lent, else what lies in its slot; None where nothing is added."""
        if level in self.muted:
            return None
        if level in self._lent:
            return self._lent[level]
        return self.slots.parts(level) if self.slots.filled(level) else None

    def _active(self) -> list[tuple[int, list[tuple[Tensor, Tensor]]]]:
        """The levels that a forward computes, with their pairs a layer."""
        levels = range(1, self.slots.levels + 1)
        return [(level, self.slots.pairs(level)) for level in levels if self._acting is not None or self.acts(level)]

    def _added_briefly(self, position: int, act: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        """The MLP's output [..., d] with memory: as the loop of `_hook` adds it, in fewer operations."""
        flat, before = x.reshape(-1, x.shape[-1]), output.reshape(-1, output.shape[-1])
        through, onto = (F.linear, torch.addmm) if self.anchor.linears is None else (linear, plus)
        for level, pairs in self._brief or ():
            both, down = pairs[position]
            if down.shape[0]:
                gate, up = through(flat, both).chunk(2, -1)
                total = onto(before, act(gate) * up, down)
                before = total if self._acting is None else torch.where(self._acting[level - 1], total, before)
        return before.view_as(output)


def _check_fit(anchor: Anchor, slots: Slots, layers: Sequence[int], activation: str | None) -> None:
    where = f"{anchor.folder}: not the anchor of this bank:"
    if activation is not None and activation != anchor.activation:
        raise UserError(f"{where} its activation is {anchor.activation}, the bank was made for {activation}")
    if max(layers) >= len(anchor.mlps):
        raise UserError(f"{where} the bank puts memory on layer {max(layers)}, it has {len(anchor.mlps)} layers")
    for level, layout in enumerate(slots.layouts, start=1):
        if layout.hidden_size != anchor.hidden_size:
            raise UserError(f"{where} its hidden size is {anchor.hidden_size}, the bank's {layout.hidden_size}")
        if len(layout.widths) != len(layers):
            raise ValueError(f"level {level} has {len(layout.widths)} widths for {len(layers)} layers")
