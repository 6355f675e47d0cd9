"""What the views of the whole bank ask for beyond what all share: the boxes that choose the colour, the table's search and its CSV."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from memstudio.jobs import Job
from memstudio.ui.choosing import choose_new
from memstudio.ui.models.clusters_sheet import write_sheet
from memstudio.ui.snapshots import Noted
from memstudio.ui.studio import Studio
from memstudio.ui.texts import counted

if TYPE_CHECKING:
    from memstudio.session import Session


class ViewStudio(QObject):
    """Connects tree, icicle, map and table with the overview and the bridge."""

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(window)
        self._studio, self._window = studio, window
        panels, overview, bridge = studio.panels, studio.overview, studio.bridge
        self._boxes = (panels.tree.shade_box, panels.icicle.shade_box, panels.map.shade_box, panels.table.shade_box)
        for box in self._boxes:
            box.picked.connect(overview.colour_by)
        overview.measured.connect(self._measured)
        overview.figures_changed.connect(lambda: panels.table.show_figures(tuple(overview.figures.values())))
        panels.table.searched.connect(bridge.find)
        bridge.found.connect(panels.table.show_found)
        panels.table.save_wanted.connect(self.save_table)

    def save_table(self) -> None:
        """Ask where the rows that the table shows are to be written."""
        choose_new(self._window, "Save the table", "clusters.csv", self.save_table_to, kinds="CSV (*.csv)", suffix="csv")

    def save_table_to(self, file: str) -> None:
        """Write the rows that the table shows, with every label of the bank."""
        sheet = self._studio.panels.table.sheet

        def work(session: "Session", _: Job) -> Noted:
            labels = [session.bank.labels(level) for level in range(1, session.bank.tree.depth + 1)]
            return Noted(f"{file}: {counted(write_sheet(sheet, Path(file), labels), 'row')} written.")

        self._studio.bridge.errand("Writing the table", work, shown=True)

    def _measured(self, names: tuple[str, ...], current: str) -> None:
        for box in self._boxes:
            box.show_choices(names, current)
