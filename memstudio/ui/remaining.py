"""How long a build still takes: the stage at work by its own pace, the stages after it by the estimate."""

import re
from collections import deque
from collections.abc import Mapping

_STAGES = (
    ("read", "read"),
    ("encod", "embed"),
    ("embed", "embed"),
    ("grow", "cluster"),
    ("cluster", "cluster"),
    ("label", "label"),
    ("train", "train"),
    ("prob", "probe"),
    ("writ", "write"),
)
"""How a stage's title begins, and its name in an estimate."""
_OF = re.compile(r"(\d+) of (\d+)")
_SURE_S = 1.0
_RECENT_S = 10.0
"""Work that goes on at another pace is judged by that pace once it has kept it for so long."""


class Remaining:
    """The clock of one build. `by_stage` are the estimate's seconds, in the order of the stages; empty where there is none."""

    def __init__(self, by_stage: Mapping[str, float]) -> None:
        self._by_stage = dict(by_stage)
        self._title: str | None = None
        self._marks: deque[tuple[float, int]] = deque()

    def left(self, title: str, done: int, total: int | None, now: float) -> float | None:
        """Seconds that remain at `now` (of any steady clock); None while neither pace nor estimate says anything.

        A stage that an earlier build began counts its pace from where this one took it up.
        """
        if title != self._title:
            self._title = title
            self._marks.clear()
        if not self._marks or done != self._marks[-1][1]:
            self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] <= now - _RECENT_S:
            self._marks.popleft()
        paced, stage = self._paced(done, total, now), stage_of(title)
        if stage not in self._by_stage:
            return paced
        found = _OF.search(title)
        part, parts = (int(found[1]), max(1, int(found[2]))) if found else (1, 1)
        planned, share = self._by_stage[stage] / parts, done / total if total else 0.0
        here = planned * (1 - share) if paced is None else paced
        each = planned if paced is None or share >= 1 else paced / (1 - share)
        names = list(self._by_stage)
        after = sum(self._by_stage[name] for name in names[names.index(stage) + 1 :])
        return here + max(0, parts - part) * each + after

    def _paced(self, done: int, total: int | None, now: float) -> float | None:
        begun, first = self._marks[0]
        spent, steps = now - begun, done - first
        return None if not total or steps <= 0 or spent < _SURE_S else spent / steps * max(0, total - done)


def stage_of(title: str) -> str:
    """The estimate's name of the stage that a title speaks of; the title itself where none is known."""
    return next((name for begin, name in _STAGES if title.lower().startswith(begin)), title)
