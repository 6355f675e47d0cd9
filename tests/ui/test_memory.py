"""The figure of the status bar opens what is resident where, measured off the interface thread, and frees it when asked."""

import threading
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from memstudio.session.resident import Held
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.memory_panel import MemoryPanel
from memstudio.ui.theme import Theme
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]
HELD = (
    Held("Anchor", "memory", 5_000_000, "Llama, float32", "anchor"),
    Held("Slots: answers", "memory", 40_000, "1/2, 2/16"),
    Held("Everything else", "memory", 300_000_000),
    Held("Files of the bank", "page cache", 20_000_000, "of 42.0 MB on the disk", "files"),
)


def test_a_line_for_each_and_free_where_it_can_be_freed(qtbot: QtBot, theme: Theme) -> None:
    panel = MemoryPanel(theme)
    panel.show_held(HELD)
    asked: list[str] = []
    panel.free_wanted.connect(asked.append)
    buttons = panel.buttons()
    assert set(buttons) == {"Anchor", "Files of the bank"}
    buttons["Anchor"].click()
    buttons["Files of the bank"].click()
    assert asked == ["anchor", "files"]
    panel.show_held(HELD[1:3])
    assert not panel.buttons()
    panel.deleteLater()


def test_the_anchor_is_freed_and_the_next_run_loads_it_again(
    opened: MainWindow, settle: Act, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def noted(session: object) -> tuple[Held, ...]:
        threads.add(threading.current_thread().name)
        return measured(session)  # type: ignore[arg-type]  # passes on what it is given

    from memstudio.ui import vitals

    measured = vitals.resident
    monkeypatch.setattr(vitals, "resident", noted)
    panel = opened.memory.panel
    opened.show_memory()
    qtbot.waitUntil(lambda: "Anchor" in panel.buttons(), timeout=PATIENCE_MS)
    assert "Files of the bank" in panel.buttons()
    settle(panel.buttons()["Anchor"].click)
    qtbot.waitUntil(lambda: "Anchor" not in panel.buttons(), timeout=PATIENCE_MS)
    settle(opened.run_prompt)
    qtbot.waitUntil(lambda: "Anchor" in panel.buttons(), timeout=PATIENCE_MS)
    assert threads == {"memstudio-vitals"}
    panel.hide()
    run = opened.studio.run
    assert run is not None
    assert run.tokens
