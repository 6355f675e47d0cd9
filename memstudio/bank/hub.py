"""Where a model of the hub lies in the usual cache, found by its folder layout, so that no library (and no network) is asked."""

import os
import re
from pathlib import Path

_COMMIT = re.compile(r"[A-Za-z0-9._-]{1,96}")


def cache_folder() -> Path:
    """The hub cache of this user, as the environment sets it."""
    if given := os.environ.get("HF_HUB_CACHE"):
        return Path(given).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".cache" / "huggingface") / "hub"


def cached_snapshot(source: str) -> Path | None:
    """The snapshot folder of "org/repo@revision" (branch, tag or commit) in the cache; None when it is not there."""
    repo, _, revision = source.partition("@")
    root = cache_folder() / f"models--{repo.replace('/', '--')}"
    name = root / "refs" / revision
    try:
        commit = name.read_text().strip() if name.is_file() else revision
    except (OSError, UnicodeDecodeError):
        return None
    folder = root / "snapshots" / commit
    return folder if _COMMIT.fullmatch(commit) and folder.is_dir() else None
