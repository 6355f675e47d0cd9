"""Many rows in one batch, each with the blocks that it fetches: a block is read and held once, whatever rows fetch it.

The rows that fetch a block are brought together, and neighbouring blocks with about as many rows make one batched product
([K, m·T, d] times [K, d, r]), so that nothing is copied but activations; a block that all rows share is an ordinary product.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from memstudio.anchor.products import product
from memstudio.anchor.wish import NOTHING

if TYPE_CHECKING:
    from memstudio.anchor.arm import Arm
    from memstudio.anchor.attach import Attached
    from memstudio.anchor.supply import Blob
    from memstudio.anchor.wish import Wish
    from memstudio.bank.values import Overlay

Parts = Sequence[tuple[Tensor, Tensor, Tensor]]
"""Gate, up and down of each layer that carries memory."""
Fetches = tuple[Hashable | None, ...]
"""What a row fetches, level 1 first: equal keys are bit-identical blocks, None is nothing."""
Read = Callable[[int, int], Tensor | None]
"""The block [n] of a level (from 1) that row `number` fetches, in the anchor's dtype and on its device; None: nothing after all."""

BUDGET = 2**29
"""Bytes of blocks that are held at once, unless a single row fetches more."""
_SLACK = 4
"""Rows that a product may be padded by, above twice those that it needs."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring blocks `first` to `end` that make one product; rows [K, m]: the rows of each, filled up with row 0."""

    first: int
    end: int
    rows: Tensor


class ByRow:
    """The blocks of one level for the rows of a batch. parts: [K, r, d] in place of [r, d]."""

    def __init__(self, parts: Parts, of: Sequence[int]) -> None:
        """of: the number of each row's block, −1 where it has none."""
        self.parts = parts
        device = parts[0][0].device
        runs = list(_runs(of, parts[0][0].shape[0]))
        at, start = [-1] * len(of), 0
        flat: list[int] = []
        for first, end, members in runs:
            wide = max(map(len, members))
            for block, own in enumerate(members):
                flat += own + [0] * (wide - len(own))
                for place, row in enumerate(own):
                    at[row] = start + block * wide + place
            start += (end - first) * wide
        has = [row for row, place in enumerate(at) if place >= 0]
        sent = torch.tensor([*flat, *(at[row] for row in has), *has]).to(device)  # one transfer
        self._at, self._has = sent[len(flat) : len(flat) + len(has)], None if len(has) == len(of) else sent[len(flat) + len(has) :]
        self._runs, start = [], 0
        for first, end, members in runs:
            size = (end - first) * max(map(len, members))
            self._runs.append(_Run(first, end, sent[start : start + size].view(end - first, -1)))
            start += size

    def added(self, x: Tensor, position: int, act: Callable[[Tensor], Tensor]) -> Tensor:
        """What the blocks add to the MLP's output at the layer `position` for its input x [B, T, d]: [B, T, d]."""
        gate, up, down = (part.to(x.dtype) for part in self.parts[position])
        tokens, d = x.shape[1:]
        found = []
        for run in self._runs:
            own, blocks = x.index_select(0, run.rows.flatten()).view(len(run.rows), -1, d), slice(run.first, run.end)
            hidden = act(product(own, gate[blocks].mT)) * product(own, up[blocks].mT)
            found.append(product(hidden, down[blocks]).view(-1, tokens, d))
        rows = (found[0] if len(found) == 1 else torch.cat(found)).index_select(0, self._at)
        return rows if self._has is None else x.new_zeros(x.shape).index_copy(0, self._has, rows)


def _runs(of: Sequence[int], blocks: int) -> Iterator[tuple[int, int, list[list[int]]]]:
    """Stretches of neighbouring blocks, and the rows of each block in them: so long that at most half of a product is padding."""
    members: list[list[int]] = [[] for _ in range(blocks)]
    for row, block in enumerate(of):
        if block >= 0:
            members[block].append(row)
    used = [block for block, own in enumerate(members) if own]
    first = last = -1
    most = held = 0
    for block in used:
        count = len(members[block])
        wide = max(most, count)
        if first >= 0 and (block + 1 - first) * wide > 2 * (held + count) + _SLACK:
            yield first, last + 1, members[first : last + 1]
            first = -1
        if first < 0:
            first, most, held = block, 0, 0
        last, most, held = block, max(most, count), held + count
    if first >= 0:
        yield first, last + 1, members[first : last + 1]


class Gathered:
    """What many rows fetch, read a load at a time: rows that together fetch no more than a budget of bytes.

    fetches: what each row fetches; the slots play no part in it.
    """

    def __init__(self, attached: Attached, fetches: Sequence[Fetches], read: Read, budget: int = BUDGET) -> None:
        self.fetches = fetches
        self._attached, self._read, self._budget = attached, read, budget
        self._layouts = attached.slots.layouts
        self._bytes = [layout.n * attached.anchor.model.dtype.itemsize for layout in self._layouts]
        self._blocks: list[Tensor] = []
        self._places: list[dict[Hashable, int]] = []
        self._made: tuple[tuple[int, ...], Mapping[int, Parts | ByRow | None]] = ((), {})

    def sorted(self) -> list[int]:
        """The numbers of all rows in an order in which those that share blocks stand together, the coarsest level first."""
        firsts: list[dict[Hashable, int]] = [{} for _ in self._layouts]
        ranks = [tuple(first.setdefault(key, len(first)) for first, key in zip(firsts, each, strict=True)) for each in self.fetches]
        return sorted(range(len(ranks)), key=ranks.__getitem__)

    def loads(self, order: Iterable[int] | None = None, most: int | None = None) -> Iterator[list[int]]:
        """The rows in an order (None: sorted) in stretches of at most `most`; when one is given its blocks are read."""
        held: list[set[Hashable]] = [set() for _ in self._layouts]
        members: list[int] = []
        for number in self.sorted() if order is None else order:
            more = [{key} - {None} for key in self.fetches[number]]
            size = sum(len(own | new) * each for own, new, each in zip(held, more, self._bytes, strict=True))
            if members and (size > self._budget or len(members) == most):
                self.load(members)
                yield members
                members, held = [], [set() for _ in self._layouts]
            members.append(number)
            for own, new in zip(held, more, strict=True):
                own |= new
        if members:
            self.load(members)
            yield members

    def load(self, members: Sequence[int]) -> None:
        """Hold the blocks of these rows, and no others; those that are here already are not read again.

        Raises:
            UserError: as the reader.
        """
        before, places = self._blocks, self._places
        self._blocks, self._places, self._made = [], [], ((), {})
        for level in range(1, len(self._layouts) + 1):
            wanted = {key: number for number in reversed(members) if (key := self.fetches[number][level - 1]) is not None}
            known = places[level - 1] if places else {}
            stack, own = self._stack(level, wanted, known, before[level - 1] if before else None)
            self._blocks.append(stack)
            self._places.append(own)
            if before:
                before[level - 1] = stack  # what was held there goes as soon as it was replaced

    def _stack(
        self, level: int, wanted: Mapping[Hashable, int], known: Mapping[Hashable, int], before: Tensor | None
    ) -> tuple[Tensor, dict[Hashable, int]]:
        """The blocks of a level [K, n], and which of them each key is."""
        if before is not None and known and list(wanted) == list(known):
            return before, dict(known)
        stack = self._new(level, len(wanted))
        places: dict[Hashable, int] = {}
        for key, number in wanted.items():
            row = before[known[key]] if before is not None and key in known else self._read(level, number)
            if row is None:
                continue
            if len(wanted) == 1:
                stack = row[None] if key not in known else row[None].clone()  # a view would keep all that was held
            else:
                stack[len(places)].copy_(row)
            places[key] = len(places)
        return stack, places

    def _new(self, level: int, count: int) -> Tensor:
        anchor = self._attached.anchor
        return torch.empty(count if count > 1 else 0, self._layouts[level - 1].n, device=anchor.device, dtype=anchor.model.dtype)

    def lent(self, numbers: Sequence[int]) -> AbstractContextManager[None]:
        """Run a batch whose rows are these, all of them in the load that is held: each with what it fetches, nothing from the slots."""
        wanted = tuple(numbers)
        if self._made[0] != wanted:
            levels = range(1, len(self._layouts) + 1)
            self._made = (wanted, {level: self._level(level, wanted) for level in levels})
        return self._attached.lent(self._made[1])

    def _level(self, level: int, numbers: Sequence[int]) -> Parts | ByRow | None:
        places, layout = self._places[level - 1], self._layouts[level - 1]
        of = [-1 if (key := self.fetches[number][level - 1]) is None else places.get(key, -1) for number in numbers]
        if not of or max(of) < 0:
            return None
        stack = self._blocks[level - 1]
        return layout.split(stack[of[0]]) if min(of) == max(of) else ByRow(layout.split(stack), of)


def gathered(arm: Arm, wishes: Sequence[Wish], overlay: Overlay, blob: Blob) -> Gathered:
    """The blocks of many wishes on one arm, what it silences left out; its slots are emptied."""
    arm.fetch(NOTHING, overlay, blob)

    def read(level: int, number: int) -> Tensor | None:
        return arm.row(wishes[number], level, overlay, blob)

    return Gathered(arm.attached, [arm.adds(wish, overlay) for wish in wishes], read)
