"""A session tells what was done with it: once, when it is done, with what was asked for and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from memstudio.anchor.values import Sampling
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.events import Did, Event
from memstudio.facts.gate import BLOCKS
from memstudio.jobs import Job, Worker
from memstudio.session import Session
from memstudio.session.script import Deed, deed_of, opening, script

PROMPT = "The atomic number of gold is"
BLOCK = ClusterId(2, 4)


def heard(session: Session, act: Callable[[], object]) -> list[Did]:
    """What is told while something is done."""
    events: list[Event] = []
    end = session.listen(events.append, deeds=True)
    act()
    end()
    return [event for event in events if isinstance(event, Did)]


def lines(session: Session, act: Callable[[], object]) -> list[str]:
    return [deed_of(did).line for did in heard(session, act)]


def test_an_edit_undo_and_redo_are_each_told_once(session: Session) -> None:
    def act() -> None:
        session.apply(Prune((BLOCK,)), job=Job("prune"))
        session.undo()
        session.redo()
        session.checkout(0)

    assert lines(session, act) == [
        "session.apply(Prune((ClusterId(2, 4),)))",
        "session.undo()",
        "session.redo()",
        "session.checkout(0)",
    ]


def test_a_plan_is_told_as_its_edit_with_what_it_was_held_to(session: Session) -> None:
    plan = session.plan(Scale((BLOCK,), 0.5, subtree=True))
    assert lines(session, lambda: session.apply(plan, limits=BLOCKS, reason="to see")) == [
        "session.apply(Scale((ClusterId(2, 4),), 0.5, True), limits=Limits(), reason='to see')"
    ]


def test_what_failed_is_not_told(session: Session) -> None:
    def act() -> None:
        with pytest.raises(UserError):
            session.undo()
        with pytest.raises(UserError):
            session.apply(Prune((ClusterId(9, 9),)))

    assert heard(session, act) == []


def test_a_run_is_told_as_it_ended_and_a_stopped_one_ends_there_again(session: Session) -> None:
    assert lines(session, lambda: session.run(PROMPT, sampling=Sampling(max_tokens=3))) == [
        "session.run('The atomic number of gold is', sampling=Sampling(3))"
    ]

    def stopped() -> None:
        stream = session.generate(PROMPT, memory="none")
        next(stream), next(stream)
        stream.close()

    assert lines(session, stopped) == ["session.run('The atomic number of gold is', memory='none', sampling=Sampling(2))"]


def test_what_is_tried_at_run_time_is_told(session: Session) -> None:
    def act() -> None:
        session.mute({BLOCK, ClusterId(1, 0)})
        session.hide(())
        session.pin(session.bank.tree.route_to(BLOCK))
        session.pin(None)

    assert lines(session, act) == [
        "session.mute([ClusterId(1, 0), ClusterId(2, 4)])",
        "session.hide(())",
        "session.pin((ClusterId(1, 1), ClusterId(2, 4)))",
        "session.pin(None)",
    ]


def test_an_edit_that_lands_while_another_verb_breathes_is_told_too(session: Session) -> None:
    worker, told = Worker("memstudio-test"), []
    session.listen(lambda event: told.append(event.verb) if isinstance(event, Did) else None, deeds=True)

    def between(_: Job) -> None:
        with session.apart():
            session.apply(Prune((BLOCK,)))

    def scan(job: Job) -> None:
        worker.submit("prune", between, urgent=True)
        session.scan(PROMPT, " 79", job=job)

    worker.submit("scan", scan).future.result(timeout=60)
    worker.close()
    assert told == ["apply", "scan"]


def test_functions_that_take_the_session_are_told_with_their_module(session: Session, tmp_path: Path) -> None:
    from memstudio.session.patching import export_patch

    session.apply(Prune((BLOCK,)))
    (did,) = heard(session, lambda: export_patch(session, tmp_path / "patch"))
    deed = deed_of(did)
    assert deed.line == f"export_patch(session, Path({str(tmp_path / 'patch')!r}))"
    assert deed.imports == {"from memstudio.session.patching import export_patch", "from pathlib import Path"}


def test_numbers_given_by_hand_are_a_comment_and_those_of_a_file_its_path(session: Session, tmp_path: Path) -> None:
    row = torch.zeros(session.bank.manifest.row_bytes(2) // 4)
    by_hand = deed_of(Did("apply", (Rewrite(BLOCK, row),)))
    assert by_hand.line.startswith("# session.apply(")
    file = tmp_path / "row.safetensors"
    assert deed_of(Did("apply", (Rewrite(BLOCK, row, file),))).line == (
        f"session.apply(Rewrite.from_file(ClusterId(2, 4), Path({str(file)!r}), session.bank))"
    )


def test_a_script_begins_with_the_last_opening_and_leaves_a_new_study_alone() -> None:
    run = deed_of(Did("run", ("gold",)))
    first = opening(Path("/one"), None, 1, 0)
    second = opening(Path("/two"), Path("/study"), 1, 0, device="cpu")
    text = script([first, run, second, deed_of(Did("apply", (Prune((BLOCK,)),))), run])
    assert "/one" not in text
    assert "/study" not in text
    assert second.line == "session = memstudio.open('/two', study='/study', device='cpu')"
    assert "session = memstudio.open('/two', device='cpu')" in text
    assert text.count("import memstudio\n") == 1
    assert text.count("print(session.run('gold').text)") == 1
    assert text.endswith("session.close()\n")
    compile(text, "script", "exec")


def test_a_script_of_a_study_that_had_edits_begins_where_it_stood() -> None:
    text = script([opening(Path("/bank"), Path("/study"), 4, 2), Deed("session.undo()")])
    assert "study='/study'" in text
    assert text.index("session.checkout(2)") < text.index("session.undo()")


def test_a_very_long_line_is_shown_with_its_middle_left_out() -> None:
    deed = deed_of(Did("run", ("gold " * 400,)))
    assert len(deed.line) > 2000
    assert len(deed.short) < 410
    assert deed.short.endswith("')")
