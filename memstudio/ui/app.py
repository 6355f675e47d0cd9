"""Wires the window: application, theme, bridge, preferences; and renders it into a picture where there is no display."""

import os
import sys
from pathlib import Path

from PySide6.QtCore import QEvent, QMessageLogContext, QObject, QSize, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QWidget

from memstudio.errors import UserError
from memstudio.paths import data_dir, settings_file
from memstudio.ui.bridge import Bridge
from memstudio.ui.build_views import ModelFound
from memstudio.ui.dialogs import app_icon_file
from memstudio.ui.first_look import FirstLook
from memstudio.ui.main_window import START_SIZE, MainWindow
from memstudio.ui.preferences import Preferences
from memstudio.ui.snapshots import Crashed, Wish
from memstudio.ui.theme import ThemeChoice
from memstudio.ui.tour import Tour, TourBar

EARLIER_FILE = "window.ini"
SETTLE_MS = 60
FRAME = 40
"""Pixels that a window's title and edges take at most, where they are not known before it is shown."""
SWITCH_S = 0.001
"""After so long a thread that computes lets the window have the interpreter; Python's own 5 ms add up to a stutter."""


def run_window(
    path: str | Path | None = None,
    *,
    study: Path | None = None,
    screenshot: Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    anchor: Path | None = None,
    encoder: Path | None = None,
    theme: ThemeChoice | None = None,
    timings: bool = False,
) -> int:
    """Open the window on a bank or study (or empty), until it is closed. Returns the exit status.

    study None: the bank's default study. screenshot: run the bank's first prompt with its trace, write the picture, leave. timings: print
    when the window was painted and showed its first route, leave.

    Raises:
        UserError: the picture could not be made, or what was named could not be opened for it.
    """
    wish = None if path is None else Wish(str(path), study, device=device, dtype=dtype, anchor=anchor, encoder=encoder)
    return _run(wish, screenshot=screenshot, theme=theme, tour=False, timings=timings)


def run_demo(*, device: str = "auto", screenshot: Path | None = None, bank: str | Path = "demo", theme: ThemeChoice | None = None) -> int:
    """The guided tour on the bundled bank, edits in a temporary study. screenshot: go through all of it alone, write the picture, leave.

    Raises:
        UserError: as `run_window`.
    """
    return _run(Wish(str(bank), temporary=True, device=device), screenshot=screenshot, theme=theme, tour=True)


def application() -> QApplication:
    """The application in Fusion style; offscreen where there is no display."""
    found = QApplication.instance()
    if isinstance(found, QApplication):
        return found
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.setswitchinterval(SWITCH_S)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("memstudio")
    app.setDesktopFileName("memstudio")
    app.setQuitOnLastWindowClosed(True)
    app.setStyle("Fusion")
    app.setWindowIcon(QIcon(app_icon_file()))
    return app


def _run(wish: Wish | None, *, screenshot: Path | None, theme: ThemeChoice | None, tour: bool, timings: bool = False) -> int:
    app = application()
    bridge = Bridge()
    preferences = Preferences(None) if screenshot or timings else Preferences(settings_file(), before=data_dir() / EARLIER_FILE)
    window = MainWindow(bridge, preferences, wish=wish)
    if theme is not None:
        window.choose_theme(theme)
    guide = Tour(window.studio, alone=screenshot is not None) if tour else None
    if guide is not None and screenshot is None:
        window.panels.prompt.put_on_top(TourBar(guide))
    photographer = Photographer(window, screenshot, guide) if screenshot else None
    look = FirstLook(window) if timings else None
    heard = qInstallMessageHandler(_tell) if photographer is not None else None
    if photographer is None and look is None and not fits(window):
        window.showMaximized()
    window.show()
    status = app.exec()
    if look is not None:
        look.tell()
    window.close()
    window.deleteLater()
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    if photographer is not None:
        qInstallMessageHandler(heard)
    for witness in (photographer, look):
        if witness is not None and witness.problem is not None:
            raise UserError(witness.problem)
    return status


def fits(window: QWidget) -> bool:
    """Whether the window, with the frame that a desktop puts round it, is seen whole on its screen."""
    free = window.screen().availableSize()
    return window.width() <= free.width() and window.height() + FRAME <= free.height()


def _tell(kind: QtMsgType, _: QMessageLogContext, text: str) -> None:
    """Qt's own words on stderr, but for what the offscreen platform always says."""
    if "propagateSizeHints" not in text:
        sys.stderr.write(f"{kind.name}: {text}\n")


class Photographer(QObject):
    """Lets the window do its part (the bank's first prompt and its trace, or the tour), takes the picture, leaves."""

    def __init__(self, window: MainWindow, file: Path, tour: Tour | None) -> None:
        super().__init__(window)
        self._window, self._file = window, file
        self._asked = tour is not None
        self.problem: str | None = None
        window.resize(QSize(START_SIZE))
        window.studio.bridge.failed.connect(self._fail)
        window.studio.bridge.crashed.connect(self._crash)
        window.builds.bridge.model_found.connect(self._model)
        if tour is None:
            window.studio.bridge.idle.connect(self._idle)
            if window.wish is None:
                QTimer.singleShot(0, self, self._take)
        else:
            tour.done.connect(self._take)

    def _idle(self) -> None:
        if not self._asked and self._window.studio.ready and self._window.panels.prompt.has_prompt:
            self._asked = True
            self._window.run_prompt()
        elif self._window.studio.ready:
            self._take()

    def _take(self) -> None:
        """Once the layouts have settled, which takes events of their own."""
        QTimer.singleShot(SETTLE_MS, self, self._save)

    def _save(self) -> None:
        if self.problem is None:
            try:
                self._window.save_picture_to(self._file)
            except UserError as error:
                self.problem = str(error)
        self._window.close()  # the last window, so the application ends

    def _fail(self, line: str) -> None:
        self.problem = line
        self._window.close()

    def _model(self, found: ModelFound) -> None:
        self._fail(f"{found.path}: a model without a bank; build one first: memstudio build --anchor {found.path} --corpus DOCUMENTS OUT")

    def _crash(self, crash: Crashed) -> None:
        self._fail(f"{crash.title} failed, a bug: {crash.traceback.strip().splitlines()[-1]}")
