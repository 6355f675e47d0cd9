"""How prompts use the blocks of a bank: what was counted, and what follows from it. No model is needed, so that a window can hold it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import ClusterId, Overlay
from memstudio.facts.values import Skipped
from memstudio.history.values import Count, KeptUse

Whole = NDArray[np.int64]
Sums = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

MATTERS = 0.01
"""From this effect on an answer (natural log) on a block is said to matter to it."""


@dataclass(frozen=True, eq=False, slots=True)
class Use:
    """Figures of every cluster over so many prompts, arrays [clusters] a level.

    fetched: by how many prompts it was chosen (observed); what a pruned one falls back to counts as its own. effects: on how many prompts
    its effect on the answer was measured (causal): log p(answer) − log p(answer without the block), nats; effect_sum and effect_max (the
    largest magnitude) are over those. measured: prompts whose effects were measured.
    """

    prompts: int
    measured: int
    fetched: tuple[Whole, ...]
    effects: tuple[Whole, ...]
    effect_sum: tuple[Sums, ...]
    effect_max: tuple[Sums, ...]

    def share(self) -> tuple[Floats, ...]:
        """The share of the prompts that fetched each cluster, 0 … 1; NaN where no prompt was counted."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return tuple((each / np.float64(self.prompts)).astype(np.float32) for each in self.fetched)

    def mean_effect(self) -> tuple[Floats, ...]:
        """The mean effect of each cluster over the prompts on which it was measured; NaN where it was on none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return tuple((sums / counts).astype(np.float32) for sums, counts in zip(self.effect_sum, self.effects, strict=True))

    def of(self, cluster: ClusterId) -> Count:
        """The figures of one cluster."""
        at, row = cluster.level - 1, cluster.index
        return Count(
            int(self.fetched[at][row]), int(self.effects[at][row]), float(self.effect_sum[at][row]), float(self.effect_max[at][row])
        )

    def dead_masks(self, standing: Sequence[Mask]) -> tuple[Mask, ...]:
        """Which standing blocks no prompt fetched and no trace met, bool [clusters] a level; none where no prompt was counted."""
        return tuple(
            here & (fetched == 0) & (effects == 0) & (self.prompts > 0)
            for here, fetched, effects in zip(standing, self.fetched, self.effects, strict=True)
        )

    def used_masks(self, standing: Sequence[Mask]) -> tuple[Mask, ...]:
        """Which standing blocks were used, likewise."""
        return tuple(
            here & ((fetched > 0) | (effects > 0)) for here, fetched, effects in zip(standing, self.fetched, self.effects, strict=True)
        )

    def idle_masks(self, standing: Sequence[Mask]) -> tuple[Mask, ...]:
        """Which standing blocks had their effect measured and never reached `MATTERS`, likewise."""
        return tuple(
            here & (effects > 0) & (most < MATTERS) for here, effects, most in zip(standing, self.effects, self.effect_max, strict=True)
        )

    def dead(self, standing: Sequence[Mask]) -> tuple[ClusterId, ...]:
        """As `dead_masks`, coarsest first."""
        return _clusters(self.dead_masks(standing))

    def idle(self, standing: Sequence[Mask]) -> tuple[ClusterId, ...]:
        """As `idle_masks`, those fetched most first."""
        return tuple(sorted(_clusters(self.idle_masks(standing)), key=lambda cluster: (-self.of(cluster).fetched, cluster)))

    def hot(self, standing: Sequence[Mask]) -> tuple[ClusterId, ...]:
        """As `used_masks`, hottest first: by the magnitude of the summed effect where one was measured, then by how often fetched."""
        return tuple(sorted(_clusters(self.used_masks(standing)), key=self._heat))

    def _heat(self, cluster: ClusterId) -> tuple[float, int, ClusterId]:
        count = self.of(cluster)
        return -abs(count.effect_sum), -count.fetched, cluster


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """A set of prompts as it was counted at a revision. digest: "" for single runs; id: its number in the study, 0 where it is not kept.

    total: the prompts of the set, of which `use.prompts` were counted. skipped: the lines of a file that could not be used; unread: prompts
    whose effects could not be measured; each with why, the first thousand, of how many.
    """

    name: str
    digest: str
    revision: int
    total: int
    time_s: float
    use: Use
    id: int = 0
    skipped: tuple[Skipped, ...] = ()
    skipped_count: int = 0
    unread: tuple[Skipped, ...] = ()
    unread_count: int = 0


def standing(held: Sequence[Mask], overlay: Overlay) -> tuple[Mask, ...]:
    """The blocks that the bank holds (`Bank.held`, a level each) without those that are pruned."""
    masks = tuple(each.copy() for each in held)
    for cluster, state in overlay.items():
        if state.pruned and cluster.level <= len(masks) and cluster.index < len(masks[cluster.level - 1]):
            masks[cluster.level - 1][cluster.index] = False
    return masks


def added_up(counted: Iterable[Counted]) -> Use | None:
    """All of them together; of one set at several revisions the newest count, single runs all. None where there is nothing."""
    newest: dict[object, Counted] = {}
    for each in sorted(counted, key=lambda one: (one.time_s, one.id)):
        newest[(each.name, each.digest) if each.digest else each.id] = each
    uses = [each.use for each in newest.values()]
    if not uses:
        return None
    levels = range(len(uses[0].fetched))
    return Use(
        sum(use.prompts for use in uses),
        sum(use.measured for use in uses),
        tuple(np.sum([use.fetched[at] for use in uses], axis=0) for at in levels),
        tuple(np.sum([use.effects[at] for use in uses], axis=0) for at in levels),
        tuple(np.sum([use.effect_sum[at] for use in uses], axis=0) for at in levels),
        tuple(np.max([use.effect_max[at] for use in uses], axis=0) for at in levels),
    )


def of_counts(sizes: Sequence[int], counts: Mapping[ClusterId, Count], prompts: int, measured: int) -> Use:
    """Figures of every cluster from those of the few that were used; sizes: clusters a level."""
    fetched, effects = ([np.zeros(size, np.int64) for size in sizes] for _ in range(2))
    sums, largest = ([np.zeros(size, np.float64) for size in sizes] for _ in range(2))
    for (level, index), count in counts.items():
        fetched[level - 1][index], effects[level - 1][index] = count.fetched, count.effects
        sums[level - 1][index], largest[level - 1][index] = count.effect_sum, count.effect_max
    return Use(prompts, measured, tuple(fetched), tuple(effects), tuple(sums), tuple(largest))


def kept_form(counted: Counted) -> KeptUse:
    """As the study keeps it."""
    use = counted.use
    used = _clusters((fetched > 0) | (effects > 0) for fetched, effects in zip(use.fetched, use.effects, strict=True))
    counts = {cluster: use.of(cluster) for cluster in used}
    return KeptUse(counted.name, counted.digest, counted.revision, counted.total, use.prompts, use.measured, counted.time_s, counts)


def _clusters(masks: Iterable[Mask]) -> tuple[ClusterId, ...]:
    return tuple(ClusterId(level, int(index)) for level, mask in enumerate(masks, 1) for index in np.flatnonzero(mask))
