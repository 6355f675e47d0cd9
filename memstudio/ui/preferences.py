"""What the window remembers between two runs: recent banks, the theme, the places of the docks."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from memstudio.ui.theme import ThemeChoice

RECENT_LIMIT = 8
LAYOUT_VERSION = 1


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

    def layout(self) -> tuple[QByteArray, QByteArray] | None:
        """Geometry and dock state of the last time."""
        if self._settings is None:
            return None
        geometry, state = self._settings.value("geometry"), self._settings.value("docks")
        return (geometry, state) if isinstance(geometry, QByteArray) and isinstance(state, QByteArray) else None

    def keep_layout(self, geometry: QByteArray, state: QByteArray) -> None:
        """Remember where things are."""
        if self._settings is not None:
            self._settings.setValue("geometry", geometry)
            self._settings.setValue("docks", state)

    def _list(self, name: str) -> list[object]:
        value = self._settings.value(name, []) if self._settings else []
        return list(value) if isinstance(value, list) else [value] if value else []
