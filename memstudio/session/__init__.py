"""One open study of one bank: the only door through which the window, the shell and Python reach the model and the history."""

from memstudio.session.opening import bank_folder, open_session, study_for
from memstudio.session.session import Session

__all__ = ["Session", "bank_folder", "open_session", "study_for"]
