"""Where the product keeps things: computed on each call, nothing is created on import."""

from importlib.resources import files
from pathlib import Path

import platformdirs

APP = "memstudio"


def data_dir() -> Path:
    """The user's data folder (default studies live under it)."""
    return Path(platformdirs.user_data_dir(APP, appauthor=False))


def settings_file() -> Path:
    """The user's preferences."""
    return Path(platformdirs.user_config_dir(APP, appauthor=False)) / "settings.json"


def default_study(bank_name: str, bank_digest: str) -> Path:
    """The study that edits of a bank go to when none is named."""
    return data_dir() / "studies" / f"{bank_name}-{bank_digest[:12]}"


def resources() -> Path:
    """The folder of icons and the demo bank: inside the wheel, else at the top of the checkout."""
    packaged = Path(str(files(APP))) / "resources"
    return packaged if packaged.is_dir() else packaged.parent.parent / "resources"


def demo_bank() -> Path:
    """The bundled demo bank."""
    return resources() / "demo"
