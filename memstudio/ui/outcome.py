"""What the end of a piece of work becomes for the window, whichever thread did it."""

import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from memstudio.errors import DeviceTrouble, UserError
from memstudio.jobs import Cancelled
from memstudio.ui.snapshots import Crashed, DeviceFailed, Failed, Message


def outcome(title: str, future: Future[Any], refused: Callable[[str], Message] = Failed) -> Message | None:
    """The message that the work brought, a person's error as `refused` makes it, a bug as a crash; None of what was cancelled."""
    error = None if future.cancelled() else future.exception()
    if isinstance(error, UserError):
        return refused(str(error))
    if error is not None and not isinstance(error, Cancelled):
        return Crashed(title, "".join(traceback.format_exception(error)))
    found: Message | None = None if error is not None or future.cancelled() else future.result()
    return found


def moved_away(future: Future[Any]) -> Message | None:
    """What the window offers where the model's device was full or gone and there is another one: to go on on the CPU."""
    error = None if future.cancelled() else future.exception()
    return DeviceFailed(str(error)) if isinstance(error, DeviceTrouble) and error.elsewhere else None
