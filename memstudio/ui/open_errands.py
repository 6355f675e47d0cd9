"""What the worker does when a bank is opened and its model loaded, so that the window is not held up meanwhile. No Qt in here."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from memstudio.errors import UserError
from memstudio.ui.errands import holds, model_line
from memstudio.ui.snapshots import Loaded, Wish

if TYPE_CHECKING:
    from memstudio.session import Session


def goes_first(session: Session, wish: Wish) -> bool:
    """Whether the open session holds the study that is wished for: a study has one writer, so it must be let go before.

    Raises:
        UserError: the study could not be opened again: its bank went, or another bank stands there now.
    """
    from memstudio.session import bank_named

    if not holds(session, wish):
        return False
    bank = bank_named(wish.path)
    if bank.digest != session.bank.digest:
        raise UserError(
            f"{bank.folder}: another bank stands there now, digest {bank.digest:.12}…; "
            f"the study {session.study} is of one with the digest {session.bank.digest:.12}…: put that one back"
        )
    return True


def loaded(session: Session) -> Loaded:
    """Load the model, and what draws its traces: a fifth of a second that the first trace then need not take of the window."""
    read_libraries()
    ready = Loaded(session.load(), model_line(session))
    import_module("memstudio.ui.plots.heat_map_plot")
    return ready


def moved(session: Session, device: str) -> Loaded:
    """The model on another device."""
    return Loaded(session.run_on(device), model_line(session))


def read_libraries() -> None:
    """Read what a model needs, once, and have the garbage collector never look at it again.

    They are 400,000 objects that stay to the end; each time it goes through all of them every thread stands still for a quarter of a
    second, the window's too.
    """
    if "torch" in sys.modules:
        return
    gc.disable()
    try:
        import_module("memstudio.anchor.load")
        gc.freeze()
    finally:
        gc.enable()
