"""What the window does about files of what it shows: the panel in front or a plot as a picture, a table as CSV."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QAbstractItemView, QApplication, QDockWidget, QMainWindow, QTableView, QTreeView, QWidget

from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.ui.aside import Aside
from memstudio.ui.bridge import Bridge
from memstudio.ui.choosing import choose_new
from memstudio.ui.models.csv_file import write_csv
from memstudio.ui.models.grid import Grid, GridReader
from memstudio.ui.saving import drawn
from memstudio.ui.snapshots import Failed, Noted
from memstudio.ui.texts import counted


class SaveStudio(QObject):
    """Keeps which panel is in front: the last one that had the keys or whose tab was taken. Files are written on a thread of their own."""

    def __init__(self, bridge: Bridge, docks: Mapping[str, QDockWidget], window: QMainWindow) -> None:
        super().__init__(window)
        self._bridge, self._docks, self._window = bridge, docks, window
        self._aside = Aside(bridge, "memstudio-saving")
        self._last: QDockWidget | None = None
        window.tabifiedDockWidgetActivated.connect(self._take)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focused)

    @property
    def front(self) -> QDockWidget | None:
        """The panel in front; None where all are closed."""
        seen = [dock for dock in self._docks.values() if not dock.visibleRegion().isEmpty()]
        return self._last if self._last in seen else next(iter(seen), None)

    def save_view(self) -> None:
        """Ask where a picture of the panel in front is to be written."""
        dock = self.front
        if dock is None:
            self._bridge.post(Failed("no panel is open, so there is nothing to save: View › Panels brings one back"))
            return
        self.save_picture(dock.widget() or dock, f"the panel {dock.windowTitle()}", dock.objectName())

    def save_picture(self, widget: QWidget, what: str, name: str) -> None:
        """Ask where a picture of a widget is to be written. what: in words; name: of the file, without its kind."""

        def take(file: str) -> None:
            self.save_picture_to(widget, Path(file))

        kinds = "PNG (*.png);;SVG (*.svg)"
        choose_new(widget.window(), f"Save a picture of {what}", f"{name}.png", take, kinds=kinds, suffix="png")

    def save_picture_to(self, widget: QWidget, file: Path) -> None:
        """Write a widget as it looks now, as PNG or SVG by the file's name."""
        try:
            write = drawn(widget, file)
        except UserError as error:
            self._bridge.post(Failed(str(error)))
            return

        def work(_: Job) -> Noted:
            write()
            return Noted(f"Saved {file}.")

        self._aside.submit("Saving the picture", work)

    def save_table(self) -> None:
        """Ask where the table in the panel in front is to be written."""
        dock = self.front
        table = None if dock is None else table_in(dock)
        if dock is None or table is None:
            where = "no panel is open" if dock is None else f"the panel {dock.windowTitle()} shows no table"
            self._bridge.post(Failed(f"{where}: click the table that is to be saved first"))
            return
        title, found = f"Save the table of the panel {dock.windowTitle()}", table

        def take(file: str) -> None:
            self.save_table_to(found, Path(file))

        choose_new(self._window, title, f"{dock.objectName()}.csv", take, kinds="CSV (*.csv)", suffix="csv")

    def save_table_to(self, table: QAbstractItemView, file: Path) -> None:
        """Write all rows that a table has, in the order shown."""
        GridReader(table.model(), self).done.connect(lambda grid: self.save_grid_to(grid, file))

    def save_grid(self, grid: Grid, what: str, name: str, window: QWidget) -> None:
        """Ask where rows are to be written. what: in words; name: of the file, without its kind."""

        def take(file: str) -> None:
            self.save_grid_to(grid, Path(file))

        choose_new(window, f"Save {what}", f"{name}.csv", take, kinds="CSV (*.csv)", suffix="csv")

    def save_grid_to(self, grid: Grid, file: Path) -> None:
        """Write rows that were read."""

        def work(_: Job) -> Noted:
            return Noted(f"{file}: {counted(write_csv(file, grid.header, grid.rows), 'row')} written.")

        self._aside.submit("Writing the table", work)

    def close(self) -> None:
        """The window goes: what is being written is written to its end."""
        self._aside.close()

    def _take(self, dock: QDockWidget) -> None:
        self._last = dock

    def _focused(self, _: QWidget | None, now: QWidget | None) -> None:
        for dock in self._docks.values():
            if now is not None and dock.isAncestorOf(now):
                self._last = dock


def table_in(panel: QWidget) -> QAbstractItemView | None:
    """The table with the keys in it, else the largest that is seen; None where there is none."""
    tables = [
        view
        for view in panel.findChildren(QAbstractItemView)
        if isinstance(view, QTableView | QTreeView) and view.isVisibleTo(panel) and view.model() is not None
    ]
    with_keys = [view for view in tables if view.hasFocus()]
    return next(iter(with_keys), None) or max(tables, key=lambda view: view.width() * view.height(), default=None)
