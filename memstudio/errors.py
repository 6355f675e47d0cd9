"""The one error that is meant for a person; anything else that is raised is a bug."""


class UserError(Exception):
    """Something the user can mend: one line that says what, where and what to do.

    The shell prints the line and exits with status 2; the window shows it in its status bar.
    """


class BankMoved(UserError):
    """A study's bank is no longer where it was; the window offers to look for it."""


class DeviceTrouble(UserError):
    """The device that the model runs on is full, or (else) gone. elsewhere: it is not the CPU, so the window offers to go on there."""

    def __init__(self, line: str, *, full: bool, elsewhere: bool) -> None:
        super().__init__(line)
        self.full, self.elsewhere = full, elsewhere


class Refused(UserError):
    """The answer is no: a gate stopped an edit, with the numbers. The shell exits with status 1."""
