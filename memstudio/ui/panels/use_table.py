"""Dead blocks, hot ones, and those that never matter: one table over what was counted, a view of the bank like any other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId, Overlay
from memstudio.session.used import MATTERS, Mask, Use, standing
from memstudio.ui.models.clusters_columns import FIGURES, Column
from memstudio.ui.models.clusters_model import ClustersModel
from memstudio.ui.panels.cluster_table import ClusterTable
from memstudio.ui.panels.parts import EmptyState, Segments, label, row
from memstudio.ui.selection import Chosen
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, NodeView
from memstudio.ui.texts import counted
from memstudio.ui.theme import Theme
from memstudio.ui.use_views import effect_shades, share_shades, total_shades, use_shades

DEAD, HOT, IDLE = range(3)
LISTS = (
    ("Dead", "Blocks that no counted prompt fetched"),
    ("Hot", "Blocks that were used, the most used first"),
    ("Never matters", f"Blocks whose effect stayed under {MATTERS:g} on every prompt on which it was measured"),
)
HIDDEN = (Column.LEVEL, Column.SIZE, Column.STATE, Column.ROUTE)
FIGURE_WIDTH = 88
Masks = Sequence[Mask]


class Words(NamedTuple):
    """What is said of a list: title and hint in its place while it is empty, and the line below it."""

    title: str
    hint: str
    said: str = ""


UNCOUNTED = Words("Nothing was counted yet", "Count the prompts of a set: dead, hot and idle blocks are listed here.")
WIDTHS = {Column.CLUSTER: 62, Column.DOCUMENTS: 52}


class UseTable(QWidget):
    """A view of the whole bank (see `overview.View`)."""

    wanted = Signal(object)
    chosen = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._bank: BankView | None = None
        self._overlay: Overlay = {}
        self._held: tuple[Mask, ...] = ()
        self._use: Use | None = None
        self.model = ClustersModel(self)
        self.view = ClusterTable(theme, self.model)
        self.view.setObjectName("use_table")
        self.view.setAccessibleName("Blocks by their use")
        self.view.widen(WIDTHS, FIGURE_WIDTH)
        for hidden in HIDDEN:
            self.view.setColumnHidden(hidden, True)
        self.lists = Segments(LISTS)
        self.lists.setAccessibleName("Which blocks are listed")
        self.lists.chosen.connect(self.show_list)
        self.all_button = QPushButton("Select all")
        self.all_button.setObjectName("use_select_all")
        self.all_button.setToolTip("Select every block of this list in all views; Del then prunes them, and all below them")
        self.all_button.clicked.connect(self.choose_all)
        self.said = label("", "dim")
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.said.setObjectName("use_said")
        self._empty = EmptyState(UNCOUNTED.title, UNCOUNTED.hint)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        self.head = row(self.lists, self.all_button)
        column.addLayout(self.head)
        column.addLayout(self._stack, 1)
        column.addWidget(self.said)
        self.view.wanted.connect(self.wanted)
        self.view.menu_wanted.connect(self.menu_wanted)
        self.view.rows.chosen.connect(self._chosen)

    # What was counted

    def show_held(self, held: tuple[Mask, ...]) -> None:
        """The blocks that the bank holds, bool [clusters] a level."""
        self._held = held
        self._draw()

    def show_use(self, use: Use | None) -> None:
        """What was counted; None: nothing was."""
        self._use = use
        present = self._present()
        figures: tuple[Shades, ...] = ()
        if use is not None and present:
            figures = (use_shades(use, present), share_shades(use, present))
            figures += (effect_shades(use), total_shades(use)) if use.measured else ()
        columns = self.model.columnCount()
        self.model.show_figures(figures)
        if self.model.columnCount() != columns:
            self._order()
        self.view.show_order()
        self._draw()

    def show_list(self, place: int) -> None:
        """The dead, the hot or the idle blocks."""
        self.lists.choose(place)
        self._order()
        self._draw()
        self.view.scrollToTop()

    def choose_all(self) -> None:
        """Select every block of the list in all views."""
        masks = self.model.masks()
        if self.model.rowCount():
            self.model.state.rows.mark(masks, self.model.shown)
            chosen = Chosen(masks, self.model.cluster(self.model.index(0, 0)))
            self.show_chosen(chosen)
            self.chosen.emit(chosen)
            self.view.setFocus()

    def _order(self) -> None:
        """The hottest first; the others by their id."""
        hot = self.lists.place == HOT and self.model.state.figures
        column = len(self.model.state.figures) + FIGURES - 1 if hot and self._use is not None and self._use.measured else FIGURES
        order = Qt.SortOrder.DescendingOrder if hot else Qt.SortOrder.AscendingOrder
        self.view.horizontalHeader().setSortIndicator(column if hot else Column.CLUSTER, order)
        self.view.fit()

    def _draw(self) -> None:
        use, place = self._use, self.lists.place
        if use is None or not self._held or not self._present():
            self.model.restrict(self.model.masks())
            self._say(UNCOUNTED)
            return
        there = standing(self._held, self._overlay)
        masks = (use.dead_masks, use.used_masks, use.idle_masks)[place](there)
        self.model.restrict(masks)
        words = (dead_words, used_words, idle_words)[place](use, there, masks)
        self._say(words)

    def _say(self, words: Words) -> None:
        self._empty.title.setText(words.title)
        self._empty.hint.setText(words.hint)
        self.said.setText(words.said)
        self.said.setVisible(bool(words.said))
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)
        self.all_button.setEnabled(self.model.rowCount() > 0)

    def _present(self) -> tuple[Mask, ...]:
        return tuple(np.asarray(level.documents > 0) for level in self._bank.levels) if self._bank is not None else ()

    # What all views show

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self._bank, self._overlay, self._held, self._use = bank, overlay, (), None
        self.model.show_bank(bank, overlay)
        self.view.start()
        self._draw()

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision: what was pruned is not listed any more."""
        self._overlay = overlay
        self.model.show_overlay(overlay)
        self._draw()

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self.model.show_hidden(hidden, muted)

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt."""
        self.model.show_route(clusters)

    def show_shades(self, shades: Shades | None) -> None:
        """The measure that colours the views, where it is one of the columns here."""
        mine = shades is not None and shades.title in [each.title for each in self.model.state.figures]
        self.model.show_shades(shades if mine else None)
        self.view.show_order()

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self.model.take_nodes(nodes)

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere."""
        if self.view.show_chosen(chosen):
            self.view.viewport().update()

    def _chosen(self, chosen: Chosen) -> None:
        self.view.viewport().update()
        self.chosen.emit(chosen)


def dead_words(use: Use, there: Masks, masks: Masks) -> Words:
    """Of the dead blocks (`masks`) among those that stand (`there`)."""
    prompts, all_ = counted(use.prompts, "prompt"), counted(_count(there), "standing block")
    said = f"{_count(masks):,} of {all_}: not fetched by any of {prompts} (observed)."
    return Words("No block is dead", f"Every standing block was fetched by some of {prompts}.", said)


def used_words(use: Use, there: Masks, masks: Masks) -> Words:
    """Of the blocks that were used."""
    prompts, all_ = counted(use.prompts, "prompt"), counted(_count(there), "standing block")
    said = f"{_count(masks):,} of {all_} used by {prompts}; effects measured on {use.measured:,} (causal)."
    return Words("No block was used", f"None of {prompts} fetched a block that stands.", said)


def idle_words(use: Use, there: Masks, masks: Masks) -> Words:
    """Of the blocks that were measured and never mattered."""
    if not use.measured:
        return Words("No effect was measured yet", "Count with effects: what a block does to the answers is measured then.")
    some = _count([mask & (effects > 0) for mask, effects in zip(there, use.effects, strict=True)])
    said = f"{_count(masks):,} of {counted(some, 'measured block')} stayed under {MATTERS:g} on each of {use.measured:,} prompts (causal)."
    if any(mask.any() for mask in masks[:-1]):
        said += " Pruning one takes what lies below it along."
    return Words("Every measured block matters", f"Each of {counted(some, 'block')} changed some answer by {MATTERS:g} or more.", said)


def _count(masks: Masks) -> int:
    return sum(int(mask.sum()) for mask in masks)
