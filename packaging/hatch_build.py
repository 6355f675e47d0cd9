"""Puts resources/ (icons, the demo bank) into the wheel as memstudio/resources; a checkout installed with -e reads them where they lie."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ResourcesHook(BuildHookInterface[Any]):
    """Copied only into a real wheel: an editable install would otherwise keep a copy that grows stale."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder to the files of the wheel, without what a build of the bank leaves beside it."""
        if version == "standard":
            for part in Path(self.root, "resources").iterdir():
                if part.suffix != ".build":
                    build_data["force_include"][str(part)] = f"memstudio/resources/{part.name}"
