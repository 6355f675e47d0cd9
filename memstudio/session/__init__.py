"""One open study of one bank: the only door through which the window, the shell and Python reach the model and the history.

A name is imported when it is first asked for: the window takes values from this package before its first paint, and opens a bank after.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memstudio.session.opening import bank_folder, bank_named, open_session, study_for
    from memstudio.session.session import Session

__all__ = ["Session", "bank_folder", "bank_named", "open_session", "study_for"]

_FROM = {"Session": "session", "bank_folder": "opening", "bank_named": "opening", "open_session": "opening", "study_for": "opening"}


def __getattr__(name: str) -> object:
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
