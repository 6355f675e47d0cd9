"""The cluster tree as a Qt item model: computed from the level arrays, fetched a page at a time, labels asked for as they are needed.

Nothing grows with the bank but what has been unfolded: an index carries its cluster as a number, no node objects exist.
"""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay
from memstudio.ui.snapshots import BankView, Indices, NodeView
from memstudio.ui.texts import plain_tip, size_text

PAGE = 200
INDEX_BITS = 32
ClusterRole = Qt.ItemDataRole.UserRole
StateRole = Qt.ItemDataRole.UserRole + 1
ActivityRole = Qt.ItemDataRole.UserRole + 2
OnRouteRole = Qt.ItemDataRole.UserRole + 3
FlagsRole = Qt.ItemDataRole.UserRole + 4

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class Column(IntEnum):
    """The columns of the tree view."""

    CLUSTER = 0
    ACTIVITY = 1
    STATE = 2
    DOCUMENTS = 3
    SIZE = 4


HEADERS = {
    Column.CLUSTER: ("Cluster", "Label and id of the cluster"),
    Column.ACTIVITY: ("Activity", "Last prompt: norm of the block's output relative to the anchor's own MLP output (observed)"),
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
        self._present: tuple[Indices, ...] = ()
        self._fetched: dict[ClusterId | None, int] = {}
        self._nodes: dict[ClusterId, NodeView] = {}
        self._asked: set[ClusterId] = set()
        self._overlay: Overlay = {}
        self._activity: dict[ClusterId, float] = {}
        self._route: frozenset[ClusterId] = frozenset()
        self._hidden: frozenset[ClusterId] = frozenset()
        self._muted: frozenset[ClusterId] = frozenset()

    # What the panel sets

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Start over with another bank."""
        self.beginResetModel()
        self._bank, self._overlay = bank, overlay
        self._present = tuple(np.flatnonzero(level.documents > 0) for level in bank.levels) if bank else ()
        first = min(PAGE, len(self._present[0])) if bank else 0
        self._fetched, self._nodes, self._asked = {None: first}, {}, set()
        self._activity, self._route, self._hidden, self._muted = {}, frozenset(), frozenset(), frozenset()
        self.endResetModel()
        if bank:
            self.ask({ClusterId(1, int(index)) for index in self._present[0][:first]})

    def take_nodes(self, nodes: dict[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self._nodes |= nodes
        self._redraw(nodes)

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        moved = {c for c in {*overlay, *self._overlay} if overlay.get(c) != self._overlay.get(c)}
        self._overlay = overlay
        self._redraw(moved)

    def show_route(self, clusters: tuple[ClusterId, ...]) -> None:
        """The clusters of the last prompt; its activity is not measured yet."""
        old = {*self._route, *self._activity}
        self._route, self._activity = frozenset(clusters), {}
        self._redraw(old | self._route)

    def show_activity(self, activity: dict[ClusterId, float]) -> None:
        """Relative norms (observed) of the last trace."""
        old = set(self._activity)
        self._activity = activity
        self._redraw(old | set(activity))

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        moved = (hidden ^ self._hidden) | (muted ^ self._muted)
        self._hidden, self._muted = hidden, muted
        self._redraw(moved)

    # Where things are

    def cluster(self, index: AnyIndex) -> ClusterId | None:
        """The cluster of an index; None for the root."""
        if not index.isValid():
            return None
        number = index.internalId()
        return ClusterId(number >> INDEX_BITS, number & ((1 << INDEX_BITS) - 1))

    def index_of(self, cluster: ClusterId, column: int = 0) -> QModelIndex:
        """The index of a cluster, fetching the pages on the way; invalid where it is absent."""
        if self._bank is None or not 1 <= cluster.level <= len(self._bank.levels):
            return QModelIndex()
        row = self._row(cluster)
        if row is None:
            return QModelIndex()
        parent = self._parent(cluster)
        if parent is not None and not self.index_of(parent).isValid():
            return QModelIndex()
        while self._fetched.get(parent, 0) <= row:
            self.fetchMore(self._existing(parent))
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
        start, _ = self._below(above)
        return self.createIndex(row, column, (level << INDEX_BITS) | int(self._present[level - 1][start + row]))

    def parent(self, index: AnyIndex = ROOT) -> QModelIndex:  # type: ignore[override]  # QObject.parent() shares the name
        cluster = self.cluster(index)
        return self._existing(self._parent(cluster)) if cluster else QModelIndex()

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() and parent.column() else self._fetched.get(self.cluster(parent), 0)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return len(Column)

    def hasChildren(self, parent: AnyIndex = ROOT) -> bool:
        if self._bank is None or (parent.isValid() and parent.column()):
            return False
        start, stop = self._below(self.cluster(parent))
        return stop > start

    def canFetchMore(self, parent: AnyIndex) -> bool:
        if self._bank is None or (parent.isValid() and parent.column()):
            return False
        cluster = self.cluster(parent)
        start, stop = self._below(cluster)
        return self._fetched.get(cluster, 0) < stop - start

    def fetchMore(self, parent: AnyIndex) -> None:
        if not self.canFetchMore(parent):
            return
        cluster = self.cluster(parent)
        start, stop = self._below(cluster)
        have = self._fetched.get(cluster, 0)
        more = min(PAGE, stop - start - have)
        level = cluster.level + 1 if cluster else 1
        self.beginInsertRows(parent, have, have + more - 1)
        self._fetched[cluster] = have + more
        self.endInsertRows()
        self.ask({ClusterId(level, int(i)) for i in self._present[level - 1][start + have : start + have + more]})

    def ask(self, clusters: set[ClusterId]) -> None:
        """Ask for the labels that were never asked for."""
        new = clusters - self._asked
        self._asked |= new
        if new:
            self.wanted.emit(frozenset(new))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[Column(section)][0]
        return HEADERS[Column(section)][1] if role == Qt.ItemDataRole.ToolTipRole else None

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
        return {
            ClusterRole: cluster,
            StateRole: self._state(cluster),
            ActivityRole: self._activity.get(cluster),
            OnRouteRole: cluster in self._route,
            FlagsRole: (cluster in self._hidden, cluster in self._muted),
        }.get(role)

    # Inside

    def _state(self, cluster: ClusterId) -> BlockState | None:
        """None where the bank holds no block for the cluster."""
        node = self._nodes.get(cluster)
        return None if node and not node.has_block else self._overlay.get(cluster, BASE)

    def _text(self, cluster: ClusterId, column: Column) -> str:
        assert self._bank is not None
        level = self._bank.levels[cluster.level - 1]
        if column is Column.CLUSTER:
            return self.label(cluster) or str(cluster)
        if column is Column.ACTIVITY:
            value = self._activity.get(cluster)
            return "" if value is None else f"{value:.2f}"
        if column is Column.STATE:
            return self.state_word(cluster)
        return f"{int(level.documents[cluster.index]):,}" if column is Column.DOCUMENTS else size_text(level.block_bytes)

    def state_word(self, cluster: ClusterId) -> str:
        """One word: shipped, pruned, edited, ×0.5, hidden, muted, none."""
        state = self._state(cluster)
        if cluster in self._hidden:
            return "hidden"
        if state is None:
            return "none"
        if state.pruned:
            return "pruned"
        if cluster in self._muted:
            return "muted"
        if state == BASE:
            return "shipped"
        return "edited" if state.source != "base" else f"× {state.scale:g}"

    def _tooltip(self, cluster: ClusterId) -> str:
        parts = [f"{cluster}  {self.label(cluster) or '…'}", f"{self._text(cluster, Column.DOCUMENTS)} documents", self.state_word(cluster)]
        if cluster in self._activity:
            parts.append(f"activity {self._activity[cluster]:.3f} (observed)")
        return plain_tip("\n".join(parts))

    def _below(self, cluster: ClusterId | None) -> tuple[int, int]:
        """Positions [start, stop) of a cluster's children in the present indices of the next level."""
        if self._bank is None:
            return 0, 0
        level = cluster.level if cluster else 0
        if level >= len(self._bank.levels):
            return 0, 0
        k = self._bank.levels[level].branching
        first = cluster.index * k if cluster else 0
        start, stop = np.searchsorted(self._present[level], [first, first + k])
        return int(start), int(stop)

    def _row(self, cluster: ClusterId) -> int | None:
        present = self._present[cluster.level - 1]
        place = int(np.searchsorted(present, cluster.index))
        if place == len(present) or present[place] != cluster.index:
            return None
        return place - self._below(self._parent(cluster))[0]

    def _parent(self, cluster: ClusterId) -> ClusterId | None:
        if self._bank is None or cluster.level == 1:
            return None
        return ClusterId(cluster.level - 1, cluster.index // self._bank.levels[cluster.level - 1].branching)

    def _existing(self, cluster: ClusterId | None) -> QModelIndex:
        """The index of a cluster that is fetched already."""
        row = self._row(cluster) if cluster else None
        if cluster is None or row is None:
            return QModelIndex()
        return self.createIndex(row, 0, (cluster.level << INDEX_BITS) | cluster.index)

    def _shown(self, clusters: set[ClusterId] | frozenset[ClusterId] | dict[ClusterId, NodeView]) -> Iterator[ClusterId]:
        for cluster in clusters:
            row = self._row(cluster) if self._bank and cluster.level <= len(self._bank.levels) else None
            if row is not None and row < self._fetched.get(self._parent(cluster), 0):
                yield cluster

    def _redraw(self, clusters: set[ClusterId] | frozenset[ClusterId] | dict[ClusterId, NodeView]) -> None:
        for cluster in self._shown(clusters):
            left = self._existing(cluster)
            self.dataChanged.emit(left, left.siblingAtColumn(len(Column) - 1))
