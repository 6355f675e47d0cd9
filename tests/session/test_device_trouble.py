"""A device that is full or gone in mid-run: one line, a whole study, and the next run works on what is left."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from memstudio.anchor.attach import Attached
from memstudio.anchor.device import trouble
from memstudio.anchor.slots import Slots
from memstudio.anchor.values import DeviceChoice, Sampling
from memstudio.bank.values import ClusterId
from memstudio.cli import main
from memstudio.editing.prune import Prune
from memstudio.errors import DeviceTrouble, UserError
from memstudio.events import Event, Finished
from memstudio.session import Session
from memstudio.session.running import Running
from tests.session.conftest import OpenSession

PROMPT = "The atomic number of gold is"
BLOCK = ClusterId(3, 13)
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79 GiB\nof which 3 MiB are")
GONE = torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously reported")
ERRORS = pytest.mark.parametrize("error", [FULL, GONE], ids=["full", "gone"])
TWELVE = Sampling(max_tokens=12)


def raising(session: Session, error: BaseException, after: int) -> Callable[[], None]:
    """Have the model's forward raise once, in the middle of it, after so many that are whole; gives what ends that."""
    forwards = 0

    def hook(*_: Any) -> None:
        nonlocal forwards
        forwards += 1
        if forwards == after + 1:
            raise error

    return session.running.anchor.mlps[1].register_forward_pre_hook(hook).remove


def on_a_card(session: Session) -> None:
    """Torch's second name of the CPU stands in for a card."""
    session.running.anchor.choice = DeviceChoice("cpu:0")


@ERRORS
def test_a_run_ends_with_one_line_and_the_next_one_works(session: Session, error: BaseException) -> None:
    whole = session.run(PROMPT, sampling=TWELVE)
    events: list[Event] = []
    session.listen(events.append)
    on_a_card(session)
    end = raising(session, error, after=3)
    with pytest.raises(DeviceTrouble) as told:
        session.run(PROMPT, sampling=TWELVE)
    line = str(told.value)
    assert "\n" not in line
    assert line.startswith(f"cpu:0 {'is full' if error is FULL else 'failed or is gone'}; the study is as it was; ")
    assert ", or run on the CPU (--device cpu): CUDA " in line
    assert told.value.elsewhere
    assert told.value.full == (error is FULL)
    finished = [event.result for event in events if isinstance(event, Finished)]
    assert [run.stopped for run in finished] == [True]
    assert [token.id for token in finished[0].tokens] == [token.id for token in whole.tokens[:3]]
    end()
    assert session.run(PROMPT, sampling=TWELVE).text == whole.text
    assert session.run_on("cpu") == DeviceChoice("cpu")
    assert session.running.device == "cpu"
    assert session.run(PROMPT, sampling=TWELVE).text == whole.text


@ERRORS
def test_an_edit_that_the_device_breaks_off_has_not_happened(opens: OpenSession, study: Path, error: BaseException) -> None:
    session = opens(study=study)
    before = session.run(PROMPT, route=[BLOCK], sampling=TWELVE)
    fill, calls = Slots.fill, 0

    def broken(slots: Slots, level: int, *rest: Any) -> None:
        nonlocal calls
        calls += 1
        if calls in (1, 2):  # the new block, and the old one that is to come back: a card that is gone stays gone
            slots.identity[level - 1] = None  # as where the copy fails
            raise error
        fill(slots, level, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Slots, "fill", broken)
        with pytest.raises(DeviceTrouble):
            session.apply(Prune((BLOCK,)))
    assert calls == 2
    assert (session.head, session.overlay, len(session.log())) == (0, {}, 1)
    assert session.run(PROMPT, route=[BLOCK], sampling=TWELVE).text == before.text
    session.apply(Prune((BLOCK,)))
    session.close()
    again = opens(study=study)
    assert (again.head, len(again.log())) == (1, 2)
    assert again.undo().id == 0
    assert again.run(PROMPT, route=[BLOCK], sampling=TWELVE).text == before.text


def test_what_filled_a_device_is_let_go_of(session: Session) -> None:
    session.run(PROMPT, beside=True, sampling=TWELVE)
    session.scan(PROMPT)
    gone = [weakref.ref(arm) for name, arm in session.running.arms().items() if name != "answers"]
    assert len(gone) == 2
    held: list[weakref.ref[Any]] = []

    class Large:
        """Stands in for what a forward holds."""

    def hook(*_: Any) -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise torch.OutOfMemoryError("CUDA out of memory")

    handle = session.running.anchor.mlps[0].register_forward_pre_hook(hook)
    with pytest.raises(DeviceTrouble) as told:
        session.trace(PROMPT)
    gc.collect()
    assert told.value.__cause__ is not None
    assert [each() for each in (*held, *gone)] == [None, None, None]
    assert list(session.running.arms()) == ["answers"]
    handle.remove()
    assert len(session.run(PROMPT, beside=True, sampling=TWELVE).tokens) > 0


def test_a_move_that_cannot_be_leaves_all_as_it_was(session: Session) -> None:
    before = session.run(PROMPT, sampling=TWELVE)
    anchor, arm = session.running.anchor, session.running.arm
    with pytest.raises(UserError, match="--device cuda"):
        session.run_on("cuda:7")
    assert (session.running.anchor, session.running.arm) == (anchor, arm)
    assert session.run(PROMPT, sampling=TWELVE).text == before.text


def test_what_is_tried_and_edited_stands_on_the_other_device_too(session: Session) -> None:
    session.apply(Prune((BLOCK,)))
    session.mute([ClusterId(1, 1)])
    before = session.logits(PROMPT, route=[BLOCK])
    session.run_on("cpu")
    assert torch.equal(session.logits(PROMPT, route=[BLOCK]), before)
    assert session.muted == {ClusterId(1, 1)}


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (FULL, True),
        (GONE, False),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling cublasSgemm"), False),
    ],
)
def test_what_torch_says_is_told_apart(error: BaseException, full: bool) -> None:
    told = trouble(error, "cuda")
    assert told is not None
    assert (told.full, told.elsewhere) == (full, True)
    assert len(str(told)) < 300
    alone = trouble(error, "cpu")
    assert alone is not None
    assert not alone.elsewhere
    assert "--device cpu" not in str(alone)


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("CUDA error"), KeyError("a")])
def test_any_other_error_stays_a_bug(session: Session, error: Exception) -> None:
    assert trouble(error, "cuda") is None
    end = raising(session, error, after=0)
    with pytest.raises(type(error)) as raised:
        session.run(PROMPT)
    assert raised.value is error
    end()


def test_the_shell_says_one_line(tiny_bank: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise GONE

    monkeypatch.setattr(Attached, "forward", broken)
    monkeypatch.setattr(Running, "device", "cuda")
    for words in (["run", str(tiny_bank), PROMPT], ["facts", str(tiny_bank)], ["trace", str(tiny_bank), PROMPT]):
        assert main(words) == 2
        said = capsys.readouterr()
        assert said.err.strip().splitlines()[-1].startswith("memstudio: cuda failed or is gone; the study is as it was; ")
        assert said.err.strip().endswith("(--device cpu): CUDA error: an illegal memory access was encountered")
        assert "Traceback" not in said.err
