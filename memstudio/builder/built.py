"""What a build made."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Built:
    """levels: {"level", "clusters", "width"} each; losses: the running training loss, as it was looked at; seconds: of this call."""

    path: Path
    levels: list[dict[str, object]]
    losses: list[float]
    seconds: float
