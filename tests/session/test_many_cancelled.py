"""An edit of very many blocks tells how far it is and can be cancelled; cancelled, nothing was applied."""

from pathlib import Path

import pytest

from memstudio.bank.values import ClusterId
from memstudio.editing.plan import Edit
from memstudio.editing.prune import Prune, Restore
from memstudio.editing.scale import Scale
from memstudio.jobs import Cancelled, Job, Worker
from memstudio.session import Session
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"
LEAVES = tuple(ClusterId(3, at) for at in range(9000))


class Steps(Job):
    """A job that is cancelled at its `at`-th step, of whichever kind."""

    def __init__(self, at: int = 0) -> None:
        super().__init__("many")
        self.at, self.steps, self.told = at, 0, list[tuple[int, int | None]]()

    def breathe(self) -> None:
        self._step()
        super().breathe()

    def heed(self, done: int, total: int | None = None) -> None:
        self.told.append((done, total))
        self._step()
        super().heed(done, total)

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.cancel()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bank(tmp_path_factory.mktemp("many") / "bank", levels=((3, 1), (90, 1), (9000, 1)))


@pytest.mark.parametrize("edit", [Prune(LEAVES), Scale(LEAVES, 0.5), Restore(LEAVES)], ids=lambda edit: edit.verb)
def test_cancelled_at_any_step_nothing_was_applied(opens: OpenSession, many: Path, study: Path, edit: Edit) -> None:
    session = opens(many, study=study)
    if edit.verb == "restore":
        session.apply(Prune(LEAVES))
    before, logits = (session.head, session.overlay), session.logits(PROMPT)
    held = list(session.running.attached.slots.identity)
    whole = Steps()
    session.apply(edit, job=whole)
    session.undo()
    assert whole.told == [(0, 9000), (4096, 9000), (8192, 9000), (9000, 9000)]
    for at in {1, 2, whole.steps // 2, *range(whole.steps - 3, whole.steps + 1)}:
        with pytest.raises(Cancelled):
            session.apply(edit, job=Steps(at))
        assert (session.head, session.overlay) == before
        assert session.running.attached.slots.identity == held
    assert session.logits(PROMPT).equal(logits)
    revisions = len(session.log())
    session.close()
    again = opens(many, study=study)
    assert (again.head, again.overlay, len(again.log())) == (*before, revisions)
    assert len(again.apply(edit).changes) == 9000


def test_no_urgent_call_comes_in_the_middle_of_another(session: Session) -> None:
    worker, done = Worker("memstudio-test"), list[str]()

    def first(job: Job) -> None:
        worker.submit("second", lambda _: done.append("second"), urgent=True)
        job.breathe()
        session.apply(Prune((ClusterId(3, 0),)), job=job)
        done.append("first")

    worker.submit("first", first, urgent=True).future.result(timeout=60)
    worker.close()
    assert done == ["first", "second"]
