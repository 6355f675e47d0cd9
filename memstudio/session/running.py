"""The model that a session runs: anchor, encoder and arms, each loaded when first needed.

The main arm answers the user; the spare one is lent to previews, receipts and edits that need the model, and a third reads runs
along, so that neither ever disturbs what the user's run has in its slots.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from traceback import clear_frames
from typing import TYPE_CHECKING

from memstudio.anchor.wish import RunTime, Wish, identity
from memstudio.bank.overlay import ResolvedKey
from memstudio.bank.values import Memory, Overlay
from memstudio.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from memstudio.anchor.arm import Arm
    from memstudio.anchor.attach import Attached
    from memstudio.anchor.lanes import Lanes
    from memstudio.anchor.lens import Lens
    from memstudio.anchor.load import Anchor
    from memstudio.anchor.routed import KeyOf, PreTrainedModel, Routes
    from memstudio.anchor.router import Encoder
    from memstudio.anchor.supply import Supply
    from memstudio.anchor.values import DeviceChoice
    from memstudio.bank.bank import Bank

Blob = Callable[[str], "torch.Tensor"]

__all__ = ["RunTime", "Running", "Wish"]

PREVIEWS, BESIDE = "previews", "beside runs"


class Running:
    """Anchor, encoder and arms of one bank on one device."""

    def __init__(
        self, bank: Bank, *, device: str, dtype: str, anchor: Path | None, encoder: Path | None, cache_bytes: int | None = None
    ) -> None:
        """cache_bytes: of the cache of blocks, see `anchor.supply`."""
        self._cache_bytes = cache_bytes
        self._bank = bank
        self._device = device
        self._dtype = dtype
        self._anchor_folder = anchor
        self._encoder_folder = encoder
        self._routed: list[Arm] = []
        self._at_work = 0
        self._finding = threading.Lock()
        self._found: Encoder | None = None
        self.runtime = RunTime()
        """What is tried on runs of the main arm; set by `follow`."""

    @property
    def loaded(self) -> bool:
        """Whether the anchor is in memory."""
        return "anchor" in self.__dict__

    @cached_property
    def anchor(self) -> Anchor:
        """The anchor; loads it.

        Raises:
            UserError: no such device or no anchor.
        """
        from memstudio.anchor.load import load_anchor

        folder, chat = self._bank.anchor_dir(self._anchor_folder), self._bank.manifest.prompt == "chat"
        return load_anchor(folder, device=self._device, dtype=self._dtype, chat=chat)

    @cached_property
    def supply(self) -> Supply:
        """Where the arms' blocks come from.

        Raises:
            UserError: as `anchor`.
        """
        from memstudio.anchor.supply import Supply

        return Supply(self._bank, self.anchor.device, self.anchor.dtype, self._cache_bytes)

    @property
    def device(self) -> str:
        """Where the anchor runs, or is wished to before it is loaded; loads nothing."""
        anchor: Anchor | None = self.__dict__.get("anchor")
        return self._device if anchor is None else anchor.device

    @contextmanager
    def working(self) -> Iterator[None]:
        """While the model is worked with: where its device is full or gone, a person's line says so, and what can be let go of is.

        Raises:
            DeviceTrouble: the device is full or gone.
        """
        self._at_work += 1
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            from memstudio.anchor.device import trouble

            told = trouble(error, self.device)
            if told is None:
                raise
            clear_frames(error.__traceback__)  # they hold what filled the device
            if self._at_work == 1 and told.full:
                self._let_go()
            raise told from error
        finally:
            self._at_work -= 1

    def run_on(self, device: str) -> None:
        """Run on another device from now on. Every arm goes and is made anew there; what was run by them before ends.

        Raises:
            UserError: no such device, or the anchor cannot be loaded; all stays as it was then.
        """
        from memstudio.anchor.load import load_anchor

        old = self.anchor
        anchor = load_anchor(old.folder, device=device, dtype=self._dtype, chat=old.chat)
        self._let_go(all_arms=True)
        self.__dict__["anchor"] = anchor  # at once: another thread that asks must not find none and load one
        self._device = device

    def _let_go(self, *, all_arms: bool = False) -> None:
        """Let go of what is made again when it is next needed: the lens, and the arms beside the user's or all."""
        from memstudio.anchor.device import emptied

        for name, arm in self.arms().items():
            if all_arms or name in (PREVIEWS, BESIDE):
                arm.attached.detach()
        for kept in ("spare", "beside", "lens", *(("arm",) if all_arms else ())):
            self.__dict__.pop(kept, None)
        self.free_blocks()
        if all_arms:
            self.__dict__.pop("supply", None)
            self._routed.clear()
        else:
            gc.collect()
            emptied(self.device)

    @property
    def anchor_folder(self) -> Path:
        """The anchor's model folder; loads nothing.

        Raises:
            UserError: it is not to be found, or is another model.
        """
        return self.anchor.folder if self.loaded else self._bank.anchor_dir(self._anchor_folder)

    @cached_property
    def arm(self) -> Arm:
        """The arm that answers the user.

        Raises:
            UserError: no anchor, or one that the bank was not made for.
        """
        from memstudio.anchor.arm import Arm

        arm = Arm(self._bank, self.anchor, self.supply)
        arm.follow(self.runtime)
        return arm

    @cached_property
    def spare(self) -> Arm:
        """An arm beside it on the same anchor; nothing that is tried at run time reaches it."""
        from memstudio.anchor.arm import Arm

        return Arm(self._bank, self.anchor, self.supply)

    @cached_property
    def beside(self) -> Arm:
        """An arm for what reads a run along; it holds the generic blocks, which no edit changes."""
        from memstudio.anchor.arm import Arm

        return Arm(self._bank, self.anchor, self.supply)

    def routed(self, routes: Routes, memory: Memory, overlay: Overlay, blob: Blob, key: KeyOf | None) -> PreTrainedModel:
        """The anchor as a transformers model whose rows fetch blocks of their own, under what is tried now, until `detach`."""
        from memstudio.anchor.arm import Arm
        from memstudio.anchor.routed import RowBlocks, routed_model

        self._routed.append(Arm(self._bank, self.anchor, self.supply))
        return routed_model(RowBlocks(self._routed[-1], routes, memory, overlay, blob, self.runtime, key))

    def lanes(self, memory: Memory, overlay: Overlay, blob: Blob) -> Lanes | None:
        """New lanes beside a run with a kind of memory; None where no memory holds less."""
        from memstudio.anchor.lanes import Lanes, lesser

        memories = lesser(memory, generic=self._bank.manifest.generic)
        if not memories:
            return None
        self.beside.fetch(Wish("generic"), overlay, blob)
        return Lanes(self.beside.attached, memories)

    @property
    def attached(self) -> Attached:
        """The main arm's model."""
        return self.arm.attached

    @cached_property
    def lens(self) -> Lens:
        """The projection of this anchor's directions on its vocabulary."""
        from memstudio.anchor.lens import Lens

        return Lens(self.anchor)

    @property
    def choice(self) -> DeviceChoice:
        """The device that was picked, and the notice that goes with it."""
        return self.arm.anchor.choice

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt; an empty one is refused before anything is loaded.

        Raises:
            UserError: an empty or over-long prompt.
        """
        if not text.strip():
            raise UserError("the prompt is empty: write some text")
        return self.anchor.encode(text)

    @property
    def _encoder(self) -> Encoder:
        """The one encoder, whichever thread asks first."""
        from memstudio.anchor.router import Encoder, find_encoder

        with self._finding:
            if self._found is None:
                retriever = self._bank.manifest.retriever
                folder = find_encoder(retriever, self._encoder_folder)
                self._found = Encoder(folder, max_tokens=retriever.max_tokens, pooling=retriever.pooling, dim=retriever.dim)
            return self._found

    def key_of(self, prompt: str) -> str:
        """The text that a prompt is routed by: itself, or what the user said last where it carries turns of the anchor's chat template.

        What a chat template looks like takes the anchor, so where the bank is made for one it is loaded.

        Raises:
            UserError: no such device or no anchor.
        """
        turns = self.anchor.turns if self._bank.manifest.prompt == "chat" else None
        return prompt if turns is None else turns.last(prompt)

    def key_vectors(self, texts: list[str]) -> NDArray[np.float32]:
        """The vectors [len(texts), dim] that the texts are routed by.

        Raises:
            UserError: an empty text, or no encoder on this machine.
        """
        return self._encoder.encode(texts)

    def key_pieces(self, text: str) -> int:
        """How many word pieces a key has; those behind the first `max_tokens` of the bank's retriever are not read.

        Raises:
            UserError: no encoder on this machine.
        """
        return self._encoder.count(text)

    def fetch(self, wish: Wish, overlay: Overlay, blob: Blob) -> None:
        """Put what `wish` wants under `overlay` into the main arm's slots; a slot that holds it already is left alone."""
        self.arm.fetch(wish, overlay, blob)

    def refetch(self, overlay: Overlay, blob: Blob) -> None:
        """After an edit: overwrite, in place, the resident slots whose block is another one under `overlay`. Without a model, nothing."""
        if "arm" in self.__dict__:
            self.arm.fetch(self.arm.wish, overlay, blob)

    def identity(self, wish: Wish, level: int, overlay: Overlay) -> ResolvedKey | None:
        """What would lie in a slot, without reading a weight; equal identities are bit-identical blocks. None = nothing."""
        return identity(self._bank, wish, level, overlay)

    def follow(self, runtime: RunTime) -> None:
        """Have the main arm run by `runtime` from now on."""
        self.runtime = runtime
        if "arm" in self.__dict__:
            self.arm.follow(runtime)

    def share(self, other: Running) -> None:
        """Run on the anchor that another bank's session has loaded: it was made for the same one.

        Raises:
            UserError: as `anchor`.
        """
        self.__dict__["anchor"] = other.anchor

    def arms(self) -> dict[str, Arm]:
        """The arms that are there, by what each is for; loads none."""
        names = {"answers": "arm", PREVIEWS: "spare", BESIDE: "beside"}
        own = {name: arm for name, kept in names.items() if (arm := self.__dict__.get(kept)) is not None}
        return own | {f"transformers model {number}": arm for number, arm in enumerate(tuple(self._routed), 1)}

    def free_arms(self, *, anchor: bool) -> None:
        """Let go of the arms beside the user's, or, `anchor`, of every arm and the anchor; each is made again when it is next needed."""
        from memstudio.anchor.device import emptied

        if not self.loaded:
            return
        device = self.device
        self._let_go(all_arms=anchor)
        if anchor:
            self.__dict__.pop("anchor", None)
        gc.collect()
        emptied(device)

    def free_blocks(self) -> None:
        """Let go of the blocks that are kept for later, and of the memory that they pass through."""
        if "supply" in self.__dict__:
            self.supply.free()

    def detach(self) -> None:
        """Take the arms off the anchor."""
        for arm in self.arms().values():
            arm.attached.detach()
