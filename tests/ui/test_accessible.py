"""For the keyboard and for screen readers: whatever takes the focus has a name, and Tab reaches whatever can be used."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QToolBar,
    QWidget,
)

from memstudio.ui.main_window import MainWindow
from tests.ui.conftest import make_dialogs

Act = Callable[[Callable[[], object]], None]
USED = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)
TWICE = """
import sys
from memstudio.ui.app import application
from memstudio.ui.bridge import Bridge
from memstudio.ui.main_window import MainWindow
from tests.ui.conftest import make_dialogs
from memstudio.ui.preferences import Preferences
app = application()
window = MainWindow(Bridge(), Preferences(None))
window.resize(1366, 768)
window.show()
app.processEvents()
picture = window.grab()
assert picture.devicePixelRatio() == 2.0
picture.save(sys.argv[1])
from PySide6.QtWidgets import QAbstractButton, QLabel
short = [w.text() for w in window.findChildren(QAbstractButton) if w.isVisible() and w.text() and w.height() < w.fontMetrics().height()]
window.close()
assert not short, short
"""


def name_of(widget: QWidget) -> str:
    """What a screen reader says of a widget."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def of_another(widget: QWidget) -> bool:
    """Whether it is part of a spin box, a combo box or a view, which bear the name."""
    parent = widget.parentWidget()
    if isinstance(parent, QAbstractScrollArea) and parent.viewport() is widget:
        return True
    while parent is not None and not isinstance(parent, QDockWidget):
        if isinstance(parent, QAbstractSpinBox | QComboBox | QAbstractItemView | QTabBar):
            return True
        parent = parent.parentWidget()
    return False


def qt_s_own(widget: QWidget) -> bool:
    """Whether Qt made it (the toolbar's buttons, whose commands are in the menus; the cross in a field), or it is a table to be read that
    scrolls with what it stands in."""
    parent = widget.parentWidget()
    if isinstance(widget, QAbstractItemView) and widget.focusPolicy() == Qt.FocusPolicy.NoFocus:
        return widget.selectionMode() == QAbstractItemView.SelectionMode.NoSelection
    return widget.objectName().startswith("qt_") or isinstance(parent, QToolBar | QTabBar | QLineEdit)


def described(widget: QWidget) -> str:
    where, parent = [], widget
    while parent is not None and parent.parentWidget() is not None:
        where.append(type(parent).__name__)
        parent = parent.parentWidget()
    return f"{'/'.join(reversed(where))} {widget.objectName()} {widget.toolTip()[:40]}"


def parts(window: QWidget) -> list[QWidget]:
    return [each for each in window.findChildren(QWidget) if not each.isWindow() and each.window() is window and not of_another(each)]


def dialogs(window: MainWindow) -> list[QWidget]:
    made = make_dialogs(window)
    found = [each for each in window.findChildren(QWidget) if each.isWindow() and not isinstance(each, QDockWidget)]
    assert set(made) <= set(found)
    return found


def test_whatever_takes_the_focus_has_a_name(opened: MainWindow, settle: Act) -> None:
    settle(opened.run_prompt)
    unnamed = [
        described(each)
        for window in (opened, *dialogs(opened))
        for each in parts(window)
        if each.focusPolicy() & Qt.FocusPolicy.TabFocus and not name_of(each).strip() and type(each).__name__ not in ("QTabBar", "QMenu")
    ]
    assert unnamed == []


def test_whatever_can_be_used_is_reached_by_tab(opened: MainWindow, settle: Act) -> None:
    settle(opened.run_prompt)
    chain, each = set(), opened.nextInFocusChain()
    while each is not opened:
        chain.add(each)
        each = each.nextInFocusChain()
    used = [each for each in parts(opened) if isinstance(each, USED) and not qt_s_own(each) and each.focusProxy() is None]
    assert len(used) > 50
    assert [described(each) for each in used if each not in chain or not each.focusPolicy() & Qt.FocusPolicy.TabFocus] == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs the offscreen platform")
def test_at_200_per_cent_nothing_is_cut_off(tmp_path: Path) -> None:
    picture = tmp_path / "twice.png"
    environment = os.environ | {"QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", TWICE, str(picture)], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (2732, 1536)
