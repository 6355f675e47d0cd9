"""A bank on its own: routed, run and generated from with torch, transformers and safetensors alone, without a study or a window.

from memstudio.anchor.runtime import load_bank
bank = load_bank("smaller")
print(bank.answer("The atomic number of gold is"))
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from memstudio.anchor import engine
from memstudio.anchor.arm import Arm
from memstudio.anchor.load import load_anchor
from memstudio.anchor.routed import KeyOf, PreTrainedModel, RowBlocks, routed_model
from memstudio.anchor.router import Encoder, find_encoder
from memstudio.anchor.supply import Supply
from memstudio.anchor.values import Sampling, Token
from memstudio.anchor.wish import RunTime, Wish
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.values import ClusterId, Memory, Overlay, Route
from memstudio.errors import UserError

_SHIPPED: Overlay = {}


def load_bank(
    path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "float32",
    anchor: str | Path | None = None,
    encoder: str | Path | None = None,
) -> "Runtime":
    """Open a bank folder as shipped and load its anchor; the retriever's encoder is found when the first key is routed.

    anchor, encoder: folders to use instead of the model cache, accepted by their sha256.

    Raises:
        UserError: not a bank, no anchor, no such device or dtype.
    """
    bank = open_bank(path)
    return Runtime(bank, device, dtype, None if anchor is None else Path(anchor), None if encoder is None else Path(encoder))


class Runtime:
    """A bank that runs. Made by `load_bank`; used from one thread."""

    def __init__(self, bank: Bank, device: str, dtype: str, anchor: Path | None, encoder: Path | None) -> None:
        self.bank = bank
        self.anchor = load_anchor(bank.anchor_dir(anchor), device=device, dtype=dtype, chat=bank.manifest.prompt == "chat")
        self._supply = Supply(bank, self.anchor.device, self.anchor.dtype)
        self._arm = Arm(bank, self.anchor, self._supply)
        self._others: list[Arm] = []
        self._encoder_folder = encoder
        self._encoder: Encoder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Take memory off the anchor."""
        for arm in (self._arm, *self._others):
            arm.attached.detach()

    def key_vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors [texts, dim] that texts are routed by.

        Raises:
            UserError: an empty text, or no encoder on this machine.
        """
        if self._encoder is None:
            retriever = self.bank.manifest.retriever
            folder = find_encoder(retriever, self._encoder_folder)
            self._encoder = Encoder(folder, max_tokens=retriever.max_tokens, pooling=retriever.pooling, dim=retriever.dim)
        return self._encoder.encode(texts)

    def route(self, key: str) -> Route:
        """The clusters chosen for a key; raises as `key_vectors`."""
        return self.bank.tree.descend(self.key_vectors([key])[0])

    def logits(
        self, text: str, *, key: str | None = None, route: Sequence[ClusterId] | None = None, memory: Memory = "fetched"
    ) -> torch.Tensor:
        """The reference path: logits float32 [tokens, vocabulary] of one unpadded prompt.

        Raises:
            UserError: an empty or over-long prompt, a cluster that does not exist, generic memory of a bank that has none.
        """
        ids = self.anchor.encode(text)
        self._fetch(text, key, route, memory)
        return engine.logits(self._arm.attached, ids)

    def generate(
        self,
        text: str,
        *,
        key: str | None = None,
        route: Sequence[ClusterId] | None = None,
        memory: Memory = "fetched",
        sampling: Sampling = Sampling(),
    ) -> Iterator[Token]:
        """Continue a prompt, a token at a time; raises as `logits`, and where sampling is out of range."""
        ids = self.anchor.encode(text)
        self._fetch(text, key, route, memory)
        return engine.generate(self._arm.attached, ids, sampling)

    def answer(
        self, text: str, *, key: str | None = None, route: Sequence[ClusterId] | None = None, memory: Memory = "fetched", tokens: int = 64
    ) -> str:
        """The greedy continuation of a prompt, at most so many tokens long; raises as `logits`."""
        said = self.generate(text, key=key, route=route, memory=memory, sampling=Sampling(max_tokens=tokens))
        return "".join(token.text for token in said)

    def as_transformers(self, *, memory: Memory = "fetched", key: KeyOf | None = None) -> PreTrainedModel:
        """A model of the anchor's class that routes each row of a batch by its own text; see `routed.routed_model`.

        key: from the text of a row to what it is routed by, the text itself unless given: cut a harness's answer off its question here.

        Raises:
            UserError: generic memory of a bank that has none.
        """
        self._refuse_without_generic(memory)
        arm = Arm(self.bank, self.anchor, self._supply)
        self._others.append(arm)
        return routed_model(RowBlocks(arm, self._routes, memory, _SHIPPED, _no_blob, RunTime(), key))

    def _routes(self, texts: Sequence[str]) -> list[tuple[ClusterId, ...]]:
        return [self.bank.tree.descend(key).clusters for key in self.key_vectors(texts)]

    def _fetch(self, text: str, key: str | None, route: Sequence[ClusterId] | None, memory: Memory) -> None:
        self._refuse_without_generic(memory)
        clusters: tuple[ClusterId, ...] = ()
        if memory == "fetched":
            clusters = (self.route(text if key is None else key) if route is None else self.bank.tree.explicit(route)).clusters
        self._arm.fetch(Wish(memory, clusters), _SHIPPED, _no_blob)

    def _refuse_without_generic(self, memory: Memory) -> None:
        if memory == "generic" and not self.bank.manifest.generic:
            raise UserError(f"{self.bank.folder}: has no generic blocks; choose fetched memory or none")


def _no_blob(sha256: str) -> torch.Tensor:
    raise UserError(f"block {sha256[:12]}…: a bank as shipped holds no edits")
