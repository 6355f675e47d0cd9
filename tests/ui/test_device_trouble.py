"""A device that fails in mid-run: the window says one line and offers the CPU, and goes on there when the user agrees."""

from typing import TYPE_CHECKING, Any

from memstudio.anchor.values import DeviceChoice
from memstudio.bank.values import ClusterId
from memstudio.ui.main_window import MainWindow
from tests.ui.conftest import Act

if TYPE_CHECKING:
    from memstudio.session import Session


def fail(window: MainWindow, settle: Act) -> None:
    """Have the model run on a card (torch's second name of the CPU) that is taken away after three layers."""
    import torch

    def take_away(session: "Session", _: object) -> None:
        calls: list[int] = []

        def hook(*_: Any) -> None:
            calls.append(1)
            if len(calls) > 3:
                raise torch.AcceleratorError("CUDA error: unspecified launch failure")

        session.running.anchor.choice = DeviceChoice("cpu:0")
        session.running.anchor.mlps[0].register_forward_pre_hook(hook)

    settle(lambda: window.studio.bridge.urgent("Taking the card away", take_away))


def test_the_window_offers_the_cpu_and_goes_on_there(opened: MainWindow, settle: Act) -> None:
    status, prompt = opened.panels.status, opened.panels.prompt
    prompt.write("The atomic number of gold is")
    settle(opened.run_prompt)
    said = opened.studio.run
    assert said is not None
    settle(lambda: opened.prune(ClusterId(1, 2)))
    settle(opened.undo)
    fail(opened, settle)
    settle(opened.run_prompt)
    assert status.line.text().startswith("cpu:0 failed or is gone; the study is as it was; ")
    assert "\n" not in status.line.text()
    assert status.cpu.isVisible()
    assert opened.studio.study is not None
    assert opened.studio.study.head == 0
    assert len(opened.studio.study.log) == 2
    settle(status.cpu.click)
    assert not status.cpu.isVisible()
    assert status.model.text().startswith("cpu · ")
    settle(opened.run_prompt)
    assert opened.studio.run is not None
    assert opened.studio.run.text == said.text
    assert not status.cpu.isVisible()


def test_a_dialogs_line_comes_with_the_offer_too(opened: MainWindow, settle: Act) -> None:
    fail(opened, settle)
    opened.studio.auto_trace = False
    settle(lambda: opened.facts.score("fetched"))
    settle(lambda: opened.facts.score("fetched"))
    assert opened.panels.status.cpu.isVisible()


def test_a_full_cpu_offers_nothing_else(opened: MainWindow, settle: Act) -> None:
    def fill_up(*_: object) -> None:
        raise MemoryError

    settle(lambda: opened.studio.bridge.errand("Filling", fill_up))
    assert opened.panels.status.line.text().startswith("cpu is full; ")
    assert not opened.panels.status.cpu.isVisible()
