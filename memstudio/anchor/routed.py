"""The anchor as a transformers model whose rows fetch blocks of their own, so that other people's harnesses run on a bank unmodified.

The model is of the anchor's own class and shares its weights; only its `forward` and `generate` are others. A row is routed by the text
of its tokens, and a row of a cache goes on with what it fetched when its prompt was read.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor
from transformers import Cache, GenerationMixin, PreTrainedModel

from memstudio.anchor.arm import Arm
from memstudio.anchor.gathered import Gathered, gathered
from memstudio.anchor.supply import Blob
from memstudio.anchor.wish import RunTime, Wish
from memstudio.bank.values import ClusterId, Memory, Overlay
from memstudio.errors import UserError

__all__ = ["PreTrainedModel", "RowBlocks", "routed_model"]

Routes = Callable[[Sequence[str]], Sequence[tuple[ClusterId, ...]]]
"""The clusters that each key chooses; no key is empty."""
KeyOf = Callable[[str], str]
"""From the text of a row to the key that it is routed by."""


class RowBlocks:
    """What each row of a batch fetches, and the weights of that, on an arm that nothing else uses."""

    def __init__(
        self, arm: Arm, routes: Routes, memory: Memory, overlay: Overlay, blob: Blob, runtime: RunTime, key_of: KeyOf | None
    ) -> None:
        self.arm = arm
        self._routes, self._memory = routes, memory
        self._overlay, self._blob = overlay, blob
        self._key_of = key_of
        self._held: tuple[list[Wish], Gathered] | None = None
        arm.follow(runtime)

    def wishes(self, ids: Tensor | None, mask: Tensor | None, keys: Sequence[str] | None) -> list[Wish]:
        """What the rows of a batch want: ids [B, T] and the mask [B, T] that says which of them are text (None: see `texts`).

        keys: what the rows are routed by, in place of their texts. A row without text fetches nothing.

        Raises:
            UserError: as many keys as rows are wanted; neither tokens nor keys.
        """
        if keys is None:
            if ids is None:
                raise UserError("the rows cannot be routed by embeddings: give keys=[…], a text for each row")
            keys = [self._key_of(text) if self._key_of is not None else text for text in self.texts(ids, mask)]
        elif ids is not None and len(keys) != len(ids):
            raise UserError(f"{len(keys)} keys for {len(ids)} rows: give a text for each row")
        if self._memory != "fetched":
            return [Wish(self._memory)] * len(keys)
        texts = [text for text in dict.fromkeys(keys) if text.strip()]
        clusters = dict(zip(texts, self._routes(texts), strict=True)) if texts else {}
        return [Wish("fetched", tuple(clusters.get(text, ()))) for text in keys]

    def texts(self, ids: Tensor, mask: Tensor | None) -> list[str]:
        """The rows as text, without special tokens; of a chat anchor the user's turn alone.

        Without a mask the end of a row that is made of padding tokens, or of the zeros that harnesses fill rows up with, is no text.
        """
        anchor, found = self.arm.anchor, []
        fills = {0, anchor.tokenizer.pad_token_id}
        for row, tokens in enumerate(ids.tolist()):
            if mask is not None:
                own = [token for token, kept in zip(tokens, mask[row].tolist(), strict=True) if kept]
            else:
                own = tokens[: max((at for at, token in enumerate(tokens, 1) if token not in fills), default=0)]
            if not anchor.chat:
                found.append(anchor.decode(own).strip())
                continue
            before, after = (part.strip() for part in anchor.turn)
            text = anchor.decode(own, special=True)
            found.append((text.rpartition(before)[2] if before else text).partition(after or "\0")[0].strip())
        return found

    @contextmanager
    def acting(self, wishes: Sequence[Wish]) -> Iterator[None]:
        """Every forward of the anchor inside adds to each row what it wants."""
        if self._held is None or self._held[0] != wishes:
            blocks = gathered(self.arm, wishes, self._overlay, self._blob)
            blocks.load(range(len(wishes)))
            self._held = (list(wishes), blocks)
        with self._held[1].lent(range(len(wishes))), self.arm.attached.acting():
            yield


def routed_model(blocks: RowBlocks) -> PreTrainedModel:
    """A model of the anchor's class that shares its weights and adds to each row what `blocks` says.

    `forward` and `generate` take `keys`, a text for each row, in place of the rows' own. Moving or changing its weights moves or changes
    the anchor's; it cannot be saved. In `generate` a row keeps what its prompt fetched.

    Raises:
        UserError: an anchor that transformers cannot generate with.
    """
    plain = blocks.arm.anchor.model
    if not isinstance(plain, GenerationMixin):
        raise UserError(f"{blocks.arm.anchor.folder}: {type(plain).__name__} generates no text")
    model = copy.copy(plain)
    whole: Callable[..., Any] = type(plain).generate
    takes = inspect.signature(plain.forward)
    known: WeakKeyDictionary[Cache, list[Wish]] = WeakKeyDictionary()
    fixed: list[list[Wish]] = []

    def wanted(ids: Tensor | None, mask: Tensor | None, past: object, keys: Sequence[str] | None) -> list[Wish]:
        if fixed:
            return _spread(fixed[-1], ids)
        if keys is None and isinstance(past, Cache) and past in known and past.get_seq_length() > 0:
            return _spread(known[past], ids)
        return blocks.wishes(ids, mask, keys)

    @functools.wraps(plain.forward)
    def forward(*arguments: Any, keys: Sequence[str] | None = None, **given: Any) -> Any:
        found = takes.bind_partial(*arguments, **given).arguments
        wishes = wanted(found.get("input_ids"), found.get("attention_mask"), found.get("past_key_values"), keys)
        with blocks.acting(wishes):
            out = plain.forward(*arguments, **given)
        past = getattr(out, "past_key_values", None)
        if isinstance(past, Cache):
            known[past] = wishes
        return out

    @functools.wraps(whole)
    def generate(inputs: Tensor | None = None, *arguments: Any, keys: Sequence[str] | None = None, **given: Any) -> Any:
        ids = inputs if inputs is not None else given.get("input_ids")
        fixed.append(blocks.wishes(ids, given.get("attention_mask"), keys))
        try:
            return whole(model, inputs, *arguments, **given)
        finally:
            fixed.pop()

    def save_pretrained(*_: Any, **__: Any) -> None:
        raise UserError("a bank's model cannot be saved as one: export it as bank, or one route of it as dense")

    model.__dict__.update(forward=forward, generate=generate, save_pretrained=save_pretrained)
    return model


def _spread(wishes: list[Wish], ids: Tensor | None) -> list[Wish]:
    """What the rows of ids [B, T] want when each prompt became several rows (beams, samples), which then lie together.

    Raises:
        UserError: the rows are others than those that were read.
    """
    rows = len(wishes) if ids is None else len(ids)
    if rows % len(wishes):
        raise UserError(f"{rows} rows go on from {len(wishes)} that were read: give keys=[…], a text for each row")
    return [wish for wish in wishes for _ in range(rows // len(wishes))]
