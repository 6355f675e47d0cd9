"""What a person prefers, kept as JSON in the user's configuration folder: typed, versioned, and never half-written."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_VERSION = 1
RECENT_LIMIT = 8
SIZES = (90, 100, 110, 125, 150)
"""Text sizes that are offered, in per cent."""

ThemeName = Literal["system", "light", "dark"]


class KeptLayout(BaseModel):
    """Where the window and its docks stood: what Qt gave, as base64, and the docks that it speaks of."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    geometry: str
    state: str
    docks: tuple[str, ...] = ()


class Settings(BaseModel):
    """Every preference with its default. device: where models run; text_percent: of the system's text size."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    theme: ThemeName = "system"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    measure_edits: bool = True
    trace_runs: bool = True
    text_percent: Annotated[int, Field(ge=50, le=300)] = 100
    recent: tuple[str, ...] = ()
    layout: KeptLayout | None = None


def read_settings(file: Path) -> tuple[Settings, str]:
    """The settings of a file, and "" or one line for a person.

    No file: the defaults. One that cannot be understood, or that a newer program wrote, is kept aside under another name, and the
    defaults are taken.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, UnicodeDecodeError) as error:
        return Settings(), _aside(file, f"cannot be read: {error}")
    try:
        value = json.loads(text)
        if isinstance(value, dict) and isinstance(value.get("version"), int) and value["version"] > _VERSION:
            return Settings(), _aside(file, "was written by a newer memstudio")
        return Settings.model_validate(value), ""
    except ValidationError as error:
        first = error.errors()[0]
        return Settings(), _aside(file, f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}")
    except (ValueError, RecursionError) as error:
        return Settings(), _aside(file, f"is no JSON: {error}")


def write_settings(file: Path, settings: Settings) -> None:
    """Write them; a kill leaves the file of before or the new one, never a part.

    Raises:
        OSError: the folder cannot be made or written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")
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
