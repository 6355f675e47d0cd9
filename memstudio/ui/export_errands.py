"""What the worker does about an export: ranks, orders, measures the curve, writes. No Qt in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memstudio.errors import UserError
from memstudio.events import Did
from memstudio.ui.export_views import CurveFound, CurveWish, DenseDone, DenseWish, ExportDone, ExportWish, OrderFound, OrderWish, Outlook

if TYPE_CHECKING:
    from memstudio.jobs import Job
    from memstudio.session import Session
    from memstudio.ui.export_kept import Worked


def ordered(session: Session, worked: Worked, number: int, wish: OrderWish, job: Job) -> OrderFound:
    """The order in which a growing budget takes the blocks.

    Raises:
        UserError: as `Worked.order`.
    """
    plan = worked.order(session, wish, job)
    files = session.bank.manifest.files
    return OrderFound(number, wish, plan, sum(file.bytes for path, file in files.items() if not path.startswith("blocks/")))


def looked(session: Session, worked: Worked, number: int, wish: CurveWish, job: Job) -> Outlook:
    """What is known of a curve, what measuring it takes, or why there is none; and how fast an export would be."""
    known = worked.known(session, wish)
    asked, noun, seconds, why = 0, "", None, ""
    if known is None:
        try:
            asked, noun = worked.asked(session)
            seconds = worked.curve_seconds(session, wish, job)
        except UserError as error:
            nothing = "this bank has neither facts nor probes that could be asked"
            why = f"There is no curve to measure: {error if session.facts() else nothing}."
    return Outlook(number, known, asked, noun, seconds, why, worked.pace(session, wish.out))


def measured(session: Session, worked: Worked, number: int, wish: CurveWish, job: Job) -> CurveFound:
    """Measure a curve.

    Raises:
        UserError, Cancelled: as `Worked.curve`.
    """
    found, order = worked.curve(session, wish, job), wish.order
    said: dict[str, object] = {"precision": (order.precision,), "keep": order.keep, "drop": order.drop}
    _tell(session, "measure_curve", ((order.rank_by,), (order.fallback,)), said, "memstudio.session.curve")
    return CurveFound(number, found)


def exported(session: Session, worked: Worked, number: int, wish: ExportWish, job: Job) -> ExportDone:
    """Write the bank and see what it still answers.

    Raises:
        UserError: as `export_planned`.
        Cancelled: nothing is left then.
    """
    from memstudio.session.exporting import export_planned

    order = wish.order
    done = export_planned(session, wish.out, wish.plan, budget=wish.budget_bytes, fallback=order.fallback, check=wish.check, job=job)
    worked.note_export(done)
    said: dict[str, object] = {"budget": wish.budget_bytes, "rank_by": order.rank_by, "keep": order.keep, "drop": order.drop}
    said |= {"fallback": order.fallback, "precision": order.precision, "check": wish.check}
    _tell(session, "export_bank", (wish.out,), said)
    return ExportDone(number, done)


def exported_dense(session: Session, number: int, wish: DenseWish, job: Job) -> DenseDone:
    """Write one route as an ordinary model and compare the two.

    Raises:
        UserError: as `Session.export_dense`.
        Cancelled: nothing is left then.
    """
    return DenseDone(number, session.export_dense(wish.out, wish.route, job=job))


def _tell(session: Session, verb: str, arguments: tuple[object, ...], said: dict[str, object], home: str = "") -> None:
    """What was done, for the log, where the verb itself was not called."""
    session.emit(Did(verb, arguments, {name: value for name, value in said.items() if value not in ((), ("bank",), "bank")}, home))
