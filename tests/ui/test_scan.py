"""Where is this fact, in the window: a real scan on a real bank colours every view, and a path that is clicked is pinned and run."""

import math
from collections.abc import Callable

from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.ui.main_window import MainWindow
from memstudio.ui.measures import SCAN
from tests.ui.conftest import PATIENCE_MS

Act = Callable[[Callable[[], object]], None]


def scanned(window: MainWindow, settle: Act, answer: str = "4") -> None:
    window.scan.answer.setText(answer)
    settle(window.scan_fact)


def test_a_scan_fills_the_list_and_colours_the_views(opened: MainWindow, settle: Act) -> None:
    scanned(opened, settle)
    panel = opened.scan
    assert panel.count.text().startswith("27 of 27 paths scanned")
    assert panel.list.topLevelItemCount() == 27
    overview = opened.studio.overview
    assert overview.colour == SCAN
    shades = overview.figures[SCAN]
    first = panel.list.topLevelItem(0)
    cluster = opened.scan.list.topLevelItem(0).data(0, 0x100)
    assert abs(math.log(float(shades.values[cluster[0] - 1][cluster[1]])) - float(first.text(3).replace("−", "-"))) < 1e-3
    assert "…" not in [panel.list.topLevelItem(row).text(1) for row in range(27)]
    routed = [row for row in range(27) if panel.list.topLevelItem(row).text(4) == "▸ routed"]
    assert len(routed) == 1


def test_the_path_that_is_clicked_is_selected_and_pinned_on_request(opened: MainWindow, settle: Act) -> None:
    scanned(opened, settle)
    item = opened.scan.list.topLevelItem(0)
    settle(lambda: opened.scan.list.setCurrentItem(item))
    assert str(opened.selected()) == item.text(0)
    settle(opened.scan.pin.click)
    assert opened.studio.situation.pinned
    assert opened.studio.run is not None
    assert opened.studio.run.route is not None
    assert str(opened.studio.run.route.clusters[-1]) == item.text(0)


def test_a_scan_is_stopped_by_its_button_and_keeps_nothing_running(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    panel = opened.scan
    panel.answer.setText("4")
    opened.scan_fact()
    assert panel.button.text() == "Stop"
    settle(panel.button.click)
    assert panel.button.text() == "Scan"
    assert not opened.scans.scanning


def test_an_answer_that_cannot_be_read_is_refused_in_a_line(opened: MainWindow, settle: Act, qtbot: QtBot) -> None:
    with qtbot.waitSignal(opened.scans.failed, timeout=PATIENCE_MS):
        scanned(opened, settle, "4 " * 400)
    assert "tokens" in opened.panels.status.line.text()
    assert opened.scan.button.text() == "Scan"


def test_an_edit_afterwards_says_that_the_scan_is_of_another_revision(opened: MainWindow, settle: Act) -> None:
    scanned(opened, settle)
    settle(lambda: opened.prune(ClusterId(3, 5)))
    assert "the study has moved on since" in opened.scan.count.text()


def test_another_bank_forgets_the_scan(opened: MainWindow, settle: Act) -> None:
    scanned(opened, settle)
    wish = opened.wish
    assert wish is not None
    settle(lambda: opened.open_wish(wish))
    assert opened.scan.list.topLevelItemCount() == 0
    assert SCAN not in opened.studio.overview.figures
