"""What the worker keeps for the export dialog: rankings, what precisions lose, curves, paces. No Qt in here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.errors import UserError
from memstudio.ui.export_views import CurveWish, OrderWish, Pace

if TYPE_CHECKING:
    from memstudio.bank.values import ClusterId, Fallback
    from memstudio.export.curve import Curve, Series
    from memstudio.export.plan import ExportPlan
    from memstudio.export.precision import Choice, Losses
    from memstudio.export.rank import Ranking
    from memstudio.jobs import Job
    from memstudio.session import Session
    from memstudio.session.curve import Halves
    from memstudio.session.exported import Exported

TRIED = 24
"""So many prompts are run to learn what one takes."""
Subtrees = tuple[tuple["ClusterId", ...], tuple["ClusterId", ...]]


class Worked:
    """What was worked out of one study at one revision: another choice costs only what differs. It holds no session."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._rates: dict[int, float] = {}
        """Bytes a second by disk; these outlive the revision."""
        self._clear()

    def _clear(self) -> None:
        self._rankings: dict[tuple[str, Fallback | None], Ranking] = {}
        self._losses: dict[Choice, Losses] = {}
        self._took: dict[object, float] = {}
        """Seconds that a ranking, or measuring what a precision loses, took."""
        self._halves: Halves | None = None
        self._series: dict[Subtrees, list[Series]] = {}
        self._curves: dict[Subtrees, Curve] = {}
        self._check_s: float | None = None
        self._prompt_s: float | None = None
        """What one prompt takes, by those that were run last."""

    def _at(self, session: Session) -> None:
        now = (session.bank.digest, session.study, session.head)
        if self._of != now:
            self._clear()
            self._of = now

    def order(self, session: Session, wish: OrderWish, job: Job) -> ExportPlan:
        """The order in which a growing budget takes the blocks as they stand at the head.

        Raises:
            UserError: there is no prompt to rank by, nothing is left to keep, or fewer bits save nothing.
        """
        from memstudio.session.curve import against
        from memstudio.session.exporting import losses_of, plan_bank
        from memstudio.session.ranking import rank

        self._at(session)
        start, by = time.perf_counter(), (wish.rank_by, against(wish.series))
        if by not in self._rankings:
            self._rankings[by] = rank(session, wish.rank_by, fallback=by[1], job=job)
            self._took[by] = time.perf_counter() - start
        start = time.perf_counter()
        if wish.precision not in self._losses:
            self._losses[wish.precision] = losses_of(session, wish.precision, job=job)
            self._took[wish.precision] = time.perf_counter() - start
        losses, bits = self._losses[wish.precision], wish.precision
        return plan_bank(session, self._rankings[by], keep=wish.keep, drop=wish.drop, precision=bits, losses=losses, job=job)

    # The curve

    def known(self, session: Session, wish: CurveWish) -> Curve | None:
        """The curve, where the series that is wished for was measured."""
        self._at(session)
        found = self._curves.get(wish.order.subtrees)
        return found if found is not None and wish.series in found.series else None

    def curve(self, session: Session, wish: CurveWish, job: Job) -> Curve:
        """Measure a series; the curve holds those of the same subtrees that were measured before too.

        Raises:
            UserError: as `Halves` and `Halves.curve`; or the study moved meanwhile.
            Cancelled: the job was cancelled; what was run is kept.
        """
        halves, before = self._halved(session), self._of
        series = self._series.setdefault(wish.order.subtrees, [])
        wanted = [*series, *([wish.series] if wish.series not in series else [])]
        asking, runs, seconds = halves.asking, halves.asking.runs, halves.asking.seconds
        found = halves.curve(session, wanted, keep=wish.order.keep, drop=wish.order.drop, job=job)
        if asking.runs - runs >= TRIED:
            self._prompt_s = (asking.seconds - seconds) / (asking.runs - runs)
        self._at(session)
        if self._of != before:
            raise UserError("the study moved while the curve was measured: measure it again")
        self._series[wish.order.subtrees], self._curves[wish.order.subtrees] = wanted, found
        return found

    def curve_seconds(self, session: Session, wish: CurveWish, job: Job) -> float:
        """What measuring would take, an estimate: the prompts that are left to run at the pace of some, and the ranking of one half.

        Raises:
            UserError: as `Halves` and `order`.
        """
        from memstudio.session.curve import SHARES, against, budgets
        from memstudio.session.smaller import smaller_by, whole

        halves, plan = self._halved(session), self.order(session, wish.order, job)
        kept = [each for _, _, each in budgets(plan, SHARES)]
        banks = [*(smaller_by(session.overlay, plan, each, wish.order.fallback) for each in kept), whole(session)]
        asking, by = halves.asking, (wish.order.rank_by, against(wish.series))
        prompt_s = self._prompt(session, halves, job)
        ranking = 0.0 if halves.knows(wish.series) else self._took[by] / 2 + self._took[wish.order.precision]
        return ranking + asking.left(session, banks) * prompt_s

    def _prompt(self, session: Session, halves: Halves, job: Job) -> float:
        """Seconds that a prompt takes; the first, which loads what is not there yet, is not counted."""
        from memstudio.session.smaller import whole

        asking = halves.asking
        if self._prompt_s is None:
            asking.try_some(session, whole(session), 1, job)
            runs, seconds = asking.runs, asking.seconds
            asking.try_some(session, whole(session), TRIED, job)
            self._prompt_s = (asking.seconds - seconds) / (asking.runs - runs) if asking.runs > runs else seconds / max(runs, 1)
        return self._prompt_s

    def asked(self, session: Session) -> tuple[int, str]:
        """How many prompts a curve asks, and of what.

        Raises:
            UserError: there are none.
        """
        halves = self._halved(session)
        return len(halves.scored), "probes" if halves.kind == "probe" else "facts"

    def _halved(self, session: Session) -> Halves:
        from memstudio.session.curve import Halves

        self._at(session)
        if self._halves is None:
            self._halves = Halves(session)
        return self._halves

    # Paces

    def pace(self, session: Session, out: Path) -> Pace:
        """How fast an export to a folder would be: by the last one, else by a small file that is written there and removed, and by the
        prompts that were run so far."""
        from memstudio.export.pouring import rate_of
        from memstudio.session.exporting import ASKED, some

        self._at(session)
        folder = _standing(out)
        disk = folder.stat().st_dev
        if disk not in self._rates and (rate := rate_of(folder)) is not None:
            self._rates[disk] = rate
        check_s = self._check_s
        if check_s is None and self._prompt_s is not None:
            check_s = 2 * sum(1 + len(fact.phrasings) for fact in some(session.facts(), ASKED)) * self._prompt_s
        return Pace(self._rates.get(disk), check_s)

    def note_export(self, done: Exported) -> None:
        """Remember how fast it was."""
        if done.write_seconds > 0:
            self._rates[done.path.stat().st_dev] = done.folder_bytes / done.write_seconds
        if done.recall_after is not None:
            self._check_s = done.seconds - done.write_seconds


def _standing(path: Path) -> Path:
    """The nearest folder above a path that is there."""
    return next(folder for folder in path.expanduser().absolute().parents if folder.is_dir())
