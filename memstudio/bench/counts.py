"""What one method of editing scored, counted so that rows can be added up and printed with their intervals."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from memstudio.facts.statistics import Proportion


@dataclass
class Counts:
    """Right and asked, by name, and the seconds of each edit."""

    right: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    scoring_s: float = 0.0

    def count(self, name: str, right: int, asked: int) -> None:
        """Add `right` of `asked`."""
        self.right[name] = self.right.get(name, 0) + right
        self.asked[name] = self.asked.get(name, 0) + asked

    def share(self, name: str) -> Proportion:
        """What was counted under a name."""
        return Proportion(self.right.get(name, 0), self.asked.get(name, 0))

    @property
    def median_s(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def p90_s(self) -> float | None:
        return sorted(self.seconds)[int(0.9 * (len(self.seconds) - 1))] if self.seconds else None

    def json(self) -> dict[str, Any]:
        """Every share with k, n and its interval; seconds to apply; seconds of scoring in all."""
        shares = {name: self.share(name).json() for name, asked in self.asked.items() if asked}
        return {**shares, "edits": len(self.seconds), "median_s": self.median_s, "p90_s": self.p90_s, "scoring_s": self.scoring_s}
