"""The clusters of a bank as a Qt table: one row a cluster, all levels, sorted and filtered by numpy; no object exists for a row."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QItemSelection, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from memstudio.bank.values import ClusterId, Overlay
from memstudio.ui.models.clusters_columns import END, FIGURES, HEADERS, RIGHT, ROLES, START, Column, Look
from memstudio.ui.models.clusters_sheet import Sheet
from memstudio.ui.models.clusters_state import ClustersState, Filter
from memstudio.ui.models.measure_texts import measure_line, measure_tip, value_text
from memstudio.ui.models.roles import ClusterRole, FlagsRole, MeasureRole, OnRouteRole, SelectedRole, StateRole
from memstudio.ui.selection import Chosen, Mask
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, Indices, NodeView
from memstudio.ui.texts import plain_tip, size_text

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class ClustersModel(QAbstractTableModel):
    """The rows that the filter leaves, in the order wished. Emits `reordering` before rows come, go or move, and `reordered` after."""

    reordering = Signal()
    reordered = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.filter = Filter()
        self._by: int | str = Column.CLUSTER  # a measure by its title, since its column may move
        self._descending = False
        self.state = ClustersState(None, {})
        self.shown: Indices = np.arange(0)

    # What the panel sets

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Start over with another bank, unfiltered and by id."""
        self.beginResetModel()
        self.filter, self._by, self._descending = Filter(), Column.CLUSTER, False
        self.state = ClustersState(bank, overlay)
        self.shown = np.arange(self.state.rows.count)
        self.endResetModel()

    def take_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came; rows stay where they are."""
        self.state.take_nodes(nodes)
        self._redraw()

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        self.state.take_overlay(overlay)
        self._refresh(self.filter.state in ("changed", "pruned") or self._by == Column.STATE)

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self.state.hidden, self.state.muted = self.state.flags(hidden), self.state.flags(muted)
        self._refresh(self.filter.state in ("hidden", "muted") or self._by == Column.STATE)

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt."""
        self.state.route = self.state.flags(clusters)
        self._refresh(self._by == Column.ROUTE)

    def show_shades(self, shades: Shades | None) -> None:
        """The measure that colours the views: its column has bars. One of another bank is let go."""
        self._replace(self.state.figures_with(shades))

    def show_figures(self, figures: Sequence[Shades]) -> None:
        """All measures that exist, a column each; a title stands for one measure."""
        self._replace(self.state.figures_with(self.state.shades, figures))

    def restrict(self, masks: Sequence[Mask] | None) -> None:
        """Have rows for these clusters only, bool [clusters] a level; None: for all."""
        self.state.only = None if masks is None else self.state.rows.flags(masks)
        self._rearrange()

    def choose(self, wanted: Filter) -> None:
        """Filter the rows."""
        self.filter = wanted
        self._rearrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column, by id for −1; what was not measured and labels that were not read come last either way."""
        at = column - FIGURES
        self._by = self.state.figures[at].title if 0 <= at < len(self.state.figures) else max(0, min(column, FIGURES - 1))
        self._descending = order == Qt.SortOrder.DescendingOrder
        self._rearrange()

    @property
    def sorted_by(self) -> tuple[int, Qt.SortOrder]:
        """The column, and which way."""
        titles = [each.title for each in self.state.figures]
        column = FIGURES + titles.index(self._by) if isinstance(self._by, str) else int(self._by)
        return column, Qt.SortOrder.DescendingOrder if self._descending else Qt.SortOrder.AscendingOrder

    def sheet(self) -> Sheet:
        """The rows as they are shown, frozen, to be written on any thread."""
        return self.state.sheet(self.shown)

    # What is selected: the calls of a RowSelection

    @property
    def sizes(self) -> tuple[int, ...]:
        """Clusters a level, the absent ones too."""
        return self.state.rows.sizes

    def masks(self) -> tuple[Mask, ...]:
        """Nothing selected."""
        return tuple(np.zeros(size, bool) for size in self.sizes)

    def mark(self, masks: tuple[Mask, ...], parent: AnyIndex, top: int, bottom: int) -> None:
        """Set the clusters of the rows top … bottom."""
        self.state.rows.mark(masks, self.shown[top : bottom + 1])

    def show_chosen(self, chosen: Chosen) -> None:
        """What is selected, shown or filtered out; a selection of another bank is let go."""
        self.state.take_chosen(chosen)

    def runs(self, most: int) -> QItemSelection:
        """The selected rows that are shown, as contiguous ranges; none at all where they are more than `most`."""
        found = QItemSelection()
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.state.selected[self.shown], [False]])))
        if len(edges) // 2 <= most:
            for top, end in edges.reshape(-1, 2).tolist():
                found.select(self.index(top, 0), self.index(end - 1, self.columnCount() - 1))
        return found

    # Where things are

    def cluster(self, index: AnyIndex) -> ClusterId | None:
        """The cluster of a row."""
        return self.state.rows.cluster(int(self.shown[index.row()])) if index.isValid() and index.row() < self.shown.size else None

    def row_of(self, cluster: ClusterId) -> int | None:
        """The row that shows a cluster; None where the filter leaves it out."""
        place = self.state.rows.place(cluster)
        rows = np.flatnonzero(self.shown == (-1 if place is None else place))
        return int(rows[0]) if rows.size else None

    def unlabelled(self, first: int, last: int) -> frozenset[ClusterId]:
        """The clusters of rows first … last whose labels were not read."""
        state = self.state
        return frozenset(state.rows.cluster(at) for at in self.shown[first : last + 1].tolist() if state.labels[at] is None)

    # What Qt asks

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else int(self.shown.size)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else FIGURES + len(self.state.figures)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < self.columnCount():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignCenter) if self._right(section) else int(START)
        if section < FIGURES:
            title, tip = HEADERS[Column(section)]
        else:
            shades = self.state.figures[section - FIGURES]
            title, tip = shades.title[:1].upper() + shades.title[1:], measure_tip(shades)
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return tip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role not in ROLES or not index.isValid() or index.row() >= self.shown.size or index.column() >= self.columnCount():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(END if self._right(index.column()) else START)
        place = int(self.shown[index.row()])
        cluster = self.state.rows.cluster(place)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(place, cluster, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(place, cluster))
        look = self.look(index)
        facts = {
            ClusterRole: look.cluster,
            StateRole: look.state,
            FlagsRole: (look.hidden, look.muted),
            OnRouteRole: look.on_route,
            SelectedRole: look.selected,
            MeasureRole: look.measure,
        }
        return facts[role]

    def look(self, index: AnyIndex) -> Look:
        """All that a delegate paints a cell by, at once."""
        place, state, shades = int(self.shown[index.row()]), self.state, self.shades_of(index.column())
        cluster = state.rows.cluster(place)
        return Look(
            cluster,
            state.state(place, cluster),
            hidden=bool(state.hidden[place]),
            muted=bool(state.muted[place]),
            on_route=bool(state.route[place]),
            selected=bool(state.selected[place]),
            measure=shades.at(cluster) if shades else None,
        )

    def shades_of(self, column: int) -> Shades | None:
        """The measure that a column shows."""
        return self.state.figures[column - FIGURES] if FIGURES <= column < self.columnCount() else None

    # Inside

    def _right(self, column: int) -> bool:
        return column in RIGHT or column >= FIGURES

    def _text(self, place: int, cluster: ClusterId, column: int) -> str:
        shades, state = self.shades_of(column), self.state
        if shades is not None:
            return value_text(shades, shades.at(cluster))
        texts: dict[int, Callable[[], str]] = {
            Column.CLUSTER: lambda: str(cluster),
            Column.LABEL: lambda: self._label(place),
            Column.LEVEL: lambda: str(cluster.level),
            Column.DOCUMENTS: lambda: f"{int(state.rows.documents[place]):,}",
            Column.SIZE: lambda: size_text(int(state.rows.block_bytes[place])),
            Column.STATE: lambda: state.word(place, cluster),
            Column.ROUTE: lambda: "on route" if state.route[place] else "",
        }
        return texts[column]()

    def _label(self, place: int) -> str:
        label = self.state.labels[place]
        return "…" if label is None else str(label) or "no label"

    def _tip(self, place: int, cluster: ClusterId) -> str:
        rows = self.state.rows
        parts = [f"{cluster}  {self._label(place)}", f"{int(rows.documents[place]):,} documents"]
        parts += [f"{int(rows.block_bytes[place]):,} bytes, {self.state.word(place, cluster)}"]
        parts += ["on the route of the last prompt"] if self.state.route[place] else []
        return "\n".join([*parts, *(measure_line(each, cluster) for each in self.state.figures)])

    def _replace(self, new: tuple[Shades, ...]) -> None:
        """Other measures: columns that stay where they are keep their width, the others come and go."""
        old = self.state.figures
        titles, before = [each.title for each in new], [each.title for each in old]
        same = next((at for at, pair in enumerate(zip(titles, before, strict=False)) if pair[0] != pair[1]), min(len(new), len(old)))
        moves = isinstance(self._by, str) or self.filter.by_measure
        if isinstance(self._by, str) and self._by not in titles:
            self._by, self._descending = Column.CLUSTER, False
        self.reordering.emit()
        if same < len(old):
            self.beginRemoveColumns(ROOT, FIGURES + same, FIGURES + len(old) - 1)
            self.state.take_figures(old[:same])
            self.endRemoveColumns()
        if same < len(new):
            self.beginInsertColumns(ROOT, FIGURES + same, FIGURES + len(new) - 1)
            self.state.take_figures(new)
            self.endInsertColumns()
        self.state.take_figures(new)
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, self.columnCount() - 1)
        self.reordered.emit()
        self._refresh(moves)

    def _refresh(self, moves: bool) -> None:
        if moves:
            self._rearrange()
        else:
            self._redraw()

    def _rearrange(self) -> None:
        """Filter and sort anew: rows that go move to the end and are taken off, those that come are put there, then all move."""
        new = self.state.shown(self.filter, self._by, self._descending)
        if np.array_equal(new, self.shown):
            self._redraw()
            return
        self.reordering.emit()
        was, stays = np.zeros((2, self.state.rows.count), bool)
        was[self.shown], stays[new] = True, True
        kept, come, gone = new[was[new]], new[~was[new]], self.shown[~stays[self.shown]]
        if gone.size:
            self._move(np.concatenate([kept, gone]))
            self.beginRemoveRows(ROOT, kept.size, kept.size + gone.size - 1)
            self.shown = kept
            self.endRemoveRows()
        if come.size:
            self.beginInsertRows(ROOT, kept.size, kept.size + come.size - 1)
            self.shown = np.concatenate([self.shown, come])
            self.endInsertRows()
        if not np.array_equal(new, self.shown):
            self._move(new)
        self.reordered.emit()

    def _move(self, new: Indices) -> None:
        self.layoutAboutToBeChanged.emit()
        old = self.persistentIndexList()
        rows = np.full(self.state.rows.count, -1)
        rows[new] = np.arange(new.size)
        moved = [(int(rows[self.shown[each.row()]]), each.column()) for each in old]
        self.shown = new
        self.changePersistentIndexList(old, [self.index(row, column) if row >= 0 else ROOT for row, column in moved])
        self.layoutChanged.emit()

    def _redraw(self) -> None:
        if self.shown.size:
            self.dataChanged.emit(self.index(0, 0), self.index(int(self.shown.size) - 1, self.columnCount() - 1))
