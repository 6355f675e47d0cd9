"""The cluster tree as a Qt item model: computed from the level arrays, fetched a page at a time, labels asked for as they are needed.

Nothing grows with the bank but what has been unfolded: an index carries its cluster as a number, no node objects exist.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import IntEnum

import numpy as np
from PySide6.QtCore import QAbstractItemModel, QItemSelection, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal

from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay
from memstudio.ui.models.measure_texts import measure_line, measure_tip, state_word, value_text
from memstudio.ui.models.places import Counts, Places, beneath, fits, peaks
from memstudio.ui.models.roles import (
    ActivityRole,
    ClusterRole,
    FlagsRole,
    InsideRole,
    MeasureRole,
    OnRouteRole,
    PeakRole,
    SelectedRole,
    StateRole,
)
from memstudio.ui.selection import Chosen, Mask
from memstudio.ui.shades import Floats, Shades
from memstudio.ui.snapshots import BankView, NodeView
from memstudio.ui.texts import counted, plain_tip, size_text

PAGE = 200
MANY = 400  # from so many moved clusters on, all rows that are there are drawn again
INDEX_BITS = 32

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class Column(IntEnum):
    """The columns of the tree view."""

    CLUSTER = 0
    MEASURE = 1
    STATE = 2
    DOCUMENTS = 3
    SIZE = 4


HEADERS = {
    Column.CLUSTER: ("Cluster", "Label and id of the cluster"),
    Column.MEASURE: ("Activity", "Last prompt: norm of the block's output relative to the anchor's own MLP output (observed)"),
    Column.STATE: ("State", "What stands in the block's place at this revision"),
    Column.DOCUMENTS: ("Docs", "Documents that the block was trained on"),
    Column.SIZE: ("Size", "Bytes of the block"),
}


class TreeModel(QAbstractItemModel):
    """Clusters with documents, under their parents. Emits `wanted` with the clusters whose label it needs."""

    wanted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bank: BankView | None = None
        self._places = Places()
        self._fetched: dict[ClusterId | None, int] = {}
        self._nodes: dict[ClusterId, NodeView] = {}
        self._asked: set[ClusterId] = set()
        self._missing: set[ClusterId] = set()
        self._overlay: Overlay = {}
        self._forget()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._ask_missing)

    def _forget(self) -> None:
        """What belongs to one bank's run and selection."""
        self._activity: dict[ClusterId, float] = {}
        self._route: frozenset[ClusterId] = frozenset()
        self._hidden: frozenset[ClusterId] = frozenset()
        self._muted: frozenset[ClusterId] = frozenset()
        self.shades: Shades | None = None
        self._peaks: tuple[Floats, ...] = ()
        self._chosen = Chosen()
        self._inside: tuple[Counts, ...] = ()

    # What the panel sets

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Start over with another bank."""
        self.beginResetModel()
        self._bank, self._overlay = bank, overlay
        self._places = Places(bank.levels if bank else ())
        first = min(PAGE, len(self._places.present[0])) if self._places.levels else 0
        self._fetched, self._nodes, self._asked, self._missing = {None: first}, {}, set(), set()
        self._forget()
        self.endResetModel()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, Column.MEASURE, Column.MEASURE)
        if first:
            self.ask({ClusterId(1, int(index)) for index in self._places.present[0][:first]})

    def take_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self._nodes |= nodes
        self._redraw(nodes)

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        before, self._overlay = self._overlay, overlay
        either: Collection[ClusterId] = overlay.keys() | before.keys()
        self._redraw(either if len(either) > MANY else [c for c in either if overlay.get(c) != before.get(c)])

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt; its activity is not measured yet."""
        old = {*self._route, *self._activity}
        self._route, self._activity = frozenset(clusters), {}
        self._redraw(old | self._route)

    def show_activity(self, activity: dict[ClusterId, float]) -> None:
        """Relative norms (observed) of the last trace; shown where no other measure is."""
        old = set(self._activity)
        self._activity = activity
        self._redraw(old | set(activity))

    def show_shades(self, shades: Shades | None) -> None:
        """The measure of the measure column; None brings the activity of the last prompt back. One of another bank is let go."""
        self.shades = shades if shades is not None and fits(shades.values, self.sizes) else None
        self._peaks = peaks(self.shades, self._places.levels) if self.shades else ()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, Column.MEASURE, Column.MEASURE)
        self._redraw_all()

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        moved = (hidden ^ self._hidden) | (muted ^ self._muted)
        self._hidden, self._muted = hidden, muted
        self._redraw(moved)

    # What is selected

    @property
    def sizes(self) -> tuple[int, ...]:
        """Clusters a level."""
        return self._places.sizes

    def masks(self) -> tuple[Mask, ...]:
        """Nothing selected."""
        return tuple(np.zeros(size, bool) for size in self.sizes)

    def mark(self, masks: tuple[Mask, ...], parent: AnyIndex, top: int, bottom: int) -> None:
        """Set the clusters of the rows top … bottom under a parent."""
        above = self.cluster(parent)
        level = above.level if above else 0
        if level < len(masks):
            start, stop = self._places.below(above)
            masks[level][self._places.present[level][start + top : min(start + bottom + 1, stop)]] = True

    def show_chosen(self, chosen: Chosen) -> None:
        """What is selected, unfolded or not; a selection of another bank is let go."""
        self._chosen = chosen if fits(chosen.masks, self.sizes) else Chosen()
        self._inside = beneath(self._chosen.masks)

    def runs(self, most: int) -> QItemSelection:
        """The selected rows that are unfolded, as contiguous ranges; none at all where they are more than `most`."""
        found = QItemSelection()
        for parent, have in self._fetched.items() if self._chosen.masks else ():
            level = parent.level if parent else 0
            if not have or (parent and not self._inside[level - 1][parent.index]):
                continue
            start, _ = self._places.below(parent)
            mask = self._chosen.masks[level][self._places.present[level][start : start + have]]
            edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
            if found.count() + len(edges) // 2 > most:
                return QItemSelection()
            above = self._existing(parent)
            for top, end in edges.reshape(-1, 2).tolist():
                found.select(self.index(top, 0, above), self.index(end - 1, len(Column) - 1, above))
        return found

    # Where things are

    def cluster(self, index: AnyIndex) -> ClusterId | None:
        """The cluster of an index; None for the root."""
        if not index.isValid():
            return None
        number = index.internalId()
        return ClusterId(number >> INDEX_BITS, number & ((1 << INDEX_BITS) - 1))

    def holds(self, cluster: ClusterId) -> bool:
        """Whether a cluster of that number is in the bank, with documents."""
        return self._places.row(cluster) is not None

    def index_of(self, cluster: ClusterId, column: int = 0) -> QModelIndex:
        """The index of a cluster, fetching the pages on the way; invalid where it is absent."""
        row = self._places.row(cluster)
        if row is None:
            return QModelIndex()
        parent = self._places.parent(cluster)
        if parent is not None and not self.index_of(parent).isValid():
            return QModelIndex()
        have = self._fetched.get(parent, 0)
        if have <= row:
            self._fetch(parent, PAGE * (1 + (row - have) // PAGE))
        return self.createIndex(row, column, (cluster.level << INDEX_BITS) | cluster.index)

    def label(self, cluster: ClusterId) -> str | None:
        """The label, where it has come."""
        node = self._nodes.get(cluster)
        return node.label if node else None

    # What Qt asks

    def index(self, row: int, column: int, parent: AnyIndex = ROOT) -> QModelIndex:
        above = self.cluster(parent)
        if not 0 <= row < self.rowCount(parent) or not 0 <= column < len(Column):
            return QModelIndex()
        level = above.level + 1 if above else 1
        start, _ = self._places.below(above)
        return self.createIndex(row, column, (level << INDEX_BITS) | int(self._places.present[level - 1][start + row]))

    def parent(self, index: AnyIndex = ROOT) -> QModelIndex:  # type: ignore[override]  # QObject.parent() shares the name
        cluster = self.cluster(index)
        return self._existing(self._places.parent(cluster)) if cluster else QModelIndex()

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() and parent.column() else self._fetched.get(self.cluster(parent), 0)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return len(Column)

    def hasChildren(self, parent: AnyIndex = ROOT) -> bool:
        if parent.isValid() and parent.column():
            return False
        start, stop = self._places.below(self.cluster(parent))
        return stop > start

    def canFetchMore(self, parent: AnyIndex) -> bool:
        if parent.isValid() and parent.column():
            return False
        cluster = self.cluster(parent)
        start, stop = self._places.below(cluster)
        return self._fetched.get(cluster, 0) < stop - start

    def fetchMore(self, parent: AnyIndex) -> None:
        if self.canFetchMore(parent):
            self._fetch(self.cluster(parent), PAGE)

    def _fetch(self, cluster: ClusterId | None, more: int) -> None:
        """So many more rows under a cluster that is there, at once; labels of a long stretch are asked for when they are drawn."""
        start, stop = self._places.below(cluster)
        have = self._fetched.get(cluster, 0)
        more = min(more, stop - start - have)
        level = cluster.level + 1 if cluster else 1
        self.beginInsertRows(self._existing(cluster), have, have + more - 1)
        self._fetched[cluster] = have + more
        self.endInsertRows()
        if more <= 4 * PAGE:
            self.ask({ClusterId(level, int(i)) for i in self._places.present[level - 1][start + have : start + have + more]})

    def ask(self, clusters: set[ClusterId]) -> None:
        """Ask for the labels that were never asked for."""
        new = clusters - self._asked
        self._asked |= new
        if new:
            self.wanted.emit(frozenset(new))

    def _ask_missing(self) -> None:
        missing, self._missing = self._missing, set()
        self.ask(missing)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        title, tip = HEADERS[Column(section)]
        if section == Column.MEASURE and self.shades is not None:
            title, tip = self.shades.title[:1].upper() + self.shades.title[1:], measure_tip(self.shades)
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return tip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        cluster = self.cluster(index)
        if cluster is None or self._bank is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(cluster, Column(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(cluster)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() in (Column.DOCUMENTS, Column.SIZE):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return self._fact(cluster, role) if role >= Qt.ItemDataRole.UserRole else None

    # Inside

    def _fact(self, cluster: ClusterId, role: int) -> object:
        facts: dict[int, Callable[[], object]] = {
            ClusterRole: lambda: cluster,
            StateRole: lambda: self._state(cluster),
            ActivityRole: lambda: self._activity.get(cluster),
            OnRouteRole: lambda: cluster in self._route,
            FlagsRole: lambda: (cluster in self._hidden, cluster in self._muted),
            SelectedRole: lambda: cluster in self._chosen,
            MeasureRole: lambda: self.shades.at(cluster) if self.shades else None,
            PeakRole: lambda: self._peak(cluster),
            InsideRole: lambda: int(self._inside[cluster.level - 1][cluster.index]) if self._inside else 0,
        }
        fact = facts.get(role)
        return fact() if fact else None

    def _peak(self, cluster: ClusterId) -> float | None:
        peak = float(self._peaks[cluster.level - 1][cluster.index]) if self._peaks else np.nan
        return None if np.isnan(peak) else peak

    def _state(self, cluster: ClusterId) -> BlockState | None:
        """None where the bank holds no block for the cluster."""
        node = self._nodes.get(cluster)
        return None if node and not node.has_block else self._overlay.get(cluster, BASE)

    def _text(self, cluster: ClusterId, column: Column) -> str:
        level = self._places.levels[cluster.level - 1]
        if column is Column.CLUSTER:
            if cluster not in self._asked:
                self._missing.add(cluster)
                self._later.start(0)
            return self.label(cluster) or str(cluster)
        if column is Column.MEASURE:
            if self.shades is not None:
                return value_text(self.shades, self.shades.at(cluster))
            value = self._activity.get(cluster)
            return "" if value is None else f"{value:.2f}"
        if column is Column.STATE:
            return self.state_word(cluster)
        return f"{int(level.documents[cluster.index]):,}" if column is Column.DOCUMENTS else size_text(level.block_bytes)

    def state_word(self, cluster: ClusterId) -> str:
        """One word: shipped, pruned, edited, ×0.5, hidden, muted, none."""
        return state_word(self._state(cluster), hidden=cluster in self._hidden, muted=cluster in self._muted)

    def _tooltip(self, cluster: ClusterId) -> str:
        parts = [f"{cluster}  {self.label(cluster) or '…'}", f"{self._text(cluster, Column.DOCUMENTS)} documents", self.state_word(cluster)]
        if cluster in self._route:
            parts.append("on the route of the last prompt")
        if self.shades is not None:
            parts.append(measure_line(self.shades, cluster))
            peak = self._peak(cluster)
            if peak is not None:
                parts.append(f"strongest beneath: {value_text(self.shades, peak)}")
        elif cluster in self._activity:
            parts.append(f"activity {self._activity[cluster]:.3f} (observed)")
        inside = self._fact(cluster, InsideRole)
        if isinstance(inside, int) and inside:
            parts.append(f"{counted(inside, 'cluster')} selected inside")
        return plain_tip("\n".join(parts))

    def _existing(self, cluster: ClusterId | None) -> QModelIndex:
        """The index of a cluster that is fetched already."""
        row = self._places.row(cluster) if cluster else None
        if cluster is None or row is None:
            return QModelIndex()
        return self.createIndex(row, 0, (cluster.level << INDEX_BITS) | cluster.index)

    def _redraw(self, clusters: Collection[ClusterId]) -> None:
        if len(clusters) > MANY:
            self._redraw_all()
            return
        for cluster in clusters:
            row = self._places.row(cluster)
            if row is not None and row < self._fetched.get(self._places.parent(cluster), 0):
                left = self._existing(cluster)
                self.dataChanged.emit(left, left.siblingAtColumn(len(Column) - 1))

    def _redraw_all(self) -> None:
        for parent, have in self._fetched.items():
            if have:
                above = self._existing(parent)
                self.dataChanged.emit(self.index(0, 0, above), self.index(have - 1, len(Column) - 1, above))
