"""Preferences in the window: they hold at once, they are kept, and what an earlier program kept is taken over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.settings import KeptLayout, Settings, read_settings, write_settings
from memstudio.ui.bridge import Bridge
from memstudio.ui.main_window import MainWindow
from memstudio.ui.preferences import Preferences


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


@pytest.fixture
def kept(file: Path, qapp: QApplication) -> Iterator[MainWindow]:
    """A window that keeps its preferences."""
    made = MainWindow(Bridge(), Preferences(file))
    made.show()
    yield made
    made.prefer("text_percent", 100)  # the application's font is every test's
    made.close()
    made.deleteLater()


def test_ctrl_and_comma_open_them_and_a_choice_holds_at_once_and_is_kept(kept: MainWindow, file: Path, qtbot: QtBot) -> None:
    kept.activateWindow()
    qtbot.keyClick(kept, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    dialog = kept._preferring
    assert dialog.isVisible()
    dialog.theme.setCurrentIndex(2)
    dialog.theme.activated.emit(2)
    qtbot.mouseClick(dialog.measure, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.trace, Qt.MouseButton.LeftButton)
    assert kept.theme.tone.dark
    assert not kept.measuring.on
    assert not kept.studio.auto_trace
    dialog.cache.setCurrentIndex(3)
    dialog.cache.activated.emit(3)
    settings, _ = read_settings(file)
    assert (settings.theme, settings.measure_edits, settings.trace_runs) == ("dark", False, False)
    assert (settings.cache_mb, settings.cache_bytes) == (1000, 1_000_000_000)
    kept.choose_theme("light")
    assert dialog.theme.currentData() == "light"
    dialog.close()


def test_the_text_grows_with_its_size(kept: MainWindow, qapp: QApplication) -> None:
    before = qapp.font().pointSizeF()
    kept.prefer("text_percent", 150)
    assert qapp.font().pointSizeF() == pytest.approx(before * 1.5)
    kept.prefer("text_percent", 100)
    assert qapp.font().pointSizeF() == pytest.approx(before)


def test_recent_banks_are_forgotten_everywhere(file: Path, qtbot: QtBot) -> None:
    write_settings(file, Settings(recent=("/banks/one", "/banks/two")))
    window = MainWindow(Bridge(), Preferences(file))
    window.show()
    assert len(window.start.recent) == 2
    window.show_preferences()
    assert window._preferring.forget.text() == "Forget 2 recent banks"
    qtbot.mouseClick(window._preferring.forget, Qt.MouseButton.LeftButton)
    assert window.start.recent == []
    assert not window._preferring.forget.isEnabled()
    assert read_settings(file)[0].recent == ()
    window._preferring.close()
    window.close()
    window.deleteLater()


def test_a_damaged_file_is_one_line_in_the_status_bar_and_the_window_opens(file: Path, qtbot: QtBot) -> None:
    file.parent.mkdir()
    file.write_text("{")
    window = MainWindow(Bridge(), Preferences(file))
    window.show()
    assert "settings.kept-1.json" in window.panels.status.line.text()
    window.close()
    window.deleteLater()
    assert read_settings(file)[1] == ""


def test_what_the_ini_file_held_is_taken_over_once(file: Path, tmp_path: Path) -> None:
    ini = tmp_path / "window.ini"
    old = QSettings(str(ini), QSettings.Format.IniFormat)
    for name, value in (("theme", "dark"), ("recent", ["/banks/one", "/banks/two"]), ("measure_edits", False)):
        old.setValue(name, value)
    old.sync()
    taken = Preferences(file, before=ini).now
    assert taken == Settings(theme="dark", recent=("/banks/one", "/banks/two"), measure_edits=False)
    assert read_settings(file)[0] == taken
    old.setValue("theme", "light")
    old.sync()
    assert Preferences(file, before=ini).theme == "dark"


@pytest.mark.parametrize("layout", [KeptLayout(geometry="%%%", state="%%%"), KeptLayout(geometry="AAAA", state="AAAA")])
def test_a_layout_that_makes_no_sense_leaves_the_first_one(layout: KeptLayout, file: Path) -> None:
    write_settings(file, Settings(layout=layout))
    window = MainWindow(Bridge(), Preferences(file))
    window.show()
    assert not window.docks["bank"].isHidden()
    window.close()
    window.deleteLater()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file where a folder should be")
    preferences = Preferences(tmp_path / "config" / "settings.json")
    preferences.change(theme="dark")
    assert preferences.theme == "dark"
    assert "cannot be kept there" in preferences.notice
    assert Preferences(None).now == Settings()
