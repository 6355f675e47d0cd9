"""What the start page does: three trials, each on the demo in a study that goes with the window."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget

from memstudio.ui.panels.start_page import StartPage
from memstudio.ui.snapshots import Opened, Wish
from memstudio.ui.studio import Studio
from memstudio.ui.tour import Tour, TourBar


class StartStudio(QObject):
    """Owns the middle of the window: the start page until a bank is open, then the prompt. Emits what the window is to do."""

    open_wanted = Signal(Wish)
    scan_wanted = Signal()

    def __init__(self, studio: Studio, page: StartPage, parent: QObject) -> None:
        super().__init__(parent)
        self._studio, self._page = studio, page
        self._trial = ""
        self._tour: tuple[Tour, TourBar] | None = None
        self.centre = QStackedWidget()
        self.centre.addWidget(page)
        self.centre.addWidget(studio.panels.prompt)
        page.trial_wanted.connect(self.try_out)
        studio.opened.connect(self._opened)
        studio.bridge.idle.connect(self._idle)
        studio.bridge.failed.connect(self._failed)
        studio.crashed.connect(self._end)

    def try_out(self, trial: str) -> None:
        """Open the demo, then do what is to be tried: "fires", "tour" or "where"."""
        self._end()
        self._trial = trial
        self._page.show_busy("Opening the demo…")
        if trial == "tour":
            tour = Tour(self._studio, alone=False)
            self._tour = tour, TourBar(tour)
            self._studio.panels.prompt.put_on_top(self._tour[1])
        self.open_wanted.emit(Wish("demo", temporary=True))

    def _opened(self, _: Opened) -> None:
        self.centre.setCurrentIndex(1)
        self._page.show_busy("")

    def _idle(self) -> None:
        if self._trial and self._studio.ready:
            trial, self._trial = self._trial, ""
            if trial == "fires":
                self._studio.run_prompt()
            elif trial == "where":
                self.scan_wanted.emit()

    def _failed(self, line: str) -> None:
        self._end()
        self._page.show_problem(line)

    def _end(self) -> None:
        self._trial = ""
        self._page.show_busy("")
        if self._tour is not None:
            tour, bar = self._tour
            self._tour = None
            tour.leave()
            bar.hide()
            bar.deleteLater()
