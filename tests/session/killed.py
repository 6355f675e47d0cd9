"""Kill a session with SIGKILL before every new line that an edit executes in it, and look at what it leaves.

Run as `python -m tests.session.killed FOLDER EVERY`: before every new line, or every third; prints how many kills left
the study before the edit and how many after it. Each session is a fork, so the libraries are imported once.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import torch

import memstudio.session
from memstudio.bank.values import PRUNED, ClusterId
from memstudio.editing.prune import Prune
from memstudio.session import Session, open_session
from tests.tiny import make_bank

TEXT = "The atomic number of gold is"
ROUTE = (ClusterId(1, 2), ClusterId(2, 8), ClusterId(3, 25))
HERE = str(Path(memstudio.session.__file__).parent)


def die_at(number: int) -> Callable[[FrameType, str, object], object]:
    """A tracer that kills the process before the `number`-th new line of the session."""
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: object) -> object:
        if not frame.f_code.co_filename.startswith(HERE):
            return None
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) > number:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def edit(bank: Path, study: Path, number: int) -> None:
    """With the route's blocks resident, prune one of them; die on the way."""
    session = open_session(bank, study=study, device="cpu")
    session.logits(TEXT, route=ROUTE)
    sys.settrace(die_at(number))
    session.apply(Prune(ROUTE[:1]))
    sys.settrace(None)
    session.close()


def state_of(session: Session) -> str:
    """Whether the study stands before or after the edit, as a whole.

    Raises:
        AssertionError: it is broken.
    """
    changes = {cluster for cluster, state in session.overlay.items() if state == PRUNED}
    if session.head == 0:
        assert not changes
        assert len(session.log()) == 1
        return "before"
    assert session.head == 1
    assert changes == {change.cluster for change in session.log()[1].changes}
    assert len(changes) == 13
    return "after"


def main(folder: Path, every: int) -> dict[str, int]:
    bank = make_bank(folder / "bank")
    with open_session(bank, device="cpu") as session:
        shown = {"before": session.logits(TEXT, route=ROUTE)}
        session.apply(Prune(ROUTE[:1]))
        shown["after"] = session.logits(TEXT, route=ROUTE)
    counts = {"before": 0, "after": 0, "kills": 0}
    for number in range(0, 10_000, every):
        study = folder / "study"
        shutil.rmtree(study, ignore_errors=True)
        open_session(bank, study=study).close()
        child = os.fork()
        if child == 0:
            edit(bank, study, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        with open_session(bank, study=study, device="cpu") as session:
            state = state_of(session)
            if number % 12 == 0:
                assert torch.equal(session.logits(TEXT, route=ROUTE), shown[state])
        counts[state] += 1
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return counts
        counts["kills"] += 1
    raise AssertionError("the edit never came to its end")


if __name__ == "__main__":
    torch.set_num_threads(1)
    json.dump(main(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout)
