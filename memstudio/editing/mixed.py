"""Lessons of any paths in one batch, each row with the blocks that it fetches; those under fit record gradients.

Lessons stand together by length, not by path: one forward of a small anchor costs as much as those of a few more rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from memstudio.anchor.gathered import BUDGET, ByRow, Parts
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId
from memstudio.editing.lessons import BATCH, SCORES, Batch, Lesson, make_batch, read

if TYPE_CHECKING:
    from memstudio.bank.overlay import ResolvedKey
    from memstudio.editing.desk import Desk, Path

_PADDED = 128
"""Tokens of padding that cost about as much as another batch."""
_BLOCKS = BUDGET // 4
"""Bytes of a batch's blocks; as much again is taken by what is held, by what they are stacked into, and by gradients."""


class Mixed:
    """Batches of lessons on a desk, and their logits. Blocks that are read for them are held."""

    def __init__(self, desk: Desk, budget: int = _BLOCKS) -> None:
        """budget: bytes of blocks that a batch fetches, unless a single lesson fetches more, and of those that are held."""
        self._desk, self._budget = desk, budget
        itemsize = desk.arm().anchor.model.dtype.itemsize
        self._bytes = [layout.n * itemsize for layout in desk.bank.layouts]
        self._fetched: dict[Path, tuple[ResolvedKey | None, ...]] = {}
        self._held: dict[ResolvedKey, Tensor] = {}
        self._held_bytes = 0

    def batches(self, lessons: Iterable[Lesson]) -> Iterator[Batch]:
        """Every lesson once, the shortest first where all blocks fit into the budget; a batch has so few logits that they fit in memory."""
        anchor = self._desk.arm().anchor
        for load in self._loads(lessons):
            for part in by_length(load, anchor.vocabulary):
                yield make_batch(part, anchor.device)

    def scores(self, batch: Batch, rows: Mapping[ClusterId, Tensor]) -> Tensor:
        """Logits float32 [B, K, vocabulary] as `score_batch` gives them for lessons of one path, with `rows` [n] in place of what stands
        there; a block that all lessons fetch is an ordinary product.

        Raises:
            UserError: a block that cannot be read.
        """
        attached = self._desk.arm().attached
        paths = [lesson.path for lesson in batch.lessons]
        with attached.lent({level: self._level(level, paths, rows) for level in range(1, len(self._bytes) + 1)}):
            return read(attached, batch)

    def _loads(self, lessons: Iterable[Lesson]) -> Iterator[list[Lesson]]:
        """The lessons in tree order of their paths, in stretches whose blocks fit into the budget."""
        load: list[Lesson] = []
        met: dict[ResolvedKey, int] = {}
        for lesson in sorted(lessons, key=lambda lesson: lesson.path):
            own = {key: size for key, size in zip(self._keys(lesson.path), self._bytes, strict=True) if key is not None}
            if load and sum((met | own).values()) > self._budget:
                yield load
                load, met = [], {}
            load.append(lesson)
            met |= own
        if load:
            yield load

    def _keys(self, path: Path) -> tuple[ResolvedKey | None, ...]:
        """What each level adds under the overlay, level 1 first."""
        if path not in self._fetched:
            self._fetched[path] = self._desk.arm().adds(Wish("fetched", path), self._desk.overlay)
        return self._fetched[path]

    def _level(self, level: int, paths: Sequence[Path], rows: Mapping[ClusterId, Tensor]) -> Parts | ByRow | None:
        """The blocks of one level for the rows of a batch."""
        layout, dtype = self._desk.bank.layouts[level - 1], self._desk.arm().anchor.model.dtype
        keys: list[ClusterId | ResolvedKey | None] = []
        found: dict[ClusterId | ResolvedKey, Tensor] = {}
        for path in paths:
            key = self._keys(path)[level - 1]
            if key is None:
                keys.append(None)
            elif path[level - 1] in rows:
                keys.append(path[level - 1])
                found[path[level - 1]] = rows[path[level - 1]]
            else:
                keys.append(key)
                if key not in found:
                    found[key] = self._row(key, level, path)
        if not found:
            return None
        if len(found) == 1 and None not in keys:
            return layout.split(next(iter(found.values())))
        order = [key for key, _ in Counter(keys).most_common() if key is not None]  # blocks of as many rows make one product
        places: dict[ClusterId | ResolvedKey | None, int] = {key: place for place, key in enumerate(order)}
        return ByRow(layout.split(torch.stack([found[key].to(dtype) for key in order])), [places.get(key, -1) for key in keys])

    def _row(self, key: ResolvedKey, level: int, path: Path) -> Tensor:
        """A block [n] that is not under fit, in the anchor's dtype; of those that are held the oldest give way."""
        if key not in self._held:
            row = self._desk.arm().row(Wish("fetched", path), level, self._desk.overlay, self._desk.blob)
            assert row is not None  # a key names a block
            self._held_bytes += self._bytes[level - 1]
            while self._held and self._held_bytes > self._budget:
                gone = self._held.pop(next(iter(self._held)))
                self._held_bytes -= gone.numel() * gone.element_size()
            self._held[key] = row
        return self._held[key]


def by_length(lessons: Iterable[Lesson], vocabulary: int) -> Iterator[list[Lesson]]:
    """Lessons of like length together, the shortest first: so few that their logits fit in memory, and little padding."""
    part: list[Lesson] = []
    tokens = answer = 0
    for lesson in sorted(lessons, key=lambda lesson: len(lesson.ids)):
        size, answer = len(lesson.ids), max(answer, len(lesson.answer))
        count = len(part) + 1
        if part and (count > BATCH or count * answer * vocabulary > SCORES or count * size - tokens - size > _PADDED):
            yield part
            part, tokens, answer = [], 0, len(lesson.answer)
        part.append(lesson)
        tokens += size
    if part:
        yield part
