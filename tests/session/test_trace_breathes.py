"""A trace breathes between the layers: it ends where it is cancelled, and begins anew where something else stands at the head."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from memstudio.anchor.attach import Attached
from memstudio.anchor.values import Trace
from memstudio.anchor.wish import NOTHING, Wish
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.events import Event
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session

PROMPT = "The atomic number of gold is"
PATH = (ClusterId(1, 1), ClusterId(2, 4), ClusterId(3, 13))


class Breaths(Job):
    """A job that does something at its `at`-th breath."""

    def __init__(self, at: int = 0, act: Callable[[], object] = lambda: None) -> None:
        super().__init__("trace")
        self.at, self.act, self.taken = at, act, 0

    def breathe(self) -> None:
        self.taken += 1
        if self.taken == self.at:
            assert not torch.is_inference_mode_enabled()
            self.act()
        super().breathe()


def trace(session: Session, job: Job | None = None) -> Trace:
    return session.trace(PROMPT, route=PATH, against="47", job=job)


def same(one: Trace, other: Trace) -> bool:
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in ("contribution", "norm"))
    return arrays and (one.answer, one.effect, one.neurons, one.revision) == (other.answer, other.effect, other.neurons, other.revision)


@pytest.fixture
def breaths(session: Session) -> int:
    """How many a whole trace takes: a layer of every forward."""
    job = Breaths()
    trace(session, job)
    return job.taken


def held(session: Session) -> tuple[Wish, list[object]]:
    return session.running.arm.wish, list(session.running.attached.slots.identity)


def test_a_cancel_at_any_breath_ends_it_and_the_slots_hold_the_fetched_blocks(session: Session, breaths: int) -> None:
    before, kept, events = trace(session), held(session), list[Event]()
    session.listen(events.append)
    layers = len(session.running.anchor.mlps)
    assert breaths > 4 * layers
    for at in range(1, breaths + 1):
        job = Breaths(at)
        job.act = job.cancel
        with pytest.raises(Cancelled):
            trace(session, job)
        assert job.taken == at
        assert held(session) == kept
        assert not session.running.attached.slots.identity.count(None)
    assert not events
    assert same(trace(session), before)
    assert not any(mlp._forward_pre_hooks for mlp in session.running.anchor.mlps)


def test_a_job_that_breathes_changes_no_figure(session: Session) -> None:
    assert same(trace(session, Breaths()), trace(session))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("act", ["prune", "mute"])
def test_what_lands_in_it_is_what_it_speaks_of(session: Session, breaths: int, act: str, share: float) -> None:
    def land() -> None:
        with session.apart():
            session.apply(Prune((PATH[2],))) if act == "prune" else session.mute({PATH[2]})

    found = trace(session, Breaths(max(1, int(breaths * share)), land))
    assert found.revision == session.head
    assert set(found.effect) == set(PATH[:2])
    assert same(found, trace(session))


def test_what_only_reads_does_not_begin_it_anew(session: Session, breaths: int) -> None:
    job = Breaths(breaths // 2, lambda: (session.card(PATH[1]), session.neurons(PATH[1])))
    found = trace(session, job)
    assert job.taken == breaths
    assert same(found, trace(session))


def test_a_failure_under_the_generic_blocks_leaves_the_fetched_ones_in_the_slots(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    trace(session)
    kept, real = held(session), Attached.forward

    def broken(attached: Attached, *given: object, **named: object) -> torch.Tensor:
        if session.running.arm.wish.memory == "generic":
            raise ValueError("broken")
        return real(attached, *given, **named)  # type: ignore[arg-type]  # passes on what it is given

    with monkeypatch.context() as patch:
        patch.setattr(Attached, "forward", broken)
        with pytest.raises(ValueError, match="broken"):
            trace(session)
    assert held(session) == kept
    assert kept[0] != NOTHING
