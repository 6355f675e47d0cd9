"""The model that a session runs: anchor, slots and encoder, each loaded when first needed, and what lies in the slots right now."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.bank.overlay import ResolvedKey, resolve, resolved_key
from memstudio.bank.values import ClusterId, Memory, Overlay
from memstudio.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from memstudio.anchor.attach import Attached
    from memstudio.anchor.lens import Lens
    from memstudio.anchor.load import Anchor
    from memstudio.anchor.router import Encoder
    from memstudio.anchor.values import DeviceChoice
    from memstudio.bank.bank import Bank

Blob = Callable[[str], "torch.Tensor"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run wants in its slots: the blocks of `clusters`, or every level's generic block, or nothing.

    levels: only the first so many levels (None: all).
    """

    memory: Memory
    clusters: tuple[ClusterId, ...] = ()
    levels: int | None = None

    def at(self, level: int) -> ClusterId | None:
        """The cluster wanted at a level; None where nothing is."""
        if self.memory != "fetched" or (self.levels is not None and level > self.levels) or level > len(self.clusters):
            return None
        return self.clusters[level - 1]

    def generic_at(self, level: int) -> bool:
        """Whether the generic block is wanted at a level."""
        return self.memory == "generic" and (self.levels is None or level <= self.levels)


NOTHING = Wish("none")


class Running:
    """Anchor, slots and encoder of one bank on one device."""

    def __init__(self, bank: Bank, *, device: str, dtype: str, anchor: Path | None, encoder: Path | None) -> None:
        self._bank = bank
        self._device = device
        self._dtype = dtype
        self._anchor_folder = anchor
        self._encoder_folder = encoder
        self._wish = NOTHING
        self._muted: frozenset[ClusterId] = frozenset()

    @property
    def loaded(self) -> bool:
        """Whether the anchor is in memory."""
        return "attached" in self.__dict__

    @cached_property
    def attached(self) -> Attached:
        """The anchor with empty slots; loads it.

        Raises:
            UserError: no such device, no anchor, or one that the bank was not made for.
        """
        from memstudio.anchor.attach import Attached
        from memstudio.anchor.load import DTYPES, load_anchor
        from memstudio.anchor.slots import Slots

        anchor = load_anchor(self._bank.anchor_dir(self._anchor_folder), device=self._device, dtype=self._dtype)
        slots = Slots(self._bank.layouts, anchor.device, DTYPES[anchor.dtype])
        return Attached(anchor, slots, self._bank.manifest.layers, self._bank.manifest.activation)

    @property
    def anchor(self) -> Anchor:
        """The loaded anchor."""
        return self.attached.anchor

    @cached_property
    def lens(self) -> Lens:
        """The projection of this anchor's directions on its vocabulary."""
        from memstudio.anchor.lens import Lens

        return Lens(self.anchor)

    @property
    def choice(self) -> DeviceChoice:
        """The device that was picked, and the notice that goes with it."""
        return self.anchor.choice

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt; an empty one is refused before anything is loaded.

        Raises:
            UserError: an empty or over-long prompt.
        """
        if not text.strip():
            raise UserError("the prompt is empty: write some text")
        return self.anchor.encode(text)

    @cached_property
    def _encoder(self) -> Encoder:
        from memstudio.anchor.router import Encoder, find_encoder

        retriever = self._bank.manifest.retriever
        folder = find_encoder(retriever, self._encoder_folder)
        return Encoder(folder, max_tokens=retriever.max_tokens, pooling=retriever.pooling, dim=retriever.dim)

    def key_vectors(self, texts: list[str]) -> NDArray[np.float32]:
        """The vectors [len(texts), dim] that the texts are routed by.

        Raises:
            UserError: an empty text, or no encoder on this machine.
        """
        return self._encoder.encode(texts)

    def fetch(self, wish: Wish, overlay: Overlay, blob: Blob) -> None:
        """Put what `wish` wants under `overlay` into the slots; a slot that holds it already is left alone."""
        self._wish = wish
        slots = self.attached.slots
        for level in range(1, slots.levels + 1):
            identity = self.identity(wish, level, overlay)
            if identity == slots.identity[level - 1]:
                continue
            row, scale = self._row(wish, level, overlay, blob)
            slots.fill(level, row, scale, identity)
        self._apply_mutes()

    def refetch(self, overlay: Overlay, blob: Blob) -> None:
        """After an edit: overwrite, in place, the resident slots whose block is another one under `overlay`. Without a model, nothing."""
        if self.loaded:
            self.fetch(self._wish, overlay, blob)

    def identity(self, wish: Wish, level: int, overlay: Overlay) -> ResolvedKey | None:
        """What would lie in a slot, without reading a weight; equal identities are bit-identical blocks. None = nothing."""
        cluster = wish.at(level)
        if cluster is not None:
            found = resolved_key(self._bank, overlay, cluster)
            return None if found.kind == "zero" else found
        if wish.generic_at(level) and self._bank.has_generic(level):
            return ResolvedKey("generic", ClusterId(level, self._bank.tree.count(level)), "base", 1.0)
        return None

    def mute(self, clusters: Collection[ClusterId]) -> None:
        """Blocks that are fetched and not added, from now on."""
        self._muted = frozenset(clusters)
        if self.loaded:
            self._apply_mutes()

    def _row(self, wish: Wish, level: int, overlay: Overlay, blob: Blob) -> tuple[torch.Tensor | None, float]:
        cluster = wish.at(level)
        if cluster is None:
            return (self._bank.generic(level) if wish.generic_at(level) and self._bank.has_generic(level) else None), 1.0
        found = resolve(self._bank, overlay, cluster, blob)
        wanted = self._bank.layouts[level - 1].n
        if found.row is not None and tuple(found.row.shape) != (wanted,):  # a study is untrusted, and names blobs for any cluster
            raise UserError(f"cluster {found.cluster}: the study's blob has shape {list(found.row.shape)}, a block here is [{wanted}]")
        return found.row, found.scale

    def _apply_mutes(self) -> None:
        levels = range(1, self.attached.slots.levels + 1)
        self.attached.muted = frozenset(level for level in levels if self._wish.at(level) in self._muted)
