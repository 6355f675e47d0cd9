"""Every cluster of the bank as a row of one table: sorted, filtered, selected, and saved as CSV."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QPushButton, QStackedLayout, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId, Overlay
from memstudio.session.findings import Findings
from memstudio.ui.models.clusters_model import ClustersModel
from memstudio.ui.models.clusters_sheet import Sheet, write_sheet
from memstudio.ui.panels.cluster_table import ClusterTable
from memstudio.ui.panels.parts import EmptyState, label, pages, row
from memstudio.ui.panels.shade_box import ShadeBox
from memstudio.ui.panels.table_filter import TableFilter
from memstudio.ui.selection import Chosen
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, NodeView
from memstudio.ui.theme import Theme


class TablePanel(QWidget):
    """Emits `chosen` (a Chosen), `searched` (text: labels for the filter), `wanted` (labels of rows in sight), `menu_wanted` (where), and
    `save_wanted` when the rows shown are to be saved as CSV."""

    chosen = Signal(object)
    searched = Signal(str)
    wanted = Signal(object)
    menu_wanted = Signal(QPoint)
    save_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.model = ClustersModel(self)
        self.filter = TableFilter()
        self.filter.changed.connect(self._filter)
        self.filter.searched.connect(self.searched)
        self.shade_box = ShadeBox()
        self._build_table(theme)
        self.empty = EmptyState("No bank open", "Open a bank: every cluster of it is a row here, with all that was measured.")
        self._nothing = EmptyState("No cluster is left", "No cluster passes these filters.", ("Clear the filters", self.filter.reset))
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.filter.flow.addWidget(self.shade_box)
        column.addWidget(self.filter)
        self._lists = QStackedLayout()
        self._lists.addWidget(self.view)
        self._lists.addWidget(self._nothing)
        column.addLayout(self._lists, 1)
        column.addLayout(self._build_foot())
        self._stack = pages(self, (6, 2, 2, 6), self.empty, body)

    # Building

    def _build_table(self, theme: Theme) -> None:
        self.view = ClusterTable(theme, self.model)
        self.view.setObjectName("cluster_table")
        self.view.setAccessibleName("Clusters of the bank, a row each")
        self.selection = self.view.rows
        self.view.wanted.connect(self.wanted)
        self.view.menu_wanted.connect(self.menu_wanted)
        self.selection.chosen.connect(self._chosen)

    def _build_foot(self) -> QVBoxLayout:
        self.count = label("", "dim")
        self.count.setObjectName("table_count")
        self.note = label("", "dim", wrap=True)
        self.note.hide()
        self.save_button = QPushButton("Save as CSV…")
        self.save_button.setObjectName("table_save")
        self.save_button.setToolTip("Save the rows that are shown, in this order, with all figures in full")
        self.save_button.clicked.connect(self.save_wanted)
        foot = QVBoxLayout()
        foot.setSpacing(4)
        foot.addWidget(self.note)
        foot.addLayout(row(self.count, 1, self.save_button))
        return foot

    # What is shown

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self.model.show_bank(bank, overlay)
        self.view.start()
        self.filter.show_levels(len(bank.levels) if bank else 0)
        self.filter.show_measure(None)
        self.note.hide()
        self._stack.setCurrentIndex(0 if bank is None else 1)
        self._count()

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        self.model.show_overlay(overlay)
        self._count()

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self.model.show_hidden(hidden, muted)
        self._count()

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt, () for none."""
        self.model.show_route(clusters)

    def show_shades(self, shades: Shades | None) -> None:
        """The measure that colours the views; rows sorted by it or filtered by it follow."""
        self._figures(lambda: self.model.show_shades(shades))
        self.filter.show_measure(self.model.state.shades)

    def show_figures(self, figures: tuple[Shades, ...]) -> None:
        """All measures that exist, a column each."""
        self._figures(lambda: self.model.show_figures(figures))

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self.model.take_nodes(nodes)

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere, scrolled to the current one where it is shown. Emits nothing."""
        if self.view.show_chosen(chosen):
            self._count()

    def show_found(self, found: Findings) -> None:
        """What the search gave for the text of the filter, by labels and terms; an answer to another text is dropped."""
        clusters = frozenset(one.cluster for one in found.findings if one.kind in ("label", "term", "cluster"))
        if self.filter.take_found(found.text, clusters):
            self.note.setText(f"Labels and terms as the search lists them: {len(clusters):,} found" if clusters else "")
            self.note.setVisible(bool(clusters))
            self._filter()

    @property
    def sheet(self) -> Sheet:
        """The rows that are shown, in this order: frozen, so that another thread may write them (`write_sheet`)."""
        return self.model.sheet()

    def write(self, file: Path, labels: Sequence[Sequence[str]] = ()) -> int:
        """Write what is shown as CSV, and give the number of rows; `labels` as in `write_sheet`.

        Raises:
            UserError: the file cannot be written.
        """
        return write_sheet(self.sheet, file, labels)

    # What the user does

    def _figures(self, show: Callable[[], None]) -> None:
        before = self.model.columnCount()
        show()
        self.view.show_order()
        if self.model.columnCount() != before:
            self.view.fit()
        self._count()

    def _chosen(self, chosen: Chosen) -> None:
        self.view.viewport().update()
        self._count()
        self.chosen.emit(chosen)

    def _filter(self) -> None:
        wanted = self.filter.wanted
        if not wanted.text:
            self.note.hide()
        if wanted != self.model.filter:
            self.model.choose(wanted)
            self.view.scrollToTop()
        self._count()

    def _count(self) -> None:
        shown, whole = self.model.rowCount(), self.model.state.rows.count
        self.count.setText(f"{shown:,} of {whole:,} clusters · {self.selection.now.count:,} selected")
        self.save_button.setEnabled(shown > 0)
        self._lists.setCurrentIndex(0 if shown else 1)
        self.view.viewport().update()
