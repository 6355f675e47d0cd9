"""What a person prefers, kept as JSON in the user's configuration folder: typed, versioned, and never half-written."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

_VERSION = 1
RECENT_LIMIT = 8
SIZES = (90, 100, 110, 125, 150)
"""Text sizes that are offered, in per cent."""
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_SMALLEST, _LARGEST = 50, 300
MOST_CACHE_MB = 1 << 20

ThemeName = Literal["system", "light", "dark"]
THEMES: tuple[ThemeName, ...] = ("system", "light", "dark")


@dataclass(frozen=True, slots=True)
class KeptLayout:
    """Where the window and its docks stood: what Qt gave, as base64, and the docks that it speaks of."""

    geometry: str
    state: str
    docks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Every preference with its default. device: where models run; text_percent: of the system's text size; cache_mb: of blocks that are
    kept because to fetch them again costs more, None for what there is room for.

    No pydantic: these are read before the window's first paint.
    """

    theme: ThemeName = "system"
    device: str = "auto"
    measure_edits: bool = True
    trace_runs: bool = True
    text_percent: int = 100
    cache_mb: int | None = None
    recent: tuple[str, ...] = ()
    layout: KeptLayout | None = None

    def __post_init__(self) -> None:
        """Checks every value.

        Raises:
            ValueError: names the setting that cannot be what it is.
        """
        for name, fits in (
            ("theme", self.theme in THEMES),
            ("device", isinstance(self.device, str) and DEVICE.fullmatch(self.device) is not None),
            ("measure_edits", isinstance(self.measure_edits, bool)),
            ("trace_runs", isinstance(self.trace_runs, bool)),
            ("text_percent", type(self.text_percent) is int and _SMALLEST <= self.text_percent <= _LARGEST),
            ("cache_mb", self.cache_mb is None or (type(self.cache_mb) is int and 0 <= self.cache_mb <= MOST_CACHE_MB)),
            ("recent", _texts(self.recent)),
            ("layout", self.layout is None or _texts((self.layout.geometry, self.layout.state, *self.layout.docks))),
        ):
            if not fits:
                raise ValueError(f"{name} cannot be {getattr(self, name)!r:.60}")

    @property
    def cache_bytes(self) -> int | None:
        """As `memstudio.open` takes it."""
        return None if self.cache_mb is None else self.cache_mb * 1_000_000


def read_settings(file: Path) -> tuple[Settings, str]:
    """The settings of a file, and "" or one line for a person.

    No file: the defaults. One that cannot be understood, or that a newer program wrote, is kept aside under another name, and the
    defaults are taken.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings(), ""
    except OSError as error:
        return Settings(), _aside(file, f"cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        return Settings(), _aside(file, f"is no JSON: {error}")
    try:
        return _settings(value), ""
    except ValueError as error:
        return Settings(), _aside(file, str(error))


def _settings(value: object) -> Settings:
    """Settings from JSON; names that are not known are passed over.

    Raises:
        ValueError: something in it is not what it should be, or a newer program wrote it.
    """
    if not isinstance(value, Mapping):
        raise ValueError("the file holds no settings")
    version = value.get("version", _VERSION)
    if type(version) is not int or version > _VERSION:
        raise ValueError("was written by a newer memstudio")
    given: dict[str, Any] = {name: value[name] for name in Settings.__slots__ if name in value}
    if isinstance(given.get("recent"), list):
        given["recent"] = tuple(given["recent"])
    layout = given.get("layout")
    if layout is not None:
        if not isinstance(layout, Mapping) or not isinstance(layout.get("docks", []), list):
            raise ValueError("layout is none")
        given["layout"] = KeptLayout(layout.get("geometry", ""), layout.get("state", ""), tuple(layout.get("docks", [])))
    return Settings(**given)


def _texts(values: object) -> bool:
    return isinstance(values, tuple) and all(isinstance(each, str) for each in values)


def write_settings(file: Path, settings: Settings) -> None:
    """Write them; a kill leaves the file of before or the new one, never a part.

    Raises:
        OSError: the folder cannot be made or written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(json.dumps({"version": _VERSION, **asdict(settings)}, indent=1) + "\n", encoding="utf-8")
    part.replace(file)


def _aside(file: Path, why: str) -> str:
    """Keep the file under the first name that is free; a line that says so."""
    number = 1
    while (kept := file.with_name(f"{file.stem}.kept-{number}{file.suffix}")).exists():
        number += 1
    try:
        file.replace(kept)
    except OSError as error:
        return f"{file}: {why}; the preferences are as at first, and the file cannot be moved: {error.strerror}"
    return f"{file}: {why}; the preferences are as at first, and the file is kept as {kept.name}"
