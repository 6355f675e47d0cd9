"""What the table knows of every cluster, as arrays, and which rows a filter and an order give. Free of Qt."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay
from memstudio.ui.models.cluster_rows import ClusterRows, StateFilter, ordered
from memstudio.ui.models.clusters_sheet import Field, Sheet
from memstudio.ui.models.measure_texts import state_word
from memstudio.ui.models.places import fits
from memstudio.ui.selection import Chosen, Mask
from memstudio.ui.shades import Floats, Shades
from memstudio.ui.snapshots import BankView, Indices, NodeView

Key = NDArray[np.int64] | NDArray[np.float64]
CSV_TITLES = ("level", "documents", "block size (bytes)", "state", "on route (1 = yes)")
WORDS = ("shipped", "edited", "scaled", "muted", "hidden", "pruned", "none")
SHIPPED, EDITED, SCALED, MUTED, HIDDEN, PRUNED, NONE = range(len(WORDS))


@dataclass(frozen=True, slots=True)
class Filter:
    """What is shown. level 0: all; found: what a search gave for `text`; least: of the measure, of its magnitude where it is signed."""

    level: int = 0
    text: str = ""
    found: frozenset[ClusterId] = frozenset()
    state: StateFilter = "any"
    measured: bool = False
    least: float | None = None

    @property
    def by_measure(self) -> bool:
        """Whether another measure gives other rows."""
        return self.measured or self.least is not None


class ClustersState:
    """One bank's clusters; all arrays are [rows.count]. Measures of another bank, and clusters that it has not, are let go."""

    def __init__(self, bank: BankView | None, overlay: Overlay) -> None:
        self.rows = rows = ClusterRows(bank.levels if bank else ())
        self.labels: NDArray[np.object_] = np.full(rows.count, None, object)
        self.overlay: Overlay = {}
        self.changes: NDArray[np.int64] = np.zeros(rows.count, np.int64)
        self.hidden, self.muted, self.route, self.selected = (np.zeros(rows.count, bool) for _ in range(4))
        self.blockless: Mask = rows.block_bytes == 0
        self.only: Mask | None = None
        """Which rows there are at all, whatever the filter; None: all."""
        self.shades: Shades | None = None
        self.figures: tuple[Shades, ...] = ()
        self._extra: tuple[Shades, ...] = ()
        self._values: dict[str, Floats] = {}
        self.take_overlay(overlay)

    # What comes

    def take_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels, and who has a block."""
        for cluster, node in nodes.items():
            place = self.rows.place(cluster)
            if place is not None:
                self.labels[place], self.blockless[place] = node.label, not node.has_block

    def take_overlay(self, overlay: Overlay) -> None:
        """What differs from the bank as shipped."""
        self.overlay = overlay
        self.changes = np.zeros(self.rows.count, np.int64)
        groups: dict[str, list[ClusterId]] = {}
        for cluster, state in overlay.items():
            groups.setdefault(state.source, []).append(cluster)
        for source, clusters in groups.items():
            self.changes[self.rows.places(clusters)] = {"pruned": PRUNED, "base": SCALED}.get(source, EDITED)

    def take_chosen(self, chosen: Chosen) -> None:
        """What is selected."""
        fitting = fits(chosen.masks, self.rows.sizes)
        self.selected = self.rows.flags(chosen.masks) if fitting else np.zeros(self.rows.count, bool)

    def figures_with(self, shades: Shades | None, extra: Sequence[Shades] | None = None) -> tuple[Shades, ...]:
        """Take the measure in force, and all that exist (None: as before). Gives the columns, that measure in place of its older self."""
        sizes = self.rows.sizes
        self.shades = live = shades if shades is not None and fits(shades.values, sizes) else None
        if extra is not None:
            self._extra = tuple(each for each in extra if fits(each.values, sizes))
        merged = {each.title: each for each in self._extra}
        if live is not None and live.title not in merged:
            merged = {live.title: live} | merged
        elif live is not None:
            merged[live.title] = live
        return tuple(merged.values())

    def take_figures(self, figures: tuple[Shades, ...]) -> None:
        """The columns of measures."""
        kept = {id(each): self._values[each.title] for each in self.figures}
        self._values = {each.title: kept[id(each)] if id(each) in kept else self.rows.flat(each.values) for each in figures}
        self.figures = figures

    def flags(self, clusters: Iterable[ClusterId]) -> Mask:
        """True for these clusters."""
        flags = np.zeros(self.rows.count, bool)
        flags[self.rows.places(clusters)] = True
        return flags

    # What is said of one

    def state(self, place: int, cluster: ClusterId) -> BlockState | None:
        """None where the bank holds no block."""
        return None if self.blockless[place] else self.overlay.get(cluster, BASE)

    def word(self, place: int, cluster: ClusterId) -> str:
        """The state in a word."""
        return state_word(self.state(place, cluster), hidden=bool(self.hidden[place]), muted=bool(self.muted[place]))

    # Which rows, in which order

    def shown(self, wanted: Filter, by: int | str, descending: bool) -> Indices:
        """The places that a filter leaves, sorted. by: the title of a measure, or a column."""
        return ordered(np.flatnonzero(self._kept(wanted)), self._key(by), descending)

    def _kept(self, wanted: Filter) -> Mask:
        rows = self.rows
        keep: Mask = np.ones(rows.count, bool) if self.only is None else self.only.copy()
        if wanted.level:
            keep &= rows.level == wanted.level
        if wanted.text:
            keep &= rows.named(wanted.text) | self.flags(wanted.found)
        if wanted.state == "changed":
            keep &= self.changes > 0
        elif wanted.state == "pruned":
            keep &= self.changes == PRUNED
        elif wanted.state != "any":
            keep &= self.hidden if wanted.state == "hidden" else self.muted
        return keep & self._measured(wanted) if wanted.by_measure else keep

    def _measured(self, wanted: Filter) -> Mask:
        if self.shades is None:
            return np.zeros(self.rows.count, bool)
        values = self._values[self.shades.title]
        found: Mask = ~np.isnan(values)
        if wanted.least is not None:
            found &= (np.abs(values) if self.shades.signed else values) >= np.float32(wanted.least)
        return found

    def _key(self, by: int | str) -> Key | None:
        """What is sorted; None: by id."""
        if isinstance(by, str):
            return self._values[by].astype(np.float64)
        rows = self.rows
        keys: dict[int, Callable[[], Key]] = {
            1: self._label_ranks,
            2: lambda: rows.level,
            3: lambda: rows.documents,
            4: lambda: rows.block_bytes,
            5: self.codes,
            6: lambda: self.route.astype(np.int64),
        }
        return keys[by]() if by in keys else None

    def codes(self) -> NDArray[np.int64]:
        """Places in WORDS, ranked as `state_word` ranks them."""
        pruned = self.changes == PRUNED
        return np.select([self.hidden, self.blockless, pruned, self.muted], [HIDDEN, NONE, PRUNED, MUTED], self.changes)

    def _label_ranks(self) -> NDArray[np.float64]:
        """NaN where a label was not read or is empty."""
        ranks = np.full(self.rows.count, np.nan)
        known = np.flatnonzero(self.labels.astype(bool))
        if known.size:
            _, ranks[known] = np.unique(np.array([label.casefold() for label in self.labels[known]]), return_inverse=True)
        return ranks

    def sheet(self, shown: Indices) -> Sheet:
        """These places, to be written."""
        rows = self.rows
        words = np.array(WORDS, object)[self.codes()]
        for place in np.flatnonzero(words == "scaled").tolist():
            words[place] = self.word(place, rows.cluster(place))
        labels = np.where(self.labels == None, "", self.labels)  # noqa: E711  # element by element
        columns = (rows.level, rows.documents, rows.block_bytes, words, self.route.astype(np.int64))
        fields = [Field(title, values[shown]) for title, values in zip(CSV_TITLES, columns, strict=True)]
        fields += [Field(f"{each.title} ({each.unit})", self._values[each.title][shown]) for each in self.figures]
        return Sheet(rows.level[shown], rows.index[shown], labels[shown], tuple(fields))
