"""What the window remembers between two runs, on top of `settings`: recent banks, looks, what is done by itself, places of docks."""

import base64
import binascii
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings

from memstudio.settings import RECENT_LIMIT, KeptLayout, Settings, read_settings, write_settings
from memstudio.ui.docks import Layout
from memstudio.ui.theme import ThemeChoice


class Preferences:
    """The settings of a file, written whenever one changes. Without a file nothing is remembered (pictures, tests).

    notice: a line for a person where the file could not be read or written; "" else.
    """

    def __init__(self, file: Path | None, *, before: Path | None = None) -> None:
        """before: the ini file of an earlier program, taken over where there is no file yet."""
        self._file = file
        self.now, self.notice = Settings(), ""
        if file is not None and (file.exists() or before is None or not before.is_file()):
            self.now, self.notice = read_settings(file)
        elif file is not None and before is not None:
            self.now = from_ini(before)
            self._write()

    def change(self, **values: Any) -> None:
        """Other values for some of the settings, kept at once.

        Raises:
            ValueError: a setting cannot be that.
        """
        now = replace(self.now, **values)
        if now != self.now:
            self.now = now
            self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            write_settings(self._file, self.now)
        except OSError as error:
            self.notice = f"{self._file}: the preferences cannot be kept there: {error.strerror}"

    @property
    def recent(self) -> list[str]:
        """Paths of banks and studies, newest first."""
        return list(self.now.recent)

    def remember(self, path: str) -> None:
        """Put a path on top of the recent ones; without a file nothing is remembered."""
        if self._file is not None:
            self.change(recent=(path, *(each for each in self.now.recent if each != path))[:RECENT_LIMIT])

    @property
    def theme(self) -> ThemeChoice:
        """The theme that was chosen last."""
        return self.now.theme

    @property
    def measure_edits(self) -> bool:
        """Whether each edit is measured after it was made."""
        return self.now.measure_edits

    def layout(self) -> Layout | None:
        """Where everything stood the last time; None where nothing is known."""
        kept = self.now.layout
        if kept is None:
            return None
        try:
            geometry, state = base64.b64decode(kept.geometry, validate=True), base64.b64decode(kept.state, validate=True)
        except (binascii.Error, ValueError):
            return None
        return Layout(QByteArray(geometry), QByteArray(state), kept.docks)

    def keep_layout(self, layout: Layout) -> None:
        """Remember where things are."""
        self.change(layout=KeptLayout(geometry=_text(layout.geometry), state=_text(layout.state), docks=layout.docks))


def from_ini(file: Path) -> Settings:
    """What the ini file of an earlier program held; its layout was another one and is not taken over."""
    old = QSettings(str(file), QSettings.Format.IniFormat)
    theme, recent = old.value("theme"), old.value("recent", [])
    paths = recent if isinstance(recent, list) else [recent] if recent else []
    return Settings(
        theme="light" if theme == "light" else "dark" if theme == "dark" else "system",
        measure_edits=old.value("measure_edits", "true") in (True, "true"),
        recent=tuple(str(path) for path in paths)[:RECENT_LIMIT],
    )


def _text(data: QByteArray) -> str:
    return base64.b64encode(data.data()).decode("ascii")
