"""What the worker does when a bank is opened and its model loaded, so that the window is not held up meanwhile. No Qt in here."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from memstudio.ui.errands import model_line
from memstudio.ui.snapshots import Loaded

if TYPE_CHECKING:
    from memstudio.session import Session


def loaded(session: Session) -> Loaded:
    """Load the model, and what draws its traces: a fifth of a second that the first trace then need not take of the window."""
    read_libraries()
    ready = Loaded(session.load(), model_line(session))
    import_module("memstudio.ui.plots.heat_map_plot")
    return ready


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
