"""What the worker does about an export: ranks, orders, writes. No Qt in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memstudio.events import Did
from memstudio.export.rank import Ranking
from memstudio.ui.export_views import ExportDone, ExportWish, OrderFound, OrderWish

if TYPE_CHECKING:
    from memstudio.jobs import Job
    from memstudio.session import Session


class Rankings:
    """What was ranked of one study at one revision: another choice of subtrees or an earlier ranking costs nothing again."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._known: dict[str, Ranking] = {}

    def of(self, session: Session, by: OrderWish, job: Job) -> Ranking:
        """The ranking of the blocks as they stand at the head.

        Raises:
            UserError: there is no prompt to rank by.
        """
        from memstudio.session.ranking import rank

        now = (session.bank.digest, session.study, session.head)
        if self._of != now:
            self._of, self._known = now, {}
        if by.rank_by not in self._known:
            self._known[by.rank_by] = rank(session, by.rank_by, job=job)
        return self._known[by.rank_by]


def ordered(session: Session, rankings: Rankings, number: int, wish: OrderWish, job: Job) -> OrderFound:
    """The order in which a growing budget takes the blocks.

    Raises:
        UserError: as `rank` and `plan_bank`.
    """
    from memstudio.session.exporting import plan_bank

    plan = plan_bank(session, rankings.of(session, wish, job), keep=wish.keep, drop=wish.drop, job=job)
    files = session.bank.manifest.files
    return OrderFound(number, wish, plan, sum(file.bytes for path, file in files.items() if not path.startswith("blocks/")))


def exported(session: Session, number: int, wish: ExportWish, job: Job) -> ExportDone:
    """Write the bank and see what it still answers.

    Raises:
        UserError: as `export_planned`.
        Cancelled: nothing is left then.
    """
    from memstudio.session.exporting import export_planned

    done = export_planned(session, wish.out, wish.plan, budget=wish.budget_bytes, fallback=wish.fallback, check=wish.check, job=job)
    order = wish.order
    said: dict[str, object] = {"budget": wish.budget_bytes, "rank_by": order.rank_by, "keep": order.keep, "drop": order.drop}
    said |= {"fallback": wish.fallback, "check": wish.check}
    session.emit(Did("export_bank", (wish.out,), {name: value for name, value in said.items() if value != ()}))
    return ExportDone(number, done)
