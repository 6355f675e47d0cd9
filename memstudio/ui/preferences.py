"""What the window remembers between two runs: recent banks, the theme, the places of the docks."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from memstudio.ui.docks import Layout
from memstudio.ui.theme import ThemeChoice

RECENT_LIMIT = 8


class Preferences:
    """An ini file. Without a path nothing is remembered (pictures, tests)."""

    def __init__(self, file: Path | None) -> None:
        self._settings = QSettings(str(file), QSettings.Format.IniFormat) if file else None

    @property
    def recent(self) -> list[str]:
        """Paths of banks and studies, newest first."""
        return [str(path) for path in self._list("recent")]

    def remember(self, path: str) -> None:
        """Put a path on top of the recent ones."""
        if self._settings is not None:
            self._settings.setValue("recent", [path, *(each for each in self.recent if each != path)][:RECENT_LIMIT])

    @property
    def theme(self) -> ThemeChoice:
        """The theme that was chosen last."""
        chosen = self._settings.value("theme", "system") if self._settings else "system"
        if chosen == "light":
            return "light"
        return "dark" if chosen == "dark" else "system"

    @theme.setter
    def theme(self, choice: ThemeChoice) -> None:
        if self._settings is not None:
            self._settings.setValue("theme", choice)

    @property
    def measure_edits(self) -> bool:
        """Whether each edit is measured after it was made."""
        return self._settings is None or self._settings.value("measure_edits", "true") in (True, "true")

    @measure_edits.setter
    def measure_edits(self, on: bool) -> None:
        if self._settings is not None:
            self._settings.setValue("measure_edits", on)

    def layout(self) -> Layout | None:
        """Where everything stood the last time."""
        if self._settings is None:
            return None
        geometry, state = self._settings.value("geometry"), self._settings.value("docks")
        known = tuple(str(name) for name in self._list("dock_names"))
        return Layout(geometry, state, known) if isinstance(geometry, QByteArray) and isinstance(state, QByteArray) else None

    def keep_layout(self, layout: Layout) -> None:
        """Remember where things are."""
        if self._settings is not None:
            self._settings.setValue("geometry", layout.geometry)
            self._settings.setValue("docks", layout.state)
            self._settings.setValue("dock_names", list(layout.docks))

    def _list(self, name: str) -> list[object]:
        value = self._settings.value(name, []) if self._settings else []
        return list(value) if isinstance(value, list) else [value] if value else []
